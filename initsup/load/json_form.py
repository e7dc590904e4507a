"""JSON → builtins, and the line of each value."""

from typing import Any

import msgspec

from .document import MOST_VALUES, Lines, Path, malformed


class _Repeated(Exception):
    """An object has a key twice."""


def parse(text: str) -> list[Any]:
    """All documents of a text, one after the other. Raises InvalidManifest with the line."""
    # What msgspec takes, the json module reads alike; to import that would cost the first container a millisecond.
    try:
        value = msgspec.json.decode(text)
        if _members_in(value) == _members_of(text):
            return [value]
    except (msgspec.DecodeError, RecursionError):
        pass  # there are several documents, or the other one tells what is wrong, and where
    return _parse_slowly(text)


def _members_in(value: Any) -> int:
    """How many members all objects of a value have."""
    if isinstance(value, dict):
        return len(value) + sum(map(_members_in, value.values()))
    return sum(map(_members_in, value)) if isinstance(value, list) else 0


def _members_of(text: str) -> int:
    """How many members all objects of a valid text have, those with the same key, too: each has one colon."""
    parts = text.replace("\\\\", "").replace('\\"', "").split('"')
    return sum(part.count(":") for part in parts[::2])


def _parse_slowly(text: str) -> list[Any]:
    """What `parse` gives, and raises, of any text."""
    import json

    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    found: list[Any] = []
    at = 0
    try:
        while at < len(text):
            if text[at] in " \t\r\n":
                at += 1
                continue
            value, at = decoder.raw_decode(text, at)
            found.append(value)
    except json.JSONDecodeError as error:
        raise malformed(f"not JSON: {error.msg}", f"see column {error.colno}", error.lineno) from None
    except _Repeated:
        lines(text)  # raises, with the line
        raise malformed("a key is there twice") from None
    except RecursionError:
        raise malformed("nested too deeply") from None
    except ValueError as error:
        raise malformed(f"not JSON: {error}") from None
    _check_text(found, text)
    return found


def _check_text(found: list[Any], text: str) -> None:
    """An escape can stand for half a character, which is in no text. Raises InvalidManifest."""
    import json
    import re

    escape = re.search(r"\\u[dD][89a-fA-F]", text)
    if escape is None:
        return
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        line = text.count("\n", 0, escape.start()) + 1
        raise malformed("half of a character", "such escapes come in pairs", line) from None
    except RecursionError:
        raise malformed("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _Repeated
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def lines(text: str) -> list[Lines]:
    """The lines of all documents of a JSON text. Raises InvalidManifest at the first key that is there twice."""
    import re

    found: list[Lines] = []
    path: list[str | int] = []
    line = 1
    last = 0
    is_key = False
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', text):
        if found and len(found[-1]) > MOST_VALUES:
            break
        line += text.count("\n", last, token.start())
        last = token.start()
        word = token[0]
        if word in "}]":
            path.pop()
            is_key = False
        elif word == ",":
            is_key = isinstance(path[-1], str)
            if not is_key:
                path[-1] = int(path[-1]) + 1
        elif word == ":":
            is_key = False
        elif is_key:
            path[-1] = _unquoted(word)
            _mark(found[-1], tuple(path), line)
            continue
        else:
            if not path:
                found.append({})
            if not path or isinstance(path[-1], int):
                found[-1][tuple(path)] = line
        if word in "{[":
            is_key = word == "{"
            path.append("" if is_key else 0)
    return found


def _unquoted(word: str) -> str:
    import json

    return str(json.loads(word))


def _mark(marks: Lines, path: Path, line: int) -> None:
    if path in marks:
        raise malformed(f"the key {path[-1]} is there twice, first in line {marks[path]}", "remove one", line)
    marks[path] = line

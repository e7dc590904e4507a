"""TOML → builtins, and the line of each value."""

from typing import Any

from .document import Lines, Path, malformed


def parse(text: str) -> list[Any]:
    """The one document of a text. Raises InvalidManifest with the line."""
    import tomllib

    try:
        return [tomllib.loads(text)]
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        line = place.removeprefix("line ").partition(",")[0]
        end = text.count("\n") + 1
        raise malformed(f"not TOML: {message or error}", "", int(line) if line.isdigit() else end) from None
    except ValueError as error:  # a number of thousands of digits
        raise malformed(f"not TOML: {error}") from None
    except RecursionError:
        raise malformed("nested too deeply") from None


def lines(text: str) -> list[Lines]:
    """The lines of the tables and keys of a text that is TOML; what is inside a value has the line of its key."""
    marks: Lines = {(): 1}
    counts: dict[Path, int] = {}
    table: Path = ()
    quote, depth = "", 0
    for number, row in enumerate(text.split("\n"), 1):
        inside = bool(quote) or depth > 0
        text_of_row = row.strip()
        if not inside and text_of_row.startswith("["):
            table = _header(text_of_row, counts)
            for length in range(1, len(table) + 1):
                marks.setdefault(table[:length], number)
            continue
        keys, rest = ([], row) if inside else _keys(text_of_row)
        if keys:
            for length in range(1, len(keys) + 1):
                marks.setdefault((*table, *keys[:length]), number)
        quote, depth = _state(rest, quote, depth)
    return [marks]


def _header(row: str, counts: dict[Path, int]) -> Path:
    """The path of a table header, with the positions of the arrays of tables on the way."""
    keys, _ = _keys(row.lstrip("[").replace("]", " ] ", 1))
    path: Path = ()
    for step, key in enumerate(keys):
        path = (*path, key)
        if row.startswith("[[") and step == len(keys) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _keys(row: str) -> tuple[list[str], str]:
    """The dotted key that a row begins with, and what follows its `=`."""
    keys: list[str] = []
    rest = row
    while rest and rest[0] not in "#=]":
        if rest[0] in "\"'":
            end = rest.find(rest[0], 1)
            key, rest = rest[1:end], rest[end + 1 :]
        else:
            end = next((at for at, char in enumerate(rest) if char in ".= \t]"), len(rest))
            key, rest = rest[:end], rest[end:]
        keys.append(key)
        rest = rest.lstrip()
        if not rest.startswith("."):
            break
        rest = rest[1:].lstrip()
    return keys, rest.removeprefix("=")


def _state(row: str, quote: str, depth: int) -> tuple[str, int]:
    """Whether the row ends inside a multi-line string (and which) and how many brackets are open."""
    at = 0
    while at < len(row):
        if quote:
            if row.startswith("\\", at) and quote[0] == '"':
                at += 2
            elif row.startswith(quote, at):
                at += len(quote)
                quote = ""
            else:
                at += 1
            continue
        if row[at] == "#":
            break
        if row[at] in "\"'":
            quote = row[at] * 3 if row.startswith(row[at] * 3, at) else row[at]
            at += len(quote)
            continue
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(row[at], 0)
        at += 1
    return (quote if len(quote) == 3 else ""), max(depth, 0)

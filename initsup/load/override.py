"""`--set crashLoopBackOff.initialPeriod=1s`: settings from the command line, laid over those of the files."""

import copy
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from initsup.errors import InvalidManifest, Problem
from initsup.spec.settings import SupervisorConfiguration
from initsup.spec.units import whole_number

from .decode import unknown_field


def overridden(body: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """The settings' builtins with the overrides in them. Raises InvalidManifest for a key that does not exist.

    A key that contains dots is put in quotes: `images."nginx:1.27".command=["nginx"]`. Lists and objects are JSON; a
    list may also be words with commas between them.
    """
    found = copy.deepcopy(body)
    problems: list[Problem] = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            problems.append(_problem(override, "must be KEY=VALUE"))
            continue
        if not override.isascii() and not _is_text(override):
            problems.append(_problem(ascii(key), "must be UTF-8"))
            continue
        _set(found, key, text, problems)
    if problems:
        raise InvalidManifest(problems)
    return found


def keys(overrides: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The fields that are overridden, each as the way to it."""
    return tuple(tuple(_split(override.partition("=")[0])) for override in overrides)


def _is_text(word: str) -> bool:
    """Whether a word of the command line is text; bytes that are none are in it as lone surrogates."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _problem(key: str, message: str, hint: str = "") -> Problem:
    return Problem(path=f"--set {key}", message=message, hint=hint)


def _set(body: dict[str, Any], key: str, text: str, problems: list[Problem]) -> None:
    kind: Any = SupervisorConfiguration
    steps = _split(key)
    for position, step in enumerate(steps):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
            if step not in fields:
                problems.append(_problem(key, *unknown_field(step, list(fields))))
                return
            kind = fields[step]
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            problems.append(_problem(key, f"{'.'.join(steps[:position])} has no fields"))
            return
        if position == len(steps) - 1:
            try:
                body[step] = _value(text, kind)
            except ValueError as error:
                problems.append(_problem(key, str(error)))
        else:
            inner = body.get(step)
            body[step] = inner if isinstance(inner, dict) else {}
            body = body[step]


def _split(key: str) -> list[str]:
    """A dotted key; parts in double quotes keep their dots."""
    parts = [""]
    is_quoted = False
    for char in key:
        if char == '"':
            is_quoted = not is_quoted
        elif char == "." and not is_quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _value(text: str, kind: Any) -> Any:
    """What a text stands for in a field of `kind`; texts with units stay as they are."""
    number = whole_number(text)
    if get_origin(kind) is Annotated:
        bare, meta = get_args(kind)
        if (meta.extra or {}).get("unit"):
            return text if number is None else number
        kind = bare
    kinds = [part for part in get_args(kind) if part is not NoneType] if get_origin(kind) not in (tuple, dict) else []
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if kind is int:
        if (size := whole_number(text.removeprefix("-"))) is None:
            raise ValueError("must be a whole number")
        return -size if text.startswith("-") else size
    if get_origin(kind) is tuple and not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind is str or kinds:
        return text if number is None or not kinds else number
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ValueError("must be JSON") from None

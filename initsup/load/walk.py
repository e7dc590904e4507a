"""The slow way from builtins to an object: every error with its path, and the best that can be made of the rest.

What is wrong must not hide what else is: a value whose meaning is plain (a misspelt field, a number in quotes) counts
as what was meant, and any other is left out and noted as lost, so that the rest can be checked in the same go.
"""

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from initsup.errors import Problem
from initsup.spec.pod import PodSpec
from initsup.spec.units import parse_duration, value

from .decode import meant_field
from .document import Document

_NOTHING = object()
"""A value that counts as not set."""

_NAMES = {
    str: "a string", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "an object",
    NoneType: "null", bytes: "base64 text",
}  # fmt: skip


class Walk:
    """One walk over one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.above: list[type[msgspec.Struct]] = []

    def problem(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(self.document.problem(path, message, hint))

    def lose(self, path: str, message: str, hint: str = "") -> Any:
        """A problem with a value that has to be left out."""
        self.problem(path, message, hint)
        self.document.lost.append(path)
        return _NOTHING

    def struct(self, given: dict[str, Any], kind: type[msgspec.Struct], path: str) -> dict[str, Any]:
        """The fields of an object."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        self.above.append(kind)
        clean = {}
        for name, inner in given.items():
            at = f"{path}.{name}" if path else name
            if name not in fields:
                elsewhere = self._elsewhere(name, kind, given)
                meant = "" if elsewhere else meant_field(name, list(fields))
                hint = f"did you mean {meant}?" if meant else elsewhere
                if not meant or meant in given or meant in clean:
                    self.lose(at, "unknown field", hint)
                    continue
                self.problem(at, "unknown field", hint)
                self.document.rename(at, at.removesuffix(name) + meant)
                name, at = meant, at.removesuffix(name) + meant
            found = self.value(inner, fields[name].type, at)
            if found is not _NOTHING:
                clean[name] = found
        self.above.pop()
        return clean

    def _elsewhere(self, name: str, kind: type[msgspec.Struct], given: dict[str, Any]) -> str:
        """Where an unknown field would be known, above or below, there rather in what is given; "" if nowhere."""
        if self.document.is_toml and name in ("supervisor", "configMaps", "secrets"):
            return f"write [{name}]"
        for outer in reversed(self.above[:-1]):
            if name in (field.encode_name for field in msgspec.structs.fields(outer)):
                top = self.document.is_toml and outer is PodSpec
                return f"it is a field of {outer.__name__}, {'above all tables' if top else 'further out'}"
        for field in sorted(msgspec.structs.fields(kind), key=lambda one: one.encode_name not in given):
            for inner in _structs(field.type):
                if name in (deeper.encode_name for deeper in msgspec.structs.fields(inner)):
                    return f"it belongs into {field.encode_name}"
        return ""

    def value(self, given: Any, kind: Any, path: str) -> Any:
        """A value that has to be of `kind`; _NOTHING if it is not set or wrong."""
        if kind is Any:
            return given
        if given is None:
            return _NOTHING
        origin = get_origin(kind)
        if origin is Annotated:
            inner, meta = get_args(kind)
            return self.annotated(given, inner, meta, path)
        if origin in (Union, UnionType):
            return self.union(given, [part for part in get_args(kind) if part is not NoneType], path)
        if origin is tuple:
            return self.items(given, get_args(kind)[0], path)
        if origin is dict:
            return self.entries(given, get_args(kind)[1], path)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.struct(given, kind, path) if isinstance(given, dict) else self.wrong(given, dict, path)
        if kind is bytes:
            return self.base64(given, path)
        if type(given) is kind or (kind is float and type(given) is int):
            return given
        if kind is int and type(given) is float and given.is_integer():
            return int(given)
        return self.wrong(given, kind, path)

    def wrong(self, given: Any, kind: Any, path: str) -> Any:
        """A value of another type than `kind`: what it most likely stands for, or _NOTHING."""
        message = f"must be {_NAMES[kind]}, not {_NAMES.get(type(given), 'a date or time')}"
        if kind is str and type(given) not in (list, dict):
            self.problem(path, message, "put it in quotes")
            return str(given).lower() if type(given) is bool else str(given)
        if kind in (int, bool, float) and type(given) is str:
            words = {"true": True, "false": False}
            try:
                meant = words[given] if kind is bool else kind(given)
            except (ValueError, KeyError):
                return self.lose(path, message)
            self.problem(path, message, "remove the quotes")
            return meant
        return self.lose(path, message)

    def annotated(self, given: Any, kind: Any, meta: msgspec.Meta, path: str) -> Any:
        """A value with a unit or a range."""
        unit = (meta.extra or {}).get("unit")
        if unit == "quantity":
            if type(given) in (int, float):
                return str(given)
            return self.value(given, kind, path)
        if unit == "duration":
            return self.measured(given, parse_duration, "a duration such as 10s or 1m30s", path)
        if unit == "size":
            return self.measured(given, value, "a size such as 10Mi", path)
        found = self.value(given, kind, path)
        if type(found) is int and meta.le is not None and not (meta.ge or 0) <= found <= meta.le:
            return self.lose(path, f"must be between {meta.ge} and {meta.le}")
        return found

    def measured(self, given: Any, parse: Any, wanted: str, path: str) -> Any:
        """A number that a text with a unit stands for."""
        if type(given) in (int, float):
            return given
        try:
            return parse(given) if type(given) is str else self.lose(path, f"must be {wanted}")
        except ValueError:
            return self.lose(path, f"must be {wanted}, not {given!r}")

    def union(self, given: Any, kinds: list[Any], path: str) -> Any:
        """A value of one of several types."""
        if len(kinds) == 1:
            return self.value(given, kinds[0], path)
        for kind in kinds:
            bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
            if type(given) is bare:
                return self.value(given, kind, path)
        return self.lose(path, f"must be a string or a whole number, not {_NAMES.get(type(given), 'a date or time')}")

    def items(self, given: Any, kind: Any, path: str) -> Any:
        """A list, in which an item that is lost leaves its place empty."""
        if not isinstance(given, list):
            return self.no_list(given, kind, path)
        found = []
        for index, item in enumerate(given):
            if item is None:
                self.lose(f"{path}[{index}]", "there is nothing in it", "remove it")
            inner = self.value(item, kind, f"{path}[{index}]")
            found.append(_empty(kind) if inner is _NOTHING else inner)
        return found

    def no_list(self, given: Any, kind: Any, path: str) -> Any:
        """What a value stands for where a list has to be."""
        message = f"must be a list, not {_NAMES.get(type(given), 'a date or time')}"
        fields = {field.encode_name for one in _structs(kind) for field in msgspec.structs.fields(one)}
        if given == "" or isinstance(given, dict) is not bool(fields):
            return self.lose(path, message)
        if isinstance(given, dict) and not fields.intersection(given):
            return self.lose(
                path, message, "write an item for each, beginning with - name:" if "name" in fields else ""
            )
        is_line = isinstance(given, str) and " " in given
        self.problem(
            path, message, "write it as a list, an item for each word" if is_line else "write it as a list of one"
        )
        return self.items([given], kind, path)

    def entries(self, given: Any, kind: Any, path: str) -> Any:
        """An object with free keys."""
        if not isinstance(given, dict):
            return self.wrong(given, dict, path)
        found = {}
        for name, item in given.items():
            inner = self.value(item, kind, f"{path}[{name}]")
            if item is None and not _structs(kind):
                inner = ""  # as Kubernetes reads null where a string has to be
            if inner is not _NOTHING:
                found[name] = inner
        return found

    def base64(self, given: Any, path: str) -> Any:
        """Bytes; line breaks in the text are allowed, as in Go."""
        if not isinstance(given, str):
            return self.wrong(given, str, path)
        from binascii import Error, a2b_base64

        text = given.replace("\n", "").replace("\r", "")
        try:
            a2b_base64(text.encode("ascii"), strict_mode=True)
        except (Error, UnicodeEncodeError):
            return self.lose(path, "not base64", "plain text belongs into data of a ConfigMap, stringData of a Secret")
        return text


def _empty(kind: Any) -> Any:
    """What stands in for an item that is lost."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return {} if _structs(kind) or get_origin(bare) is dict else bare()


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    """The object types that a field holds."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in get_args(kind) for found in _structs(part)]

"""`initsup explain`: what a field means and how much of it holds here, laid out as `kubectl explain` does."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

if TYPE_CHECKING:
    from argparse import Namespace

    import msgspec

    from initsup.cli.parser import Parser
    from initsup.load.support import Support

_OF_TOML = {
    "configMaps": (
        "ConfigMap",
        "In a TOML file, the ConfigMaps that the pod refers to: a table for each, of keys and their texts.",
        '[configMaps.settings]\ncolor = "red"',
    ),
    "secrets": (
        "Secret",
        "In a TOML file, the Secrets that the pod refers to: a table for each, of keys and their values as plain text.",
        '[secrets.database]\npassword = "..."',
    ),
}
"""What else stands at the top level of a TOML file: kind, meaning, an example. In YAML it is an object of its own."""

_PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number", bytes: "base64", Any: "Object"}


def arguments(parser: Parser) -> None:
    """The options of `explain`."""
    parser.examples("""
# What there is in a pod
initsup explain pod.spec

# One field, and the fields in it; `spec` may be left out
initsup explain containers.livenessProbe

# The settings of initsup, and one of them
initsup explain supervisor
initsup explain imageCache
""")
    parser.add_argument("field", nargs="?", default="pod", metavar="FIELD", help="such as pod.spec.containers.env")
    parser.flag("--recursive", help="list the fields in the fields too, names and types only")


def explain(args: Namespace) -> int:
    """Print the explanation. Raises UsageError for a field that there is none of."""
    from initsup.load.notes import explain as find

    if (toml := _of_toml(args.field)) is not None:
        print(toml)
        return 0
    path = _full(args.field)
    support, inner = find(path)
    parent, _, name = path.rpartition(".")
    print("\n".join(_head(path, name, find(parent)[1] if parent else None)))
    print("DESCRIPTION:")
    print("\n".join(_wrap(support.meaning, 4)))
    if parent and not path.lower().startswith("supervisor"):  # which holds nowhere else
        print("\nHERE:")
        print("\n".join(_wrap(": ".join(filter(None, (support.effect, support.note))), 4)))
    if inner is not None:
        print("\nFIELDS:")
        print("\n".join(_tree(inner, 2, ()) if args.recursive else _fields(inner)))
    return 0


def _of_toml(field: str) -> str | None:
    first = field.partition(".")[0].lower()
    for name, (kind, meaning, example) in _OF_TOML.items():
        if first in (name.lower(), kind.lower()):
            text = "\n".join(_wrap(meaning, 4))
            return f"KIND:       {kind}\nVERSION:    v1\n\nDESCRIPTION:\n{text}\n\n{textwrap.indent(example, ' ' * 4)}"
    return None


def fields_of(field: str) -> list[str]:
    """The names of the fields in a field; none when there is no such field, or nothing in it."""
    from initsup.errors import UsageError
    from initsup.load.notes import explain as find

    try:
        inner = find(_full(field))[1]
    except UsageError:
        return []
    return [name for name, _, _ in _sorted(inner)] if inner is not None else []


def _full(field: str) -> str:
    """The path from the object: `containers.env` → `pod.spec.containers.env`. Raises UsageError if there is none."""
    from initsup.errors import UsageError

    steps = [step for step in field.replace("[]", "").split(".") if step] or ["pod"]
    if steps[0] in ("pods", "po", "Pod"):
        steps[0] = "pod"
    starts: tuple[list[str], ...] = ([], ["pod"], ["pod", "spec"], ["supervisor"])
    start = next((start for start in starts if _exists([*start, steps[0]])), [])
    found = start
    for step in steps:
        if not _exists([*found, step]):
            raise UsageError(_no_field(step, found))
        found = [*found, step]
    return ".".join(found)


def _exists(steps: list[str]) -> bool:
    from initsup.load.notes import explain as find

    try:
        find(".".join(steps))
    except KeyError:
        return False
    return True


def _no_field(name: str, above: list[str]) -> str:
    """What to say about a field that does not exist, and where to look."""
    from initsup.load.notes import explain as find
    from initsup.load.support import table

    inner = find(".".join(above))[1]
    place = ".".join(above) or "pod"
    if inner is None:
        return f'field "{name}" does not exist: {place} has no fields'
    from difflib import get_close_matches

    if deeper := _below(inner, name):
        hint = f"did you mean {place}.{deeper}?"
    elif close := get_close_matches(name, table()[inner.__name__], 1):
        hint = f"did you mean {close[0]}?"
    else:
        hint = f"'initsup explain {place}' lists what does"
    return f'field "{name}" does not exist in {place}, {hint}'


def _below(kind: type[msgspec.Struct], name: str) -> str:
    """The shortest way down to a field of that name; "" if there is none. Containers come before init containers."""
    from initsup.load.notes import inner_type

    todo: list[tuple[type[msgspec.Struct], str]] = [(kind, "")]
    seen = {kind}
    for outer, way in todo:
        for found, field_type, _ in _sorted(outer):
            if found == name:
                return way + found
            inner = inner_type(field_type)
            if inner is not None and inner not in seen:
                seen.add(inner)
                todo.append((inner, f"{way}{found}."))
    return ""


def _head(path: str, name: str, above: type[msgspec.Struct] | None) -> list[str]:
    is_pod = not path.lower().startswith("supervisor")
    lines = [f"KIND:       {'Pod' if is_pod else 'SupervisorConfiguration'}"]
    lines += [f"VERSION:    {'v1' if is_pod else 'initsup.dev/v1alpha1'}", ""]
    for found, kind, default in _sorted(above) if above is not None else ():
        if found == name:
            lines += [f"FIELD: {name} <{type_name(kind)}>" + (f" (default: {default})" if default else ""), ""]
    return lines


def _fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    """The fields of an object: name and type, default, meaning, and how they hold here."""
    from initsup.load.support import table

    known = table()[kind.__name__]
    for name, field_type, default in _sorted(kind):
        shown = f" (default: {default})" if default else ""
        yield f"  {name}\t<{type_name(field_type)}>{shown}"
        yield from _wrap(known[name].meaning, 4)
        if known[name].effect != "same":
            yield from _wrap(_here(known[name]), 4)
        yield ""


def _tree(kind: type[msgspec.Struct], depth: int, above: tuple[type, ...]) -> Iterator[str]:
    """Names and types, of all fields below."""
    from initsup.load.notes import inner_type

    for name, field_type, _ in _sorted(kind):
        yield f"{' ' * depth}{name}\t<{type_name(field_type)}>"
        inner = inner_type(field_type)
        if inner is not None and inner not in above:
            yield from _tree(inner, depth + 2, (*above, kind))


def _sorted(kind: type[msgspec.Struct]) -> list[tuple[str, Any, str]]:
    """Name, type and default of each field, by name."""
    import msgspec

    fields = sorted(msgspec.structs.fields(kind), key=lambda field: field.encode_name)
    return [(field.encode_name, field.type, _default(field.encode_name, field.type, field.default)) for field in fields]


def _default(name: str, field_type: Any, value: Any) -> str:
    """A default worth telling, as it is written in a file: not an empty or missing one."""
    from initsup.spec.units import format_duration, format_quantity

    if not isinstance(value, str | int | float) or value in ("", 0, False):
        return ""
    unit = unit_of(field_type)
    if name == "defaultMode":
        return f"{int(value):#o}".replace("0o", "0")
    if unit == "size":
        return format_quantity(f"{int(value) // 1024}Ki")
    return format_duration(float(value)) if unit == "duration" else str(value)


def unit_of(field_type: Any) -> str:
    """`duration`, `size` or `quantity` for a field that is written with a unit."""
    for meta in getattr(field_type, "__metadata__", ()):
        if getattr(meta, "extra", None):
            return str(meta.extra.get("unit", ""))
    return ""


def type_name(field_type: Any) -> str:
    """A type as kubectl writes it: `string`, `[]Container`, `map[string]string`."""
    if unit := unit_of(field_type):
        return "duration" if unit == "duration" else "Quantity"
    if hasattr(field_type, "__metadata__"):
        return type_name(field_type.__origin__)
    if field_type in _PLAIN:
        return _PLAIN[field_type]
    origin, parts = get_origin(field_type), get_args(field_type)
    if origin is tuple:
        return f"[]{type_name(parts[0])}"
    if origin is dict:
        return f"map[string]{type_name(parts[1])}" if parts[1] is not Any else "Object"
    if origin in (UnionType, Union):
        kinds = {type_name(part) for part in parts if part is not NoneType}
        return kinds.pop() if len(kinds) == 1 else "IntOrString" if kinds == {"integer", "string"} else "Object"
    return str(getattr(field_type, "__name__", "Object"))


def _here(support: Support) -> str:
    return f"{support.effect.capitalize()} here: {support.note}."


def _wrap(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=" " * indent, subsequent_indent=" " * indent)

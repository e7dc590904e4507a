r"""kubectl's JSONPath, the part that people use: `{.status.phase}`, `{.spec.containers[0].name}`, `[*]`, `['key']`,
`[?(@.type=="Ready")]`, `{range .items[*]}…{end}`, `{"\n"}`, text in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeAlias

_STEP = re.compile(
    r"""\.?\[\?\(\s*(?P<filter>.+?)\s*\)\]   # [?(@.type=="Ready")]
      | \.?\['(?P<quoted>[^']*)'\]           # ['key']
      | \.?\[(?P<index>-?\d+|\*)\]           # [0], [*]
      | \.(?P<name>\*|(?:\\.|[^.\[\s{}'"])+) # .name, .*, .a\.b
    """,
    re.VERBOSE,
)
_FILTER = re.compile(r"""@(?P<path>[^=!<>\s]+)(?:\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.-]+))?""")

_PART = re.compile(r"""(?P<plain>[^{]+)|\{(?P<action>(?:"(?:\\.|[^"\\])*"|'[^']*'|[^}"'])*)\}""")

_Node: TypeAlias = "str | tuple[str, list[_Node] | None]"
"""Plain text, or a path with the nodes to repeat for each value it finds (None: print the values)."""


def find(path: str, obj: Any) -> list[Any]:
    """Every value that a path such as `.status.phase` leads to; an empty list when there is none. Raises UsageError."""
    found, at = [obj], 0
    path = path.strip().removeprefix("$").removeprefix("@")
    while at < len(path) and path != ".":
        step = _STEP.match(path, at)
        if step is None:
            _refuse(f"unexpected {path[at:]!r}")
        found = [value for one in found for value in _take(step, one)]
        at = step.end()
    return found


def fill(template: str, obj: Any) -> str:
    """The template with each `{…}` replaced by what it finds; several values are separated by a blank."""
    if "{" not in template:
        template = "{" + (template if template.startswith((".", "[", "$")) else "." + template) + "}"
    return _render(_parse(_parts(template), ranged=False), obj)


def _take(step: re.Match[str], value: Any) -> list[Any]:
    """What one step of a path makes of one value."""
    if step["filter"] is not None:
        return [one for one in _elements(value) if _matches(step["filter"], one)]
    if step["index"] == "*" or step["name"] == "*":
        return _elements(value)
    if step["index"] is not None:
        number = int(step["index"][:20])
        return [value[number]] if isinstance(value, list) and -len(value) <= number < len(value) else []
    name = step["quoted"] if step["quoted"] is not None else re.sub(r"\\(.)", r"\1", step["name"])
    return [value[name]] if isinstance(value, dict) and name in value else []


def _elements(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _matches(text: str, value: Any) -> bool:
    """Whether an element passes a filter: `@.a=="b"`, `@.a!="b"`, or `@.a` for "has it"."""
    parsed = _FILTER.fullmatch(text) or _refuse(f'a filter is @.field=="value", not {text!r}')
    found = find(parsed["path"], value)
    if parsed["op"] is None:
        return bool(found)
    same = any(show(one) == parsed["value"].strip("\"'") for one in found)
    return same is (parsed["op"] == "==")


def _parts(template: str) -> Iterator[tuple[bool, str]]:
    """A template in pieces: (True, what stands in braces) or (False, plain text)."""
    at = 0
    while at < len(template):
        part = _PART.match(template, at) or _refuse(f"unclosed action in {template[at:]!r}")
        yield (False, part["plain"]) if part["plain"] else (True, part["action"].strip())
        at = part.end()


def _parse(parts: Iterator[tuple[bool, str]], ranged: bool) -> list[_Node]:
    """Nodes up to the `{end}` of the range that we are in, or up to the end of the template."""
    nodes: list[_Node] = []
    for is_action, part in parts:
        if not is_action:
            nodes.append(part)
        elif part == "end" and ranged:
            return nodes
        elif part.startswith("range "):
            nodes.append((part.removeprefix("range "), _parse(parts, ranged=True)))
        elif part[:1] in ("'", '"'):
            nodes.append(_literal(part))
        else:
            nodes.append((part, None) if part != "end" else _refuse("{end} without {range}"))
    return nodes if not ranged else _refuse("{range} without {end}")


def _literal(part: str) -> str:
    """Text in quotes, with JSON's escapes."""
    try:
        return str(json.loads('"' + part[1:-1] + '"', strict=False))
    except ValueError:
        _refuse(f"the text {part} has an unknown escape")


def _render(nodes: list[_Node], obj: Any) -> str:
    text = ""
    for node in nodes:
        if isinstance(node, str):
            text += node
        elif node[1] is None:
            text += " ".join(show(one) for one in find(node[0], obj))
        else:
            text += "".join(_render(node[1], one) for one in find(node[0], obj))
    return text


def show(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _refuse(problem: str) -> NoReturn:
    from initsup.errors import UsageError

    raise UsageError(f"jsonpath: {problem}")

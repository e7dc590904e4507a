"""Label and field selectors (apimachinery/pkg/labels, pkg/fields): text → a predicate on objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from initsup.api.failure import bad_request
from initsup.load import names

Labels = Mapping[str, str]
Rule = Callable[[Labels], bool]
Object = Mapping[str, Any]

_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)", re.I)
_EQUAL = re.compile(r"([^=!<>\s]+)\s*(==|=|!=|>|<)\s*([^=!<>\s]*)")
_KEY = re.compile(r"(!?)\s*([^=!<>\s]+)")


def label_selector(text: str) -> Rule:
    """A predicate on labels for `app=web,tier in (a,b),!old`. Raises Failure."""
    rules = [_label_rule(part.strip()) for part in _parts(text) if text.strip()]
    return lambda labels: all(rule(labels) for rule in rules)


def _parts(text: str) -> list[str]:
    """What stands between commas that are not in parentheses."""
    found, start, inside = [], 0, False
    for at, sign in enumerate(text):
        if sign in "()":
            inside = sign == "("
        elif sign == "," and not inside:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def _label_rule(part: str) -> Rule:
    if found := _SET.fullmatch(part):
        if not found[3].strip():
            raise bad_request("unable to parse requirement: for 'in', 'notin' operators, values set can't be empty")
        key, values = _checked(found[1], *(value.strip() for value in found[3].split(",")))
        if found[2].lower() == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.fullmatch(part):
        key, (value,) = _checked(found[1], found[3])
        return _compared(key, found[2], value)
    if found := _KEY.fullmatch(part):
        key, _ = _checked(found[2])
        wanted = not found[1]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: {part!r} is not a label selector")


def _checked(key: str, *values: str) -> tuple[str, tuple[str, ...]]:
    """A label and its values, when there can be such ones. Raises Failure."""
    for text, rules in ((key, names.qualified), *((value, names.label_value) for value in values)):
        for broken in rules(text):
            raise bad_request(f'unable to parse requirement: Invalid value: "{text}": {broken}')
    return key, values


def _compared(key: str, sign: str, value: str) -> Rule:
    if sign in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if sign == "!=":
        return lambda labels: labels.get(key) != value
    if not re.fullmatch(r"-?\d+", value):
        raise bad_request(f"unable to parse requirement: for '{sign}' the value must be an integer")
    if sign == ">":
        return lambda labels: _is_number(labels.get(key)) and int(labels[key]) > int(value)
    return lambda labels: _is_number(labels.get(key)) and int(labels[key]) < int(value)


def _is_number(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"-?\d+", text) is not None


_ANY = ("metadata.name", "metadata.namespace")
FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        *_ANY,
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        *_ANY,
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
        "regarding.kind",
        "regarding.name",
        "regarding.namespace",
        "regarding.uid",
    ),
    "namespaces": (*_ANY, "status.phase"),
    "nodes": (*_ANY, "spec.unschedulable"),
    "secrets": (*_ANY, "type"),
}
"""The fields that can be selected by, as the API server has them (pkg/apis/core/v1/conversion.go)."""


def field_selector(text: str, resource: str) -> Callable[[Object], bool]:
    """A predicate on objects for `metadata.name=web,status.phase!=Running`. Raises Failure."""
    rules = []
    for part in filter(None, (one.strip() for one in re.findall(r"(?:\\.|[^,\\])+", text))):
        sign = re.search("!=|==|=", part)
        if sign is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        path, value = part[: sign.start()].strip(), part[sign.end() :].strip()
        if path not in FIELDS.get(resource, _ANY):
            raise bad_request(f"field label not supported: {path}")
        rules.append((path, sign[0] != "!=", re.sub(r"\\([\\,=])", r"\1", value)))
    return lambda one: all((_field(one, path) == value) is equal for path, equal, value in rules)


def _field(one: Any, path: str) -> str:
    if path == "source":
        path = "source.component"
    for step in path.split("."):
        one = one.get(step) if isinstance(one, Mapping) else None
    return str(one).lower() if isinstance(one, bool) else "" if one is None else str(one)


class Selection:
    """What a list or a watch is about."""

    def __init__(self, resource: str, labels: str = "", fields: str = "", namespace: str = "", name: str = "") -> None:
        self._labels = label_selector(labels) if labels else None
        self._fields = field_selector(fields, resource) if fields else None
        self._namespace = namespace
        self._name = name

    def __call__(self, one: Object | None) -> bool:
        """Whether an object belongs to it."""
        if one is None:
            return False
        meta = one["metadata"]
        return (
            (not self._namespace or meta.get("namespace") == self._namespace)
            and (not self._name or meta.get("name") == self._name)
            and (self._labels is None or self._labels(meta.get("labels") or {}))
            and (self._fields is None or self._fields(one))
        )

"""Server-side apply: which client has asked for which field, and whether another one may change it.

Source: structured-merge-diff and apimachinery/pkg/util/managedfields, in small: a manager has the fields (leaves, by
their paths) that it has applied or changed. What it applied before and does not any more is taken away again.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import msgspec

from initsup.api import patch
from initsup.api.failure import Failure

Object = dict[str, Any]
Leaves = dict[str, Any]
_IDENTITY = ("apiVersion", "kind", "status")
_OF_SERVER = ("creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "uid")


class Owned(msgspec.Struct):
    """The fields of one manager. `at`: when it last changed one by other means than apply; empty: it applies."""

    fields: set[str]
    at: str = ""


class Managers:
    """Who has set what in one object."""

    def __init__(self) -> None:
        self._known: dict[str, Owned] = {}

    def applied(self, before: Object, document: Object, manager: str, *, force: bool) -> Object:
        """The object after an apply. Raises Failure when another manager has other plans for a field."""
        live, wanted = leaves(before), leaves(document)
        taken = {path for path, value in wanted.items() if path in live and live[path] != value}
        lost = {name: one.fields & taken for name, one in self._known.items() if name != manager}
        conflicts = [(name, path) for name, fields in lost.items() for path in sorted(fields)]
        if conflicts and not force:
            raise self._conflict(conflicts)
        after = patch.strategic(before, document)
        own = self._known.get(manager, Owned(set()))
        others = {path for name, one in self._known.items() if name != manager for path in one.fields}
        gone = own.fields - set(wanted) - others if not own.at else set()
        return _without(after, gone) if gone else dict(after)

    def note_applied(self, document: Object, manager: str) -> None:
        """It was done: these fields are the manager's, and those that it has overruled are nobody else's."""
        wanted = set(leaves(document))
        for name, one in self._known.items():
            if name != manager:
                one.fields -= wanted
        self._known[manager] = Owned(wanted)

    def note_changed(self, before: Object, after: Object, manager: str) -> None:
        """A manager has changed fields by other means: they are its own now."""
        old, new = leaves(before), leaves(after)
        changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
        for one in self._known.values():
            one.fields -= changed
        if set_now := changed & set(new):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            known = self._known.setdefault(manager, Owned(set(), at))
            known.fields |= set_now

    def _conflict(self, conflicts: list[tuple[str, str]]) -> Failure:
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {self._said(name)}", "field": path}
            for name, path in conflicts
        ]
        if len(conflicts) == 1:
            text = f"Apply failed with 1 conflict: {causes[0]['message']}: {conflicts[0][1]}"
        else:
            lines = []
            for name in sorted({name for name, _ in conflicts}):
                lines.append(f"conflicts with {self._said(name)}:")
                lines += [f"- {path}" for of, path in conflicts if of == name]
            text = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
        return Failure(409, text, details={"causes": causes})

    def _said(self, name: str) -> str:
        at = self._known[name].at
        return f'"{name}" using v1' + (f" at {at}" if at else "")


def leaves(one: Object) -> Leaves:
    """Path → value of all that a client can set: `.metadata.labels.app`, `.spec.containers[name="web"].image`."""
    found: Leaves = {}
    for field, value in one.items():
        if field == "metadata" and isinstance(value, dict):
            _collect({key: inner for key, inner in value.items() if key not in _OF_SERVER}, ".metadata", "", found)
        elif field not in _IDENTITY:
            _collect(value, f".{field}", field, found)
    return found


def _collect(value: Any, path: str, name: str, found: Leaves) -> None:
    if isinstance(value, dict):
        for field, inner in value.items():
            _collect(inner, f"{path}.{field}", field, found)
        return
    key = patch.merge_key(name, value) if isinstance(value, list) else None
    if key is None:
        found[path] = value
        return
    for item in value:
        if isinstance(item, dict) and key in item:
            _collect(item, _item(path, key, item[key]), name, found)


def _item(path: str, key: str, value: Any) -> str:
    return f"{path}[{key}={msgspec.json.encode(value).decode()}]"


def _without(one: Object, gone: set[str]) -> Object:
    """Without these leaves, and without the items of lists of which nothing else is left."""
    result = copy.deepcopy(one)
    for field, value in list(result.items()):
        _prune(result, field, value, f".{field}", gone)
    return result


def _prune(parent: Any, at: Any, value: Any, path: str, gone: set[str]) -> None:
    if path in gone:
        del parent[at]
    elif isinstance(value, dict):
        for field, inner in list(value.items()):
            _prune(value, field, inner, f"{path}.{field}", gone)
    elif isinstance(value, list) and (key := patch.merge_key(path.rpartition(".")[2], value)) is not None:
        for item in [item for item in value if isinstance(item, dict) and key in item]:
            place = _item(path, key, item[key])
            if f"{place}.{key}" in gone:
                value.remove(item)
            else:
                for field, inner in list(item.items()):
                    _prune(item, field, inner, f"{place}.{field}", gone)

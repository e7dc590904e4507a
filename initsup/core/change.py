"""Old pod, new pod: what may change while it runs, and which containers that concerns.

Sources: pkg/apis/core/validation/validation.go (ValidatePodUpdate), pkg/kubelet/container/helpers.go
(pickFieldsToHash: a container's definition is its name and image). The settings of an image (`images`) count as the
image. ConfigMaps, Secrets, labels and annotations may change freely: volumes show them, environments do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import commonprefix
from typing import Any

import msgspec

from initsup.spec.base import wire_name
from initsup.spec.manifest import Manifest

FORBIDDEN = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class Change(msgspec.Struct, frozen=True):
    """What a new manifest means for a running pod.

    `forbidden` are the paths of fields that cannot change, each with both values; `restart` names the containers
    whose definition has changed.
    """

    forbidden: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def compare(old: Manifest, new: Manifest) -> Change:
    """Compare two manifests of the same pod."""
    forbidden = [
        f"metadata.{field}: Invalid value: {_short(_text(getattr(new.pod.metadata, field)))}: field is immutable"
        for field in ("name", "namespace")
        if getattr(old.pod.metadata, field) != getattr(new.pod.metadata, field)
    ]
    forbidden += [
        f"{path}: {_around(before, after)} → {_around(after, before)}"
        for path, before, after in _differences(old.pod.spec, new.pod.spec, "spec")
        if not _may_change(path, before, after)
    ]
    return Change(forbidden=tuple(forbidden), restart=tuple(_redefined(old, new)) if not forbidden else ())


def same(old: Manifest, new: Manifest) -> bool:
    """Whether two manifests ask for the same, wherever they were read from."""
    return msgspec.structs.replace(old, source="") == msgspec.structs.replace(new, source="")


def _may_change(path: str, before: Any, after: Any) -> bool:
    if path.endswith("].image") and path.startswith(("spec.containers[", "spec.initContainers[")):
        return bool(after)
    if path == "spec.activeDeadlineSeconds":  # may be added or lowered, not raised or taken away
        return after is not None and after >= 0 and (before is None or after <= before)
    if path.startswith("spec.tolerations["):
        return before is None
    return path.endswith("].imagePullPolicy")  # follows from the image


def _redefined(old: Manifest, new: Manifest) -> Iterator[str]:
    before = {c.name: c for c in (*old.pod.spec.init_containers, *old.pod.spec.containers)}
    for container in (*new.pod.spec.init_containers, *new.pod.spec.containers):
        image = before[container.name].image
        if image != container.image or old.settings.mapping(image) != new.settings.mapping(container.image):
            yield container.name


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every field that differs, as deep as both sides have the same shape."""
    if old == new:
        return
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field in old.__struct_fields__:
            yield from _differences(getattr(old, field), getattr(new, field), f"{path}.{wire_name(field)}")
    elif isinstance(old, tuple) and isinstance(new, tuple):
        for index in range(max(len(old), len(new))):
            yield from _differences(
                old[index] if index < len(old) else None, new[index] if index < len(new) else None, f"{path}[{index}]"
            )
    else:
        yield path, old, new


def _around(value: Any, other: Any) -> str:
    """A value, of a long one the part in which it differs from the other and a little of what is before that."""
    text = _text(value)
    same = len(commonprefix([text, _text(other)]))
    start = same - 10 if same > 30 else 0
    return ("..." if start else "") + _short(text[start:])


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()

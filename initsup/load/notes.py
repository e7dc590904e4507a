"""What a valid manifest asks for that has no effect here, or another effect than in Kubernetes."""

from typing import Any

import msgspec

from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container

from .default import pull_policy
from .findings import Finding
from .support import Effect, Support, table


class Note(msgspec.Struct, frozen=True):
    """One thing to know about a manifest. `path` is a field, or empty for an object that is ignored."""

    path: str
    effect: Effect
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.effect, self.text) if part)


_OF_COURSE = {
    "capabilities", "emptyDir", "image", "limits", "mountPath", "ports", "readOnly", "requests", "resources",
    "runAsGroup", "runAsUser", "terminationMessagePath", "workingDir",
}  # fmt: skip
"""Fields that differ a little for everybody: not worth a line in every manifest, but explained by `explain`."""


def notes(manifest: Manifest) -> list[Note]:
    """Everything that is not as asked: what is done without, what has no effect or differs, what was ignored."""
    found = [Note(one.path, "refused", one.message) for one in done_without(manifest)]
    _collect(found, manifest.pod, "")
    ignored = [Note("", "no effect", f"{what} is ignored") for what in manifest.ignored]
    return found + ignored


def done_without(manifest: Manifest) -> list[Finding]:
    """The promises of isolation and safety that `bestEffort` lets a valid manifest do without."""
    if not manifest.settings.best_effort:
        return []
    from .check import check_pod

    settings = msgspec.structs.replace(manifest.settings, best_effort=False)
    return [
        msgspec.structs.replace(found, hint="")
        for found in check_pod(msgspec.structs.replace(manifest, settings=settings))
    ]


def _collect(found: list[Note], obj: msgspec.Struct, path: str) -> None:
    """The notes on the fields of an object that are not at their default."""
    known = table()[type(obj).__name__]
    for field in msgspec.structs.fields(type(obj)):
        value = getattr(obj, field.name)
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if value == default or _is_filled_in(obj, field.name, value):
            continue
        at = f"{path}.{field.encode_name}".removeprefix(".")
        support = known[field.encode_name]
        if support.effect == "no effect" or (support.effect == "differs" and field.encode_name not in _OF_COURSE):
            found.append(Note(at, support.effect, support.note))
        if support.effect not in ("no effect", "refused"):
            _descend(found, value, at)


def _descend(found: list[Note], value: Any, path: str) -> None:
    if isinstance(value, msgspec.Struct):
        _collect(found, value, path)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _descend(found, item, f"{path}[{index}]")


def _is_filled_in(obj: msgspec.Struct, name: str, value: Any) -> bool:
    """Whether a value is what the defaults say, so that nobody has asked for it."""
    return isinstance(obj, Container) and name == "image_pull_policy" and value == pull_policy(obj.image)


def explain(path: str) -> tuple[Support, type[msgspec.Struct] | None]:
    """What a field such as `spec.containers.livenessProbe` means, and the type of what is in it.

    `supervisor…` leads to the settings. Raises KeyError with the part that does not exist.
    """
    from initsup.spec.pod import Pod
    from initsup.spec.settings import SupervisorConfiguration

    steps = path.replace("[]", "").split(".")
    kind: type[msgspec.Struct] | None = Pod
    support = Support("same", "A group of containers that share their life, on one host.")
    if steps[0].lower() in ("supervisor", "supervisorconfiguration"):
        kind, steps = SupervisorConfiguration, steps[1:]
        support = Support("same", "The settings of initsup: everything that is not Kubernetes' own.")
    elif steps[0].lower() in ("pod", "pods", "po"):
        steps = steps[1:]
    for step in [step for step in steps if step]:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)} if kind else {}
        if kind is None or step not in fields:
            raise KeyError(step)
        support = table()[kind.__name__][step]
        kind = inner_type(fields[step])
    return support, kind


def inner_type(kind: Any) -> type[msgspec.Struct] | None:
    """The type of the objects in a field, through lists, maps and alternatives."""
    from typing import get_args

    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next((found for part in get_args(kind) if (found := inner_type(part)) is not None), None)

"""What a valid ephemeral container is, and what may become of those a pod has.

Source: pkg/apis/core/validation/validation.go (validateEphemeralContainers, ValidatePodEphemeralContainersUpdate). They
are added while the pod runs (KEP-277), so they are looked at then, and not in a manifest.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from initsup.spec.base import wire_name
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, EphemeralContainer, PodSpec

from .check import check_pod
from .check_container import Context, check_container
from .default import with_defaults
from .findings import Findings

PATH = "spec.ephemeralContainers"
_NOT_SET = "cannot be set for an Ephemeral Container"
_BARRED = (
    "ports", "resources", "resize_policy", "restart_policy", "restart_policy_rules", "liveness_probe",
    "readiness_probe", "startup_probe", "lifecycle",
)  # fmt: skip
"""What serves the pod's own work, and has no place here."""


def added(asked: Manifest, wanted: tuple[EphemeralContainer, ...]) -> tuple[list[EphemeralContainer], Findings]:
    """What `wanted`, in the place of what a pod has, adds to it, with defaults; and what is wrong with all of them."""
    old = asked.pod.spec.ephemeral_containers
    spec = replace(asked.pod.spec, ephemeral_containers=wanted)
    changed = with_defaults(replace(asked, pod=replace(asked.pod, spec=spec)))
    wanted = changed.pod.spec.ephemeral_containers
    problems = check_pod(changed, runs=True)
    _check_kept(problems, old, wanted)
    known = {container.name for container in old}
    return [one for one in wanted if one.name not in known], problems


def check_ephemeral(find: Findings, spec: PodSpec, context: Context) -> None:
    """All ephemeral containers of a pod."""
    others = {container.name for container in (*spec.init_containers, *spec.containers)}
    taken = set(others)
    for index, container in enumerate(spec.ephemeral_containers):
        path = f"{PATH}[{index}]"
        check_container(find, path, container, context, taken)
        if container.target_container_name and container.target_container_name not in others:
            find.not_found(f"{path}.targetContainerName", container.target_container_name, "spec.containers")
        _check_barred(find, path, container)


def _check_barred(find: Findings, path: str, container: EphemeralContainer) -> None:
    nothing = Container()
    for field in _BARRED:
        if getattr(container, field) != getattr(nothing, field):
            find.forbidden(f"{path}.{wire_name(field)}", _NOT_SET)
    for index, mount in enumerate(container.volume_mounts):
        for wire, text in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if text:
                find.forbidden(f"{path}.volumeMounts[{index}].{wire}", _NOT_SET)


def _check_kept(find: Findings, old: Iterable[EphemeralContainer], new: Iterable[EphemeralContainer]) -> None:
    """Those that a pod has can neither be changed nor taken away."""
    found = {container.name: container for container in new}
    for container in old:
        if container.name not in found:
            find.forbidden(PATH, f'existing ephemeral containers "{container.name}" may not be removed\n')
        elif found[container.name] != container:
            find.forbidden(PATH, f'existing ephemeral containers "{container.name}" may not be changed\n')

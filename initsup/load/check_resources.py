"""What valid requests and limits are (core validation: ValidateContainerResourceRequirements, validatePodResources)."""

from initsup.spec.pod import Container, PodSpec, ResourceClaim, ResourceRequirements
from initsup.spec.units import NANO, format_nanos, format_quantity, nanos

from . import names
from .check_env import NOT_A_QUANTITY
from .default import aggregate_requests
from .findings import Findings

_STANDARD = ("cpu", "memory", "ephemeral-storage")
_POD_LEVEL = ("cpu", "memory")


def check_resources(
    find: Findings, path: str, resources: ResourceRequirements, claims: frozenset[str], is_pod: bool = False
) -> None:
    """Requests and limits of a container, or of a pod as a whole."""
    limits = _check_list(find, f"{path}.limits", resources.limits, is_pod)
    requests = _check_list(find, f"{path}.requests", resources.requests, is_pod)
    for name, request in requests.items():
        text = format_quantity(resources.requests[name])
        overcommit = ("/" not in name or "kubernetes.io/" in name) and not name.startswith("hugepages-")
        limit = limits.get(name)
        if limit is None:
            if not overcommit and name not in resources.limits:
                find.required(f"{path}.limits", "Limit must be set for non overcommitable resources")
            continue
        words = f"{name} limit of {format_quantity(resources.limits[name])}"
        if request != limit and not overcommit:
            find.invalid(f"{path}.requests", text, f"must be equal to {words}", f"{path}.requests[{name}]")
        elif request > limit:
            find.invalid(f"{path}.requests", text, f"must be less than or equal to {words}", f"{path}.requests[{name}]")
    given = {*resources.limits, *resources.requests}
    if any(name.startswith("hugepages-") for name in given) and not given & {"cpu", "memory"}:
        find.forbidden(path, "HugePages require cpu or memory")
    _check_claims(find, f"{path}.claims", resources.claims, claims)


def check_overhead(find: Findings, overhead: dict[str, str]) -> None:
    """What the pod takes beside its containers; no effect here."""
    _check_list(find, "spec.overhead", overhead, is_pod=False)


def _check_list(find: Findings, path: str, quantities: dict[str, str], is_pod: bool) -> dict[str, int]:
    """Names and quantities; gives the valid ones in billionths."""
    found = {}
    for name, text in quantities.items():
        at = f"{path}[{name}]"
        _check_name(find, at, name, is_pod)
        try:
            number = nanos(text)
        except ValueError:
            find.invalid(at, text, NOT_A_QUANTITY)
            continue
        if number < 0:
            find.invalid(at, format_quantity(text), names.NOT_NEGATIVE)
            continue
        if "/" in name and "kubernetes.io/" not in name and number % NANO:
            find.invalid(at, format_quantity(text), "must be an integer")
        if name.startswith("hugepages-") and not _are_whole_pages(name, number):
            shown = format_quantity(text)
            find.invalid(at, shown, f"{shown} is not positive integer multiple of {name}")
        found[name] = number
    return found


def _are_whole_pages(name: str, number: int) -> bool:
    """Whether so many billionths of bytes are pages of the size that the resource's name ends in."""
    size = _number(name.removeprefix("hugepages-"), 0)
    return size > 0 and size % NANO == 0 and number % size == 0


def _check_name(find: Findings, path: str, name: str, is_pod: bool) -> None:
    broken = names.qualified(name)
    find.each_invalid(path, name, broken)
    if broken:
        return
    if is_pod:
        if name not in _POD_LEVEL and not name.startswith("hugepages-"):
            find.unsupported(path, name, (*_POD_LEVEL, "hugepages-"))
    elif "/" not in name:
        if name not in _STANDARD and not name.startswith("hugepages-"):
            find.invalid(path, name, "must be a standard resource for containers")
    elif "kubernetes.io/" not in name and (name.startswith("requests.") or names.qualified(f"requests.{name}")):
        find.invalid(path, name, "doesn't follow extended resource name standard")


def _check_claims(find: Findings, path: str, claims: tuple[ResourceClaim, ...], known: frozenset[str]) -> None:
    taken = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        if not claim.name:
            find.required(at)
            continue
        if claim.name in taken:
            find.duplicate(at, claim.name)
        taken.add(claim.name)
        if claim.name not in known:
            find.not_found(at, claim.name, "spec.resourceClaims", "must be one of the names in pod.spec.resourceClaims")


def check_pod_resources(find: Findings, spec: PodSpec, resources: ResourceRequirements, claims: frozenset[str]) -> None:
    """The pod's own limits, and that the containers fit into them (KEP-2837)."""
    path = "spec.resources"
    if resources.claims:
        find.forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    check_resources(find, path, resources, claims, is_pod=True)
    for name, (needed, notation) in aggregate_requests(spec).items():
        if name not in resources.requests:
            continue
        text = resources.requests[name]
        if _number(text, needed) < needed:
            detail = "must be greater than or equal to aggregate container requests of"
            find.invalid(
                f"{path}.requests[{name}]", format_quantity(text), f"{detail} {format_nanos(needed, notation)}"
            )
    for index, container in enumerate(spec.containers):
        for name, text in container.resources.limits.items():
            most = resources.limits.get(name)
            if most is not None and _number(text, 0) > _number(most, _number(text, 0)):
                detail = f"must be less than or equal to pod limits of {format_quantity(most)}"
                at = f"spec.containers[{index}].resources.limits[{name}]"
                find.invalid(f"{path}.containers[{index}][{name}].limits", format_quantity(text), detail, at)


def _number(text: str, otherwise: int) -> int:
    """A quantity in billionths; one that is none has its own error already."""
    try:
        return nanos(text)
    except ValueError:
        return otherwise


def check_resize_policy(find: Findings, path: str, container: Container, restart_policy: str) -> None:
    """What a change of resources may do to the container. Kubernetes gives the path of the list."""
    at = f"{path}.resizePolicy"
    taken = set()
    for index, policy in enumerate(container.resize_policy):
        item = f"{at}[{index}]"
        if policy.resource_name in taken:
            find.duplicate(item, policy.resource_name)
        taken.add(policy.resource_name)
        if not policy.resource_name:
            find.required(at)
        elif policy.resource_name not in ("cpu", "memory"):
            find.unsupported(at, policy.resource_name, ("cpu", "memory"), at=item)
        if not policy.restart_policy:
            find.required(at)
        elif policy.restart_policy not in ("NotRequired", "RestartContainer"):
            find.unsupported(at, policy.restart_policy, ("NotRequired", "RestartContainer"), at=item)
        elif policy.restart_policy == "RestartContainer":
            if restart_policy == "Never" and container.restart_policy is None:
                find.invalid(at, policy.restart_policy, "must be 'NotRequired' when `restartPolicy` is 'Never'", item)
            elif path.startswith("spec.initContainers") and container.restart_policy != "Always":
                find.invalid(at, policy.restart_policy, "must be 'NotRequired' for non-sidecar init containers", item)

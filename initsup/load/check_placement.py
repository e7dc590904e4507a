"""What valid affinities and spread constraints are (core validation: validateAffinity,
validateTopologySpreadConstraints; apimachinery: ValidateLabelSelector). Imported when a pod has any.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from initsup.spec.base import Base
from initsup.spec.placement import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    SelectorRequirement,
    TopologySpreadConstraint,
)

from . import names
from .check import check_labels
from .findings import Finding, Findings

T = TypeVar("T", bound=Base)

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_POLICIES = ("Honor", "Ignore")
_NOT_POSITIVE = "must be greater than zero"
_UNKNOWN = "Object contains unknown field `"
"""How msgspec begins to tell of one."""


def check_affinity(find: Findings, given: dict[str, Any]) -> None:
    """What draws the pod somewhere."""
    path = "spec.affinity"
    affinity = _typed(find, path, given, Affinity)
    if affinity is None:
        return
    if affinity.node_affinity is not None:
        _check_node_affinity(find, f"{path}.nodeAffinity", affinity.node_affinity)
    for field, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is not None:
            _check_pod_affinity(find, f"{path}.{field}", pods)


def check_spreading(find: Findings, given: Sequence[dict[str, Any]]) -> None:
    """How the pod and its like are spread."""
    constraints: dict[str, TopologySpreadConstraint] = {}
    for index, body in enumerate(given):
        path = f"spec.topologySpreadConstraints[{index}]"
        constraint = _typed(find, path, body, TopologySpreadConstraint)
        if constraint is not None:
            constraints[path] = constraint
    last = {_pair(one): path for path, one in constraints.items()}
    for path, one in constraints.items():
        _check_spread(find, path, one)
        if path != last[_pair(one)]:
            find.duplicate(f"{path}.{{topologyKey, whenUnsatisfiable}}", "{{{}, {}}}".format(*_pair(one)))


def _pair(constraint: TopologySpreadConstraint) -> tuple[str, str]:
    """What no two of them may have in common."""
    return constraint.topology_key, constraint.when_unsatisfiable


def _typed(find: Findings, path: str, given: dict[str, Any], kind: type[T]) -> T | None:
    """What was written as an object; None, and a finding, where it cannot be one."""
    try:
        return msgspec.convert(_without_nulls(given), kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        at, unknown = path + place.removesuffix("`"), message.removeprefix(_UNKNOWN)
        find.append(Finding(at, message) if unknown == message else Finding(f"{at}.{unknown[:-1]}", "unknown field"))
        return None


def _without_nulls(given: Any) -> Any:
    """Null is "not set"."""
    if isinstance(given, dict):
        return {name: _without_nulls(inner) for name, inner in given.items() if inner is not None}
    return [_without_nulls(one) for one in given] if isinstance(given, list) else given


def _check_node_affinity(find: Findings, path: str, affinity: NodeAffinity) -> None:
    required = affinity.required_during_scheduling_ignored_during_execution
    if required is not None:
        at = f"{path}.{REQUIRED}.nodeSelectorTerms"
        if not required.node_selector_terms:
            find.required(at, "must have at least one node selector term")
        for index, term in enumerate(required.node_selector_terms):
            _check_node_term(find, f"{at}[{index}]", term)
    for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        at = f"{path}.{PREFERRED}[{index}]"
        _check_weight(find, at, preferred.weight)
        _check_node_term(find, f"{at}.preference", preferred.preference)


def _check_node_term(find: Findings, path: str, term: NodeSelectorTerm) -> None:
    for index, requirement in enumerate(term.match_expressions):
        _check_requirement(find, f"{path}.matchExpressions[{index}]", requirement, of_node=True)
    for index, requirement in enumerate(term.match_fields):
        _check_node_field(find, f"{path}.matchFields[{index}]", requirement)


def _check_requirement(find: Findings, path: str, requirement: SelectorRequirement, of_node: bool = False) -> None:
    match requirement.operator:
        case "In" | "NotIn":
            if not requirement.values:
                find.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if requirement.values:
                find.forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        case "Gt" | "Lt" if of_node:
            if len(requirement.values) != 1:
                find.required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        case _:
            find.invalid(f"{path}.operator", requirement.operator, "not a valid selector operator")
    find.each_invalid(f"{path}.key", requirement.key, names.qualified(requirement.key))
    for index, text in enumerate(requirement.values):
        find.each_invalid(f"{path}.values[{index}]", text, names.label_value(text))


def _check_node_field(find: Findings, path: str, requirement: SelectorRequirement) -> None:
    if requirement.operator not in ("In", "NotIn"):
        find.invalid(f"{path}.operator", requirement.operator, "not a valid selector operator")
    elif len(requirement.values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        find.required(f"{path}.values", detail)
    if requirement.key != "metadata.name":
        find.invalid(f"{path}.key", requirement.key, "not a valid field selector key")
        return
    for index, text in enumerate(requirement.values):
        find.each_invalid(f"{path}.values[{index}]", text, names.subdomain(text))


def _check_pod_affinity(find: Findings, path: str, affinity: PodAffinity) -> None:
    for index, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        _check_pod_term(find, f"{path}.{REQUIRED}[{index}]", term)
    for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        at = f"{path}.{PREFERRED}[{index}]"
        _check_weight(find, at, preferred.weight)
        _check_pod_term(find, f"{at}.podAffinityTerm", preferred.pod_affinity_term)


def _check_pod_term(find: Findings, path: str, term: PodAffinityTerm) -> None:
    _check_selector(find, f"{path}.labelSelector", term.label_selector)
    _check_selector(find, f"{path}.namespaceSelector", term.namespace_selector)
    for index, name in enumerate(term.namespaces):
        find.each_invalid(f"{path}.namespace", name, names.label(name), f"{path}.namespaces[{index}]")
    if not term.topology_key:
        find.required(f"{path}.topologyKey", "can not be empty")
    find.each_invalid(f"{path}.topologyKey", term.topology_key, names.qualified(term.topology_key))


def _check_selector(find: Findings, path: str, selector: LabelSelector | None) -> None:
    if selector is None:
        return
    check_labels(find, f"{path}.matchLabels", selector.match_labels)
    for index, requirement in enumerate(selector.match_expressions):
        _check_requirement(find, f"{path}.matchExpressions[{index}]", requirement)


def _check_weight(find: Findings, path: str, weight: int) -> None:
    if not 1 <= weight <= 100:
        find.invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _check_spread(find: Findings, path: str, constraint: TopologySpreadConstraint) -> None:
    if constraint.max_skew <= 0:
        find.invalid(f"{path}.maxSkew", constraint.max_skew, _NOT_POSITIVE)
    if not constraint.topology_key:
        find.required(f"{path}.topologyKey", "can not be empty")
    action, domains = constraint.when_unsatisfiable, constraint.min_domains
    if action not in _ACTIONS:
        find.unsupported(f"{path}.whenUnsatisfiable", action, _ACTIONS)
    if domains is not None and domains <= 0:
        find.invalid(f"{path}.minDomains", domains, _NOT_POSITIVE)
    if domains is not None and action != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        find.invalid(f"{path}.minDomains", domains, detail)
    for field, policy in (
        ("nodeAffinityPolicy", constraint.node_affinity_policy),
        ("nodeTaintsPolicy", constraint.node_taints_policy),
    ):
        if policy is not None and policy not in _POLICIES:
            find.unsupported(f"{path}.{field}", policy, _POLICIES)
    _check_selector(find, f"{path}.labelSelector", constraint.label_selector)
    if constraint.match_label_keys and constraint.label_selector is None:
        find.forbidden(f"{path}.matchLabelKeys", "must not be specified when labelSelector is not set")
    for index, key in enumerate(constraint.match_label_keys):
        find.each_invalid(f"{path}.matchLabelKeys[{index}]", key, names.qualified(key))

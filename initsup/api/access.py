"""Who am I, and what may I: authentication.k8s.io and authorization.k8s.io. Whoever gets here may do all there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from initsup.api.body import object_of, part
from initsup.api.catalog import RESOURCES, find
from initsup.api.exchange import Answer, Request, reply
from initsup.api.failure import no_route, not_allowed

if TYPE_CHECKING:
    from initsup.api.cluster import Target
    from initsup.api.store import Store

_PATHS = ("/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi", "/readyz", "/version")


async def answer(store: Store, target: Target, request: Request) -> Answer:
    """Answer a review. Raises Failure."""
    if target.name or target.sub:
        raise no_route()
    if request.method != "POST":
        raise not_allowed()
    spec = part(object_of(request), "spec")
    tree: dict[str, Any] = {"apiVersion": f"{target.group}/{target.version}", "metadata": {"creationTimestamp": None}}
    if target.resource == "selfsubjectreviews":
        user = {"username": request.user, "groups": ["system:masters", "system:authenticated"]}
        return reply({"kind": "SelfSubjectReview", **tree, "status": {"userInfo": user}}, 201)
    if target.resource == "selfsubjectrulesreviews":
        return reply({"kind": "SelfSubjectRulesReview", **tree, "spec": {}, "status": _rules()}, 201)
    allowed = _allowed(part(spec, "resourceAttributes"), part(spec, "nonResourceAttributes"))
    status = {"allowed": allowed} if allowed else {"allowed": False, "reason": "it is not served here"}
    return reply({"kind": "SelfSubjectAccessReview", **tree, "spec": spec, "status": status}, 201)


def _allowed(resource: dict[str, Any], path: dict[str, Any]) -> bool:
    """Whether there is a route for it."""
    if path:
        return path.get("verb") in ("get", "head", "*") and str(path.get("path", "")).startswith(_PATHS)
    verb, group, name = (resource.get(key) or "" for key in ("verb", "group", "resource"))
    if verb == "*" and name == "*":
        return True
    found = find(group, name)
    if found is None:
        return False
    verbs = found.verbs
    if sub := resource.get("subresource"):
        verbs = next((one.verbs for one in found.subs if one.name == sub), ())
    return verb in verbs or verb == "*"


def _rules() -> dict[str, Any]:
    all_of = [(group, one) for (group, _), found in RESOURCES.items() for one in found]
    rules = [{"verbs": list(one.verbs), "apiGroups": [group], "resources": [one.name]} for group, one in all_of]
    rules += [
        {"verbs": list(sub.verbs), "apiGroups": [group], "resources": [f"{one.name}/{sub.name}"]}
        for group, one in all_of
        for sub in one.subs
    ]
    return {
        "resourceRules": rules,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": list(_PATHS)}],
        "incomplete": False,
    }

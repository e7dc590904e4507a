"""What is served, told to clients: /version, /api, /apis, in the plain and in the aggregated form.

Sources: apimachinery/pkg/apis/meta/v1 (APIResource), k8s.io/api/apidiscovery/v2.
"""

from __future__ import annotations

from typing import Any

import msgspec

from initsup.api.exchange import JSON, Reply, Request, reply
from initsup.api.failure import no_route
from initsup.api.negotiate import accepted
from initsup.api.surroundings import VERSION, architecture

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "delete", "patch", "update")


class Sub(msgspec.Struct, frozen=True):
    """A subresource, the kind that it takes, and its verbs."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = "v1"


class Resource(msgspec.Struct, frozen=True):
    """One resource."""

    name: str
    singular: str
    kind: str
    verbs: tuple[str, ...] = _READ
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subs: tuple[Sub, ...] = ()


_POD_SUBS = (
    Sub("attach", "PodAttachOptions", ("create", "get")),
    Sub("ephemeralcontainers", "Pod", ("get", "patch", "update")),
    Sub("eviction", "Eviction", ("create",), "policy"),
    Sub("exec", "PodExecOptions", ("create", "get")),
    Sub("log", "Pod", ("get",)),
    Sub("portforward", "PodPortForwardOptions", ("create", "get")),
    Sub("status", "Pod", ("get",)),
)

RESOURCES: dict[tuple[str, str], tuple[Resource, ...]] = {
    ("", "v1"): (
        Resource("configmaps", "configmap", "ConfigMap", _WRITE, short=("cm",)),
        Resource("events", "event", "Event", short=("ev",)),
        Resource("namespaces", "namespace", "Namespace", namespaced=False, short=("ns",)),
        Resource("nodes", "node", "Node", namespaced=False, short=("no",)),
        Resource(
            "pods", "pod", "Pod", _WRITE,
            short=("po",), categories=("all",), subs=_POD_SUBS,
        ),
        Resource("secrets", "secret", "Secret", _WRITE),
        Resource("services", "service", "Service", short=("svc",)),
    ),
    ("authentication.k8s.io", "v1"): (
        Resource("selfsubjectreviews", "selfsubjectreview", "SelfSubjectReview", ("create",), namespaced=False),
    ),
    ("authorization.k8s.io", "v1"): (
        Resource(
            "selfsubjectaccessreviews", "selfsubjectaccessreview", "SelfSubjectAccessReview", ("create",),
            namespaced=False,
        ),
        Resource(
            "selfsubjectrulesreviews", "selfsubjectrulesreview", "SelfSubjectRulesReview", ("create",),
            namespaced=False,
        ),
    ),
    ("coordination.k8s.io", "v1"): (Resource("leases", "lease", "Lease", ("get", "list")),),
    ("events.k8s.io", "v1"): (Resource("events", "event", "Event", short=("ev",)),),
    ("metrics.k8s.io", "v1beta1"): (
        Resource("nodes", "", "NodeMetrics", ("get", "list"), namespaced=False),
        Resource("pods", "", "PodMetrics", ("get", "list")),
    ),
}  # fmt: skip
"""Group and version → its resources."""


def find(group: str, resource: str) -> Resource | None:
    """A resource of a group."""
    found = (one for (of, _), many in RESOURCES.items() if of == group for one in many)
    return next((one for one in found if one.name == resource), None)


def version() -> Reply:
    """The level of the API, in the form of /version."""
    from initsup import __version__

    major, minor, _ = VERSION.lstrip("v").split(".")
    return reply(
        {
            "major": major,
            "minor": minor,
            "gitVersion": f"{VERSION}+initsup.{__version__}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": f"linux/{architecture()}",
        }
    )


def core(request: Request) -> Reply:
    """/api."""
    if _wants_aggregated(request):
        return _aggregated([""])
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": request.header("host")}]
    return reply({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses})


def groups(request: Request) -> Reply:
    """/apis."""
    names = [group for group, _ in RESOURCES if group]
    if _wants_aggregated(request):
        return _aggregated(names)
    return reply({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in names]})


def group(name: str) -> Reply:
    """/apis/GROUP. Raises Failure."""
    if name not in {of for of, _ in RESOURCES if of}:
        raise no_route()
    return reply({"kind": "APIGroup", "apiVersion": "v1", **_group(name)})


def resources(group_name: str, version_name: str) -> Reply:
    """/api/v1 and /apis/GROUP/VERSION. Raises Failure."""
    found = RESOURCES.get((group_name, version_name))
    if found is None:
        raise no_route()
    listed: list[dict[str, Any]] = []
    for one in found:
        listed.append(_plain(one))
        listed += [_plain_sub(one, sub) for sub in one.subs]
    name = f"{group_name}/{version_name}" if group_name else version_name
    return reply({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed})


def _wants_aggregated(request: Request) -> bool:
    return any(
        name == JSON and words.get("as") == "APIGroupDiscoveryList" and words.get("v") == "v2"
        for name, words in accepted(request)
    )


def _group(name: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{of}/{v}", "version": v} for of, v in RESOURCES if of == name]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _plain(one: Resource) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "name": one.name,
        "singularName": one.singular,
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": list(one.verbs),
    }
    if one.short:
        tree["shortNames"] = list(one.short)
    if one.categories:
        tree["categories"] = list(one.categories)
    return tree


def _plain_sub(one: Resource, sub: Sub) -> dict[str, Any]:
    tree = {"name": f"{one.name}/{sub.name}", "singularName": "", "namespaced": one.namespaced}
    if sub.group:
        tree |= {"group": sub.group, "version": sub.version}
    return {**tree, "kind": sub.kind, "verbs": list(sub.verbs)}


def _aggregated(names: list[str]) -> Reply:
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": v,
                    "freshness": "Current",
                    "resources": [_discovered(of, v, one) for one in RESOURCES[of, v]],
                }
                for of, v in RESOURCES
                if of == name
            ],
        }
        for name in names
    ]
    tree = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }
    return reply(tree, content_type=AGGREGATED)


def _discovered(group_name: str, version_name: str, one: Resource) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "resource": one.name,
        "responseKind": {"group": group_name, "version": version_name, "kind": one.kind},
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": list(one.verbs),
    }
    if one.short:
        tree["shortNames"] = list(one.short)
    if one.categories:
        tree["categories"] = list(one.categories)
    if one.subs:
        tree["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
                "verbs": list(sub.verbs),
            }
            for sub in one.subs
        ]
    return tree

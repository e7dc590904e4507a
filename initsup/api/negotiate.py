"""In which form an answer is wanted (Accept), and objects and lists in that form."""

from __future__ import annotations

from typing import Any

from initsup.api.exchange import JSON, Reply, Request, reply
from initsup.api.failure import Failure
from initsup.api.tables import metadata_only, table

Object = dict[str, Any]

KINDS = {
    "pods": "Pod",
    "events": "Event",
    "nodes": "Node",
    "namespaces": "Namespace",
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "services": "Service",
    "leases": "Lease",
    "pods.metrics.k8s.io": "PodMetrics",
    "nodes.metrics.k8s.io": "NodeMetrics",
}
_VERSIONS = {
    "leases": "coordination.k8s.io/v1",
    "pods.metrics.k8s.io": "metrics.k8s.io/v1beta1",
    "nodes.metrics.k8s.io": "metrics.k8s.io/v1beta1",
}
"""Of all others it is v1."""


class Form:
    """`shape` is object, table or metadata; `include` says what a table's rows carry."""

    __slots__ = ("include", "shape")

    def __init__(self, shape: str, include: str) -> None:
        self.shape = shape
        self.include = include

    def list(self, resource: str, objects: list[Object], meta: Object) -> Object:
        """A list of objects with its metadata."""
        if self.shape == "table":
            return table(resource, objects, self.include, meta)
        if self.shape == "metadata":
            items = [metadata_only(one) for one in objects]
            version_of = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
            return {**version_of, "metadata": meta, "items": items}
        kind, version = KINDS[resource], _VERSIONS.get(resource, "v1")
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": meta, "items": objects}

    def one(self, resource: str, found: Object) -> Object:
        """One object."""
        if self.shape == "table":
            return table(resource, [found], self.include, _version_of(found))
        return metadata_only(found) if self.shape == "metadata" else found

    def event(self, resource: str, found: Object, first: bool) -> Object:
        """The object of a watch event; only the first table tells its columns."""
        if self.shape == "table":
            return table(resource, [found], self.include, _version_of(found), defined=first)
        return self.one(resource, found)


def _version_of(found: Object) -> Object:
    return {"resourceVersion": found["metadata"].get("resourceVersion", "")}


def accepted(request: Request) -> list[tuple[str, dict[str, str]]]:
    """What the client takes, best first: media types with their parameters."""
    found = []
    for part in request.header("accept").split(","):
        name, *parameters = [word.strip() for word in part.split(";")]
        pairs = (word.partition("=") for word in parameters)
        if name:
            found.append((name.lower(), {key.strip(): value.strip() for key, _, value in pairs}))
    return found


def form(request: Request) -> Form:
    """The form that the client wants. Raises Failure when we have none that it takes."""
    wanted = accepted(request)
    include = request.first("includeObject") or "Metadata"
    for name, parameters in wanted:
        if name == JSON and parameters.get("g", "meta.k8s.io") == "meta.k8s.io":
            if parameters.get("as") == "Table" and parameters.get("v") in ("v1", "v1beta1", None):
                return Form("table", include)
            if parameters.get("as", "").startswith("PartialObjectMetadata"):
                return Form("metadata", include)
            if "as" not in parameters:
                return Form("object", include)
        if name in ("*/*", "application/*"):
            return Form("object", include)
    if wanted:
        kinds = "application/json, application/json;as=Table;v=v1;g=meta.k8s.io"
        raise Failure(406, f"only the following media types are accepted: {kinds}")
    return Form("object", include)


def list_reply(request: Request, resource: str, objects: list[Object], meta: Object) -> Reply:
    """A list, with its metadata, in the form that is wanted."""
    return reply(form(request).list(resource, objects, meta))


def one_reply(request: Request, resource: str, found: Object, code: int = 200) -> Reply:
    """An object in the form that is wanted."""
    return reply(form(request).one(resource, found), code)

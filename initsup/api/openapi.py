"""/openapi/v2 and /openapi/v3: what is served, for `kubectl explain`, and for apply, which looks there before it sends.

Made from the catalog and from our own types when it is first asked for; the words are those of `initsup explain`.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from initsup.api.catalog import RESOURCES
from initsup.api.exchange import JSON, Answer, Reply, Request, encode, reply
from initsup.api.failure import no_route
from initsup.api.negotiate import accepted
from initsup.api.openapi_paths import beside, paths
from initsup.api.openapi_schemas import schemas

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_ASKED_FOR = ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF)
"""How clients ask for it (the first is Kubernetes' old name, which is no valid media type)."""


def answer(words: list[str], request: Request) -> Answer:
    """/openapi/v2, /openapi/v3, /openapi/v3/api/v1, /openapi/v3/apis/GROUP/VERSION. Raises Failure."""
    if words == ["v3"]:
        places = {_place(*one): f"/openapi/v3/{_place(*one)}?hash={_hash(document(*one))}" for one in RESOURCES}
        return reply({"paths": {place: {"serverRelativeURL": url} for place, url in places.items()}})
    if words == ["v2"]:
        if any(name in _ASKED_FOR for name, _ in accepted(request)):
            from initsup.api.openapi_protobuf import encoded

            return _known(request, encoded(), PROTOBUF)
        return _known(request, old_document(), JSON)
    found = next((one for one in RESOURCES if ["v3", *_place(*one).split("/")] == words), None)
    if found is None:
        raise no_route()
    return _known(request, document(*found), JSON)


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _known(request: Request, data: bytes, kind: str) -> Reply:
    tag = f'"{_hash(data)}"'
    if request.header("if-none-match") == tag:
        return Reply(b"", 304, headers=(("ETag", tag),))
    return Reply(data, content_type=kind, headers=(("ETag", tag), ("Vary", "Accept")))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32].upper()


@cache
def document(group: str, version: str) -> bytes:
    """The OpenAPI 3.0 document of one group in one version."""
    tree = {
        "openapi": "3.0.0",
        "info": _info(),
        "paths": paths(group, version),
        "components": {"schemas": schemas()},
    }
    return encode(tree)


@cache
def old_document() -> bytes:
    """The OpenAPI 2.0 document of all that is served, in JSON."""
    return encode(old_tree())


def old_tree() -> dict[str, Any]:
    """The OpenAPI 2.0 document as builtins."""
    from initsup.api.openapi_old import as_old

    every = {path: item for one in RESOURCES for path, item in paths(*one).items()} | beside()
    return {"swagger": "2.0", "info": _info(), "paths": as_old(every), "definitions": as_old(schemas())}


def _info() -> dict[str, str]:
    from initsup import __version__

    return {"title": "initsup", "version": __version__}

"""What lists and watches are asked with (meta/v1 ListOptions), and lists part by part.

Sources: apimachinery/pkg/apis/meta/internalversion/validation, apiserver/pkg/storage (continue.go, interfaces.go).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from initsup.api.exchange import Request
from initsup.api.failure import bad_request, invalid, unsupported
from initsup.api.selectors import Selection
from initsup.api.store import Store

Object = dict[str, Any]

_NEWER, _EXACT = "NotOlderThan", "Exact"
_Place = tuple[str, str]
"""Namespace and name: the order of lists."""


class Listed(msgspec.Struct, frozen=True):
    """A list or a part of one, and its metadata."""

    objects: list[Object]
    meta: Object


class _Token(msgspec.Struct, frozen=True):
    """Where a list goes on: `rv` is the version that it shows, `start` the last place that has been told."""

    rv: int
    start: _Place


def check_options(request: Request) -> None:
    """Refuse options that contradict each other. Raises Failure."""
    match, continued = request.first("resourceVersionMatch"), bool(request.first("continue"))
    if request.flag("watch"):
        problems = _problems_of_watch(match, continued, asked="sendInitialEvents" in request.query)
    else:
        problems = _problems_of_list(match, continued, request)
    if problems:
        raise invalid("ListOptions.meta.k8s.io", "", *problems)


def listed(store: Store, resource: str, selection: Selection, request: Request) -> Listed:
    """What is asked for, in the order of places. Raises Failure."""
    check_options(request)
    version, limit = request.number("resourceVersion") or 0, request.number("limit") or 0
    store.check(version)
    token = _token(request.first("continue"))
    if token and version:
        raise bad_request("specifying resource version is not allowed when using continue")
    if token:
        version, objects = token.rv, store.at(resource, token.rv)
    elif request.first("resourceVersionMatch") == _EXACT:
        objects = store.at(resource, version)
    else:
        objects = store.all(resource)
        version = store.version
    start = token.start if token else ("", "")
    found = sorted((one for one in objects if selection(one) and _place(one) > start), key=_place)
    meta: Object = {"resourceVersion": str(version)}
    if 0 < limit < len(found):
        meta["continue"] = _told(_Token(version, _place(found[limit - 1])))
        if not (request.first("labelSelector") or request.first("fieldSelector")):
            meta["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return Listed(found, meta)


def _problems_of_list(match: str, continued: bool, request: Request) -> list[tuple[str, str, str]]:
    version, problems = request.first("resourceVersion"), []
    if match and not version:
        problems.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if match and continued:
        problems.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    if match not in ("", _NEWER, _EXACT):
        problems.append(unsupported("resourceVersionMatch", match, (_EXACT, _NEWER, "")))
    if match == _EXACT and version == "0":
        problems.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in request.query:
        problems.append(_forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"))
    return problems


def _problems_of_watch(match: str, continued: bool, *, asked: bool) -> list[tuple[str, str, str]]:
    problems = []
    if asked and match != _NEWER:
        problems.append(_forbidden(f"sendInitialEvents requires setting resourceVersionMatch to {_NEWER}"))
    if match and not asked:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        problems.append(_forbidden(why))
    if match not in ("", _NEWER):
        problems.append(unsupported("resourceVersionMatch", match, (_NEWER,)))
    if match and continued:
        problems.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    return problems


def _forbidden(why: str, field: str = "resourceVersionMatch") -> tuple[str, str, str]:
    return field, "FieldValueForbidden", f"Forbidden: {why}"


def _place(one: Object) -> _Place:
    meta = one["metadata"]
    return meta.get("namespace") or "", meta["name"]


def _told(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _token(text: str) -> _Token | None:
    if not text:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        return msgspec.json.decode(data, type=_Token)
    except (binascii.Error, ValueError):
        raise bad_request("continue key is not valid") from None

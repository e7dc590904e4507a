"""What changes of all objects have in common: what is asked for, whether it is meant for this object, and its form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from initsup.api import patch
from initsup.api.applying import Managers
from initsup.api.body import check_depth, decoded, object_of, part
from initsup.api.exchange import JSON, Request
from initsup.api.failure import Failure, bad_request, conflict, invalid, unsupported
from initsup.api.negotiate import KINDS
from initsup.load import names
from initsup.load.findings import Finding
from initsup.spec.base import Base

Object = dict[str, Any]
B = TypeVar("B", bound=Base)

_REASONS = {
    "Required value": "FieldValueRequired",
    "Duplicate value": "FieldValueDuplicate",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
    "Not found": "FieldValueNotFound",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
}
MOST_UNKNOWN = 100
"""Unknown fields that are told apart."""
_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Asked(msgspec.Struct, frozen=True):
    """An object as a client wants it to be; `done` is to be called when it has become so."""

    before: Object
    after: Object
    document: Object
    manager: str
    applied: bool

    def done(self, managers: Managers) -> None:
        """Remember whose fields are whose."""
        if self.applied:
            managers.note_applied(self.document, self.manager)
        else:
            managers.note_changed(self.before, self.after, self.manager)


def asked(resource: str, before: Object, request: Request, managers: Managers) -> Asked:
    """What a PUT or a PATCH asks for. Raises Failure, also when another object is meant."""
    is_apply = applies(request)
    if request.method == "PUT":
        document = after = object_of(request)
    elif is_apply:
        document = _applied(request)
        after = managers.applied(before, document, manager(request), force=request.flag("force"))
    else:
        document = decoded(request)
        after = _patched(before, document, request)
    check_depth(after)
    _check_same(resource, before, after)
    return Asked(before, after, document if isinstance(document, dict) else {}, manager(request), is_apply)


def manager(request: Request) -> str:
    """Who changes an object, as server-side apply calls it."""
    return request.first("fieldManager") or request.header("user-agent").partition("/")[0] or "unknown"


_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_KNOWN = {"dryRun": ("All",), "fieldValidation": ("Ignore", "Strict", "Warn")}


def check_options(request: Request) -> None:
    """Refuse what a change cannot be asked with (apimachinery/pkg/apis/meta/v1/validation). Raises Failure."""
    for field, known in _KNOWN.items():
        for word in request.query.get(field, ()):
            if word and word not in known:
                kind = f"{_OPTIONS.get(request.method, 'Options')}.meta.k8s.io"
                raise invalid(kind, "", unsupported(field, word, known))


def applies(request: Request) -> bool:
    """Whether this is a server-side apply."""
    return request.method == "PATCH" and _kind(request) in patch.APPLY


def creation(name: str, request: Request) -> Request:
    """The POST that an apply of an object which is not there comes to. Raises Failure."""
    document = _applied(request)
    meta = part(document, "metadata")
    if meta.get("name") not in (None, "", name):
        raise bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL")
    body = msgspec.json.encode({**document, "metadata": {**meta, "name": name}})
    return msgspec.structs.replace(request, method="POST", body=body, headers={**request.headers, "content-type": JSON})


def _kind(request: Request) -> str:
    return request.header("content-type").partition(";")[0].strip().lower()


def _applied(request: Request) -> Object:
    if not request.first("fieldManager"):
        message = "Required value: is required for apply patch"
        raise invalid("PatchOptions.meta.k8s.io", "", ("fieldManager", "FieldValueRequired", message))
    document: Object = decoded(request)
    return document


def _patched(before: Object, document: Any, request: Request) -> Object:
    if request.flag("force"):
        message = "Forbidden: may not be specified for non-apply patch"
        raise invalid("PatchOptions.meta.k8s.io", "", ("force", "FieldValueForbidden", message))
    return patch.patched(before, _kind(request) or JSON, document)


def _check_same(resource: str, before: Object, after: Object) -> None:
    """An object is changed by one who means this one, as it is now."""
    meta, new = before["metadata"], after.get("metadata")
    name = meta["name"]
    if after.get("kind") not in (None, "", KINDS[resource]):
        raise bad_request(f"the object is a {after['kind']}, where a {KINDS[resource]} is expected")
    if not isinstance(new, dict) or not isinstance(after.get("spec", {}), dict):
        raise bad_request("the object must have metadata, and an object as its spec")
    for field in ("name", "namespace"):
        if new.get(field) not in (None, "", meta.get(field)):
            raise bad_request(f"the {field} of the object ({new[field]}) does not match the {field} on the URL")
    if new.get("uid") not in (None, "", meta["uid"]):
        why = f"Precondition failed: UID in precondition: {new['uid']}, in object meta: {meta['uid']}"
        raise conflict(resource, name, why)
    if new.get("resourceVersion") not in (None, "", meta["resourceVersion"]):
        raise conflict(resource, name, _MODIFIED)


def check_preconditions(resource: str, before: Object, options: Object) -> None:
    """An object is deleted by one who means this one (meta/v1 DeleteOptions). Raises Failure."""
    meta, wanted = before["metadata"], part(options, "preconditions")
    for field, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) not in (None, "", meta[field]):
            why = f"Precondition failed: {name} in precondition: {wanted[field]}, in object meta: {meta[field]}"
            raise conflict(resource, meta["name"], why)


def read(kind: type[B], tree: Object, request: Request) -> B:
    """An object from JSON. Of an unknown field the client is warned, unless it wants to ignore it; it is an error when
    the client asked to be strict. Raises Failure.
    """
    left = msgspec.json.decode(msgspec.json.encode({key: value for key, value in tree.items() if key != "status"}))
    unknown: list[str] = []
    while True:
        try:
            found = msgspec.convert(left, kind)
            break
        except msgspec.ValidationError as problem:
            path = _unknown(left, str(problem))
            if path is None:
                name = kind.__name__
                raise bad_request(f'{name} in version "v1" cannot be handled as a {name}: {problem}') from None
            unknown.append(path)
            if len(unknown) > MOST_UNKNOWN:  # each of them costs another reading
                raise bad_request(f"more than {MOST_UNKNOWN} fields are not known, the first is {unknown[0]}") from None
    told = [f'unknown field "{path}"' for path in unknown]
    if told and request.first("fieldValidation") == "Strict":
        raise bad_request("strict decoding error: " + ", ".join(told))
    if request.first("fieldValidation") != "Ignore":
        request.warnings.extend(told)
    return found


def _unknown(tree: Object, problem: str) -> str | None:
    """Take the unknown field that the problem tells of out of the tree; its path, None when it is another problem."""
    found = re.fullmatch(r"Object contains unknown field `([^`]+)`(?: - at `\$([^`]*)`)?", problem)
    if found is None:
        return None
    at: Any = tree
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", found[2] or ""):
        if index == "...":
            return None
        at = at[name] if name else at[int(index)]
    del at[found[1]]
    return ".".join(filter(None, (re.sub(r"^\.", "", found[2] or ""), found[1])))


def words(kind: str, name: str, meta: Object, field: str) -> dict[str, str]:
    """Labels or annotations. Raises Failure when they are none."""
    found = meta.get(field) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise bad_request(f"metadata.{field} must have words as values")
    for key, value in found.items():
        of_key = names.qualified(key if field == "labels" else key.lower())
        problems = of_key or (names.label_value(value) if field == "labels" else ())
        if problems:
            shown = msgspec.json.encode(key if of_key else value).decode()
            message = f"Invalid value: {shown}: {problems[0]}"
            raise invalid(kind, name, (f"metadata.{field}", "FieldValueInvalid", message))
    return dict(found)


def not_valid(kind: str, name: str, problems: Iterable[Finding]) -> Failure:
    """What to answer when an object would not be valid."""
    told = (
        (one.path, _REASONS.get(one.message.partition(":")[0], "FieldValueInvalid"), one.message) for one in problems
    )
    return invalid(kind, name, *told)

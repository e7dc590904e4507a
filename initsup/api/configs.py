"""What clients do to ConfigMaps and Secrets; the pod's volumes show it, and what waits for one that is missing goes on.

Source: pkg/registry/core/configmap, pkg/registry/core/secret.
"""

from __future__ import annotations

import base64
from typing import Any

from msgspec.structs import replace

from initsup.api.body import object_of, part
from initsup.api.changing import Asked, asked, check_preconditions, manager, not_valid, read, words
from initsup.api.exchange import Reply, Request, reply
from initsup.api.failure import bad_request, exists, forbidden, invalid, not_found
from initsup.api.negotiate import KINDS, one_reply
from initsup.api.store import Store
from initsup.api.surroundings import namespace
from initsup.load.check_config import check_config_map, check_secret
from initsup.spec.manifest import ConfigMap, Manifest, Secret

Object = dict[str, Any]
Held = ConfigMap | Secret
_KEEPS = {"configmaps": "config_maps", "secrets": "secrets"}
"""Resource → where a manifest has them."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def create(store: Store, resource: str, space: str, request: Request, *, applied: bool = False) -> Reply:
    """POST; `applied`: by one who applies. Raises Failure."""
    if store.get("namespaces", space) is None:
        raise not_found("namespaces", space)
    wanted = object_of(request)
    meta = part(wanted, "metadata")
    if wanted.get("kind") not in (None, KINDS[resource]):
        raise bad_request(f"Object 'Kind' must be {KINDS[resource]}, not {wanted.get('kind')}")
    if meta.get("namespace") not in (None, "", space):
        raise bad_request("the namespace of the object does not match the namespace of the request")
    name = str(meta.get("name") or "") or _made_up(str(meta.get("generateName") or ""))
    if space != namespace(store.engine):
        own = namespace(store.engine)
        raise forbidden(resource, name, f'initsup keeps what its pod can refer to, and that is in namespace "{own}"')
    created = store.engine.clock(store.engine.now())
    meta = {**meta, "name": name, "namespace": space, "creationTimestamp": created}
    one = _read(resource, {**wanted, "metadata": meta}, request)
    if store.get(resource, name) is not None:
        raise exists(resource, name)
    if not request.first("dryRun"):
        _keep(store, resource, name, one)
        Asked({}, wanted, wanted, manager(request), applied).done(store.managers(resource, name))
    return one_reply(request, resource, store.get(resource, name) or {**wanted, "metadata": meta}, 201)


def update(store: Store, resource: str, name: str, request: Request) -> Reply:
    """PUT and PATCH. Raises Failure."""
    before = store.get(resource, name)
    assert before is not None
    managers = store.managers(resource, name)
    change = asked(resource, before, request, managers)
    own = _kept(store.engine.plan.asked, resource)[name]
    meta = {**change.after["metadata"], "name": name}
    one = _read(resource, {**change.after, "metadata": meta}, request)
    one = replace(one, metadata=replace(own.metadata, labels=one.metadata.labels, annotations=one.metadata.annotations))
    _check_immutable(KINDS[resource], own, one)
    if request.first("dryRun"):
        return one_reply(request, resource, {**before, **change.after})
    change.done(managers)
    if one != own:
        _keep(store, resource, name, one)
    return one_reply(request, resource, store.get(resource, name) or before)


def delete(store: Store, resource: str, name: str, request: Request) -> Reply:
    """DELETE: a pod that has it goes on with what it has. Raises Failure."""
    before = store.get(resource, name)
    assert before is not None
    options = object_of(request)
    check_preconditions(resource, before, options)
    if not (options.get("dryRun") or request.first("dryRun")):
        _keep(store, resource, name, None)
    details = {"name": name, "kind": resource, "uid": before["metadata"]["uid"]}
    return reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})


def _read(resource: str, tree: Object, request: Request) -> Held:
    """The object, when it is a valid one. Raises Failure."""
    kind = KINDS[resource]
    name = tree["metadata"]["name"]
    for field in ("labels", "annotations"):
        words(kind, name, tree["metadata"], field)
    one: Held
    if resource == "configmaps":
        one = read(ConfigMap, tree, request)
        problems = check_config_map(one)
    else:
        one = read(Secret, _merged(tree), request)
        problems = check_secret(one)
    if problems:
        raise not_valid(kind, name, problems)
    return one


def _merged(tree: Object) -> Object:
    """A Secret with its `stringData` where it belongs."""
    plain = part(tree, "stringData")
    if not all(isinstance(text, str) for text in plain.values()):
        raise bad_request("stringData must have words as values")
    data = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    rest = {key: value for key, value in tree.items() if key != "stringData"}
    return {**rest, "data": {**(part(tree, "data")), **data}} if data else rest


def _check_immutable(kind: str, old: Held, new: Held) -> None:
    fixed: list[tuple[str, str, str]] = []
    if isinstance(old, Secret) and isinstance(new, Secret) and old.type != new.type:
        fixed.append(("type", "FieldValueInvalid", f'Invalid value: "{new.type}": field is immutable'))
    if old.immutable:
        fields = [("data", old.data != new.data), ("immutable", not new.immutable)]
        if isinstance(old, ConfigMap) and isinstance(new, ConfigMap):
            fields.append(("binaryData", old.binary_data != new.binary_data))
        message = "Forbidden: field is immutable when `immutable` is set"
        fixed += [(field, "FieldValueForbidden", message) for field, changed in fields if changed]
    if fixed:
        raise invalid(kind, new.metadata.name, *fixed)


def _kept(manifest: Manifest, resource: str) -> dict[str, Held]:
    found: dict[str, Held] = getattr(manifest, _KEEPS[resource])
    return found


def _keep(store: Store, resource: str, name: str, one: Held | None) -> None:
    """Have it as this one from now on; None: have it no more."""
    manifest = store.engine.plan.asked
    kept = {key: value for key, value in _kept(manifest, resource).items() if key != name}
    if one is not None:
        kept[name] = one
    store.engine.take_over(replace(manifest, **{_KEEPS[resource]: kept}))
    store.refresh()


def _made_up(prefix: str) -> str:
    import secrets

    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(5)) if prefix else ""

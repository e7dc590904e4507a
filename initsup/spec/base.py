"""The one base of all objects that are read or printed, and how they become plain builtins.

Python attributes are snake_case, the wire has Kubernetes' own names. A default on a field is Kubernetes' static
default, so that readers of an object never meet a hole where Kubernetes would have a value. Names and other required
fields default to a zero value: `load.check` then says `Required value` with the path, as Kubernetes does.

The module is on the start-up path: annotations here are real objects (msgspec then need not evaluate strings).
"""

from functools import cache
from types import UnionType
from typing import Annotated, Any, dataclass_transform, get_args, get_origin

import msgspec

# Words that Kubernetes does not write in camel case: podIP, hostIPs, containerID, downwardAPI, setHostnameAsFQDN, …
_ACRONYMS = {
    "ip": "IP", "ips": "IPs", "id": "ID", "pid": "PID", "ipc": "IPC", "api": "API", "fqdn": "FQDN", "io": "IO",
    "ca": "CA",
}  # fmt: skip

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Quantity = Annotated[str, msgspec.Meta(extra={"unit": "quantity"})]
"""A quantity as text (`500m`, `64Mi`); files may also have a plain number. `units.value` and others give its value."""


def wire_name(attribute: str) -> str:
    """The name of an attribute on the wire: `pod_ip` → `podIP`, `http_get` → `httpGet`, `from_` → `from`."""
    if "_" not in attribute:
        return attribute
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join([_ACRONYMS.get(word) or word.capitalize() for word in rest])


@dataclass_transform(frozen_default=True, kw_only_default=True)  # tells type checkers what each subclass inherits
class Base(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename=wire_name,
    gc=False,  # what comes out of a file is a tree, so no cycle can need the collector
):
    """Frozen, keyword only, unknown fields are errors."""

    SHOWN = tuple[str, ...]()  # an annotation would be evaluated by msgspec for each of the subclasses
    """Wire names of fields that Kubernetes prints even when they are empty, zero or null."""


def to_dict(obj: Base, *, defaults: bool) -> dict[str, Any]:
    """`obj` as builtins under Kubernetes' names.

    With `defaults` false: the shortest form that reads back as an equal object. With `defaults` true: what
    `kubectl get -o json` shows, which is that plus each default that is not empty or zero, plus the fields that
    Kubernetes always prints. Empty objects such as `emptyDir: {}` are kept by both.
    """
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(obj))  # unlike to_builtins this gives lists
    if defaults:
        _show(tree, _plan(type(obj)))
        return tree
    for name in ("kind", "apiVersion"):
        if name not in tree and (value := getattr(obj, "api_version" if name == "apiVersion" else name, None)):
            tree = {name: value, **tree}
    return tree


class _Plan(msgspec.Struct):
    """What to add to the builtins of one Struct type, and where further Structs may sit in it."""

    shown: list[tuple[str, Any]] = []
    one: list[tuple[str, type[msgspec.Struct]]] = []
    many: list[tuple[str, type[msgspec.Struct]]] = []
    by_key: list[tuple[str, type[msgspec.Struct]]] = []


@cache
def _plan(cls: type[msgspec.Struct]) -> _Plan:
    """Made when the first object of its type is met: of most of the types that a pod may have it has none."""
    plan = _Plan(shown=[], one=[], many=[], by_key=[])
    always = getattr(cls, "SHOWN", ())
    for field in msgspec.structs.fields(cls):
        name = field.encode_name
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        plain = msgspec.json.decode(msgspec.json.encode(default))
        if name in always or plain or (isinstance(default, msgspec.Struct) and default == type(default)()):
            plan.shown.append((name, plain))
        for kind, inner in _structs_in(field.type):
            getattr(plan, kind).append((name, inner))
    return plan


def _structs_in(kind: Any) -> list[tuple[str, type[msgspec.Struct]]]:
    """The Struct types that a field may hold, each with how it holds them."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [("one", kind)]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return [found for part in inner for found in _structs_in(part)]
    if origin is tuple:
        return [("many", cls) for _, cls in _structs_in(inner[0])]
    if origin is dict:
        return [("by_key", cls) for _, cls in _structs_in(inner[1])]
    return []


def _show(tree: dict[str, Any], plan: _Plan) -> None:
    """Add what the plan says to `tree`, in place."""
    for name, value in plan.shown:
        if name not in tree:
            tree[name] = value.copy() if isinstance(value, (dict, list)) else value
    for name, inner in plan.one:
        if name in tree and tree[name] is not None:
            _show(tree[name], _plan(inner))
    for name, inner in plan.many:
        for item in tree.get(name, ()):
            _show(item, _plan(inner))
    for name, inner in plan.by_key:
        for item in tree.get(name, {}).values():
            _show(item, _plan(inner))

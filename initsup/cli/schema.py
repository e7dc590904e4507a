"""`initsup schema`: the JSON Schema of manifests, for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"
_REQUIRED = {
    "Pod": ["apiVersion", "kind", "metadata", "spec"],
    "PodSpec": ["containers"],
    "Container": ["name"],
    "EnvVar": ["name"],
    "Volume": ["name"],
    "VolumeMount": ["name", "mountPath"],
    "ContainerPort": ["containerPort"],
}
"""What Kubernetes insists on; in our types each field has a default, so that `check` can name all that is missing."""


def arguments(parser: Parser) -> None:
    """The options of `schema`."""
    parser.examples("""
# For manifests in YAML and JSON
initsup schema > pod.schema.json

# For manifests in TOML
initsup schema toml > initsup.schema.json
""")
    parser.add_argument(
        "form", nargs="?", choices=("yaml", "toml"), default="yaml", metavar="FORM", help="yaml (default) or toml"
    )


def schema(args: Namespace) -> int:
    """Print the schema."""
    print(json.dumps(toml_schema() if args.form == "toml" else yaml_schema(), indent=2, ensure_ascii=False))
    return 0


def yaml_schema() -> dict[str, Any]:
    """The schema of one document: a Pod, what belongs to it, or a workload, whose other fields are not looked at."""
    from initsup.load.workload import WORKLOADS

    defs = _components()
    kinds = ("Pod", "ConfigMap", "Secret", "SupervisorConfiguration")
    for kind in kinds:
        known = defs[kind]["properties"]["kind"]
        defs[kind]["properties"]["kind"] = {"const": kind, "description": known.get("description", "")}
    defs["Secret"]["properties"]["stringData"] = {"type": "object", "additionalProperties": {"type": "string"}}
    defs["Pod"]["properties"]["status"] = {"description": "Ignored."}
    others = {"type": "object", "properties": {"kind": {"enum": [*WORKLOADS]}}, "required": ["kind"]}
    return {
        "$schema": _DRAFT,
        "title": "Manifest of initsup",
        "oneOf": [*({"$ref": _REF.format(name=kind)} for kind in kinds), others],
        "$defs": defs,
    }


def toml_schema() -> dict[str, Any]:
    """The schema of the TOML form: the pod's spec, with metadata, settings, ConfigMaps and Secrets beside it."""
    defs = _components()
    env = defs["Container"]["properties"]["env"]
    table = {"type": "object", "additionalProperties": {"type": "string"}}
    defs["Container"]["properties"]["env"] = {"anyOf": [table, env], "description": env.get("description", "")}
    top = defs.pop("PodSpec")
    top["properties"] = {
        "metadata": {"$ref": _REF.format(name="ObjectMeta")},
        **top["properties"],
        "supervisor": {"$ref": _REF.format(name="SupervisorConfiguration")},
        "configMaps": {"type": "object", "additionalProperties": {"type": "object"}},
        "secrets": {"type": "object", "additionalProperties": {"type": "object"}},
    }
    for name in ("Pod", "ConfigMap", "Secret"):
        del defs[name]
    return {"$schema": _DRAFT, **top, "title": "Manifest of initsup, in TOML", "$defs": defs}


def _components() -> dict[str, Any]:
    """The schemas of all types, by name, with the meaning of each field."""
    import msgspec

    from initsup.load.support import table
    from initsup.spec.manifest import ConfigMap, Secret
    from initsup.spec.pod import Pod
    from initsup.spec.settings import SupervisorConfiguration

    kinds = [Pod, ConfigMap, Secret, SupervisorConfiguration]
    defs: dict[str, Any] = msgspec.json.schema_components(kinds, ref_template=_REF)[1]
    known = table()
    for name, one in defs.items():
        if name in _REQUIRED:
            one["required"] = _REQUIRED[name]
        for field, support in known.get(name, {}).items():
            note = f" ({support.effect} here: {support.note})" if support.effect != "same" else ""
            one["properties"][field]["description"] = support.meaning + note
    _drop_empty_defaults(defs)
    for root in kinds:
        for name, kind in _structs(root, {}).items():
            _allow_units(kind, defs[name]["properties"])
    return defs


def _drop_empty_defaults(tree: Any) -> None:
    """A default that is empty tells a reader nothing."""
    if isinstance(tree, dict):
        if tree.get("default", "some") in (None, "", [], (), {}, 0):
            del tree["default"]
        for value in tree.values():
            _drop_empty_defaults(value)
    elif isinstance(tree, list):
        for value in tree:
            _drop_empty_defaults(value)


def _structs(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """A Struct type and all that are in it, by name."""
    import msgspec

    from initsup.load.notes import inner_type

    found[kind.__name__] = kind
    for field in msgspec.structs.fields(kind):
        inner = inner_type(field.type)
        if inner is not None and inner.__name__ not in found:
            _structs(inner, found)
    return found


def _allow_units(kind: Any, properties: dict[str, Any]) -> None:
    """Durations, sizes and quantities are `1m30s`, `10Mi` or plain numbers in files."""
    from typing import get_args

    import msgspec

    from initsup.cli.explain import unit_of

    either = ["string", "number"]
    for field in msgspec.structs.fields(kind):
        one = properties[field.encode_name]
        inside = [part for part in get_args(field.type) if unit_of(part)]
        if unit_of(field.type) or (inside and "anyOf" in one):
            one.pop("default", None)
            one.pop("anyOf", None)
            one["type"] = either
        elif inside:
            one["additionalProperties"] = {"type": either}

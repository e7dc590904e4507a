"""A manifest → text that reads back as the same manifest."""

import copy
from typing import Any, Literal, get_args

import msgspec

from initsup.spec.base import to_dict
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.settings import SupervisorConfiguration
from initsup.spec.units import format_duration, format_quantity, parse_duration

Form = Literal["toml", "yaml", "json"]


def write(manifest: Manifest, form: Form) -> str:
    """The manifest in a form. Give it one from `read`: `load` has filled in defaults and made up a uid."""
    if form == "toml":
        return _toml(manifest)
    return yaml_of(documents(manifest)) if form == "yaml" else _json(documents(manifest))


def documents(manifest: Manifest) -> list[dict[str, Any]]:
    """The manifest as Kubernetes' objects."""
    found = [_object(manifest.pod)]
    found += [_object(config_map) for config_map in manifest.config_maps.values()]
    found += [_secret(secret) for secret in manifest.secrets.values()]
    settings = _settings(manifest.settings)
    if settings:
        found.append({"apiVersion": manifest.settings.api_version, "kind": manifest.settings.kind, **settings})
    return found


def _object(obj: Any) -> dict[str, Any]:
    tree = to_dict(obj, defaults=False)
    return {"apiVersion": tree.pop("apiVersion"), "kind": tree.pop("kind"), **tree}


def _secret(secret: Secret) -> dict[str, Any]:
    """A Secret whose values are readable if they are text."""
    tree = _object(secret)
    texts = {key: text for key, value in secret.data.items() if (text := _as_text(value)) is not None}
    data = {key: value for key, value in tree.pop("data", {}).items() if key not in texts}
    return {**tree, **({"data": data} if data else {}), **({"stringData": texts} if texts else {})}


def _as_text(value: bytes) -> str | None:
    """Bytes as text, if every form can hold it."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t" for char in text) else None


def _settings(settings: SupervisorConfiguration) -> dict[str, Any]:
    """The settings that are not at their default, with units."""
    tree = to_dict(settings, defaults=False)
    _add_units(tree, SupervisorConfiguration)
    for key in ("apiVersion", "kind"):
        tree.pop(key, None)
    return {key: value for key, value in tree.items() if value != {}}


def _add_units(tree: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in tree:
            continue
        value = tree[field.encode_name]
        metas = [part for part in get_args(field.type) if isinstance(part, msgspec.Meta)]
        unit = (metas[0].extra or {}).get("unit") if metas else None
        if unit == "duration" and parse_duration(format_duration(value)) == value:
            tree[field.encode_name] = format_duration(value)
        elif unit == "size":
            tree[field.encode_name] = format_quantity(f"{value // 1024}Ki" if value % 1024 == 0 else str(value))
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            _add_units(value, field.type)


# -- JSON and YAML ---------------------------------------------------------------------------------------------------


def _json(objects: list[dict[str, Any]]) -> str:
    tree = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": objects}
    return msgspec.json.format(msgspec.json.encode(tree), indent=2).decode() + "\n"


def yaml_of(objects: list[dict[str, Any]]) -> str:
    """Objects as YAML documents."""
    import yaml

    from .yaml_form import plain

    class Dumper(yaml.SafeDumper):
        """Quotes what our own reader would not take for a string, and writes texts of several lines as blocks."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent(dumper: Any, text: str) -> Any:
        rows = text.split("\n")
        style: str | None = "'"
        if not all(row.replace("\t", "").isprintable() for row in rows):
            style = '"'
        elif len(rows) > 1 and all(row == row.rstrip() for row in rows):
            style = "|"
        elif text and text != "<<":
            try:
                style = None if plain(text) == text else "'"
            except OverflowError:
                pass
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return str(
        yaml.dump_all(
            objects, Dumper=Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=2**30
        )
    )


# -- TOML ------------------------------------------------------------------------------------------------------------


def _toml(manifest: Manifest) -> str:
    import tomli_w

    pod = to_dict(manifest.pod, defaults=False)
    spec = copy.deepcopy(pod.get("spec") or {})
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind, ()):
            _shorten_env(container)
    tree: dict[str, Any] = {"metadata": pod["metadata"], **spec} if pod.get("metadata") else spec
    if settings := _settings(manifest.settings):
        tree["supervisor"] = settings
    for table, objects in (("configMaps", manifest.config_maps), ("secrets", manifest.secrets)):
        if objects:
            tree[table] = {name: _table(obj) for name, obj in objects.items()}
    tree = _without_null(tree)
    has_returns = "\\r" in repr(tree)  # TOML takes a line end of a text of several lines for \n
    return tomli_w.dumps(tree, multiline_strings=not has_returns, indent=2)


def _shorten_env(container: dict[str, Any]) -> None:
    """Variables as a table where each has a value and a name of its own."""
    env = container.get("env") or []
    is_plain = all(set(variable) <= {"name", "value"} and variable.get("name") for variable in env)
    if env and is_plain and len({variable["name"] for variable in env}) == len(env):
        container["env"] = {variable["name"]: variable.get("value", "") for variable in env}


def _table(obj: ConfigMap | Secret) -> dict[str, Any]:
    """A ConfigMap or Secret in its short form if nothing is lost."""
    tree = _object(obj) if isinstance(obj, ConfigMap) else _secret(obj)
    for key in ("apiVersion", "kind"):
        del tree[key]
    if tree["metadata"] == {"name": obj.metadata.name}:
        del tree["metadata"]
    plain = "data" if isinstance(obj, ConfigMap) else "stringData"
    if not tree:
        return {}
    return tree[plain] if set(tree) == {plain} else {plain: {}, **tree}


def _without_null(value: Any) -> Any:
    """TOML has no null; in Kubernetes it means the same as a field that is not there."""
    if isinstance(value, dict):
        return {key: _without_null(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_null(inner) for inner in value]
    return value

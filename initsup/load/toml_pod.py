"""The TOML form of a pod: the pod's spec at the top level, everything else in tables of its own.

    restartPolicy = "Never"
    [metadata]  [[containers]]  [[volumes]] …      Kubernetes' fields
    [supervisor]                                   the settings
    [configMaps.NAME]  [secrets.NAME]              keys and their values, or `data`, `binaryData`, `stringData` tables

`env` may be a table: `env = {PORT = "80"}`.
"""

import os
from typing import Any

from initsup.errors import Problem
from initsup.spec.settings import API_VERSION

from .document import Document

_KINDS = {"configMaps": ("ConfigMap", "data"), "secrets": ("Secret", "stringData")}
_TABLES = ("data", "binaryData", "stringData", "metadata")


def kubernetes_form(document: Document, problems: list[Problem]) -> list[Document]:
    """The pod, its ConfigMaps, Secrets and settings as Kubernetes' own objects. Adds to `problems`."""
    body = dict(document.body)
    for table in ("metadata", "supervisor", *_KINDS):
        if table in body and not isinstance(body[table], dict):
            problems.append(document.problem(table, "must be a table", f"write [{table}]"))
            del body[table]
    found = _other_objects(document, body, problems)
    if found and not body:
        return found  # settings and data for a pod that another file describes
    metadata = {"name": _name_of_file(document.source.file), **body.pop("metadata", {})}
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        if kind in body:
            body[kind] = _with_env_lists(body[kind])
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}
    return [_at(document, pod, ((("spec",), ()),)), *found]


def _other_objects(document: Document, body: dict[str, Any], problems: list[Problem]) -> list[Document]:
    """The settings, ConfigMaps and Secrets, taken out of `body`."""
    found = []
    settings = body.pop("supervisor", None)
    if settings is not None:
        inner = {"apiVersion": API_VERSION, "kind": "SupervisorConfiguration", **settings}
        found.append(_at(document, inner, (((), ("supervisor",)),), "supervisor."))
    for table, (kind, plain) in _KINDS.items():
        for name, content in body.pop(table, {}).items():
            if isinstance(content, dict):
                found.append(_data(document, table, name, kind, plain, content))
            else:
                problems.append(document.problem(f"{table}.{name}", "must be a table", f"write [{table}.{name}]"))
    return found


def _at(document: Document, body: dict[str, Any], moves: Any, prefix: str = "") -> Document:
    return Document(document.source, document.index, body, moves, prefix)


def _data(document: Document, table: str, name: str, kind: str, plain: str, content: dict[str, Any]) -> Document:
    """One ConfigMap or Secret, from its short or its full form."""
    is_full = any(isinstance(content.get(inner), dict) for inner in _TABLES)
    body = content if is_full else {plain: content}
    metadata = body.get("metadata") if isinstance(body.get("metadata"), dict) else {}
    body = {"apiVersion": "v1", "kind": kind, **body, "metadata": {"name": name, **(metadata or {})}}
    inside: tuple[Any, ...] = () if is_full else (plain,)
    return _at(document, body, (((inside), (table, name)),), f"{table}.{name}.")


def _with_env_lists(containers: Any) -> Any:
    """Containers whose `env` is a list, as Kubernetes has it."""
    if not isinstance(containers, list):
        return containers
    return [
        {**container, "env": _env_list(container["env"])}
        if isinstance(container, dict) and isinstance(container.get("env"), dict)
        else container
        for container in containers
    ]


def _env_list(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, **value} if isinstance(value, dict) else {"name": name, "value": value}
        for name, value in table.items()
    ]


def _name_of_file(path: str) -> str:
    """A pod name from the file's own: `My App.toml` → `my-app`."""
    stem = os.path.splitext(os.path.basename(path))[0].lower()
    name = "".join(char if char.isascii() and char.isalnum() else "-" for char in stem).strip("-")
    return name[:63].strip("-") or "pod"

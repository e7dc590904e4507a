"""Files → the manifest that the rest of the program takes as "what was asked".

load = read + defaults + validation
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from initsup.errors import InvalidManifest, Problem
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import Pod
from initsup.spec.settings import API_VERSION, SupervisorConfiguration

from .decode import decode, unknown_field
from .document import Document, malformed
from .source import documents
from .workload import OTHER_KINDS, VERSIONS, WORKLOADS, template

_EXPECTED = "expected a Pod, or a workload such as a Deployment or a Job"


class Reading(msgspec.Struct):
    """A manifest as it was written, and the documents that its parts come from.

    `problems` are about what could not be read; the manifest is what is left.
    """

    manifest: Manifest
    problems: list[Problem]
    pod: Document
    config_maps: dict[str, Document]
    secrets: dict[str, Document]
    settings: Document | None


def load(paths: Sequence[str], overrides: Sequence[str] = ()) -> Manifest:
    """The manifest in these files (`-` is stdin), with all defaults filled in and valid.

    `overrides` are `KEY=VALUE` for the settings. Raises InvalidManifest with every problem that can be found at once.
    """
    return _load(paths, overrides)[1]


def read_valid(paths: Sequence[str]) -> Manifest:
    """The manifest in these files as it was written, as by `read`. Raises InvalidManifest where `load` does."""
    return _load(paths, ())[0]


def _load(paths: Sequence[str], overrides: Sequence[str]) -> tuple[Manifest, Manifest]:
    """The manifest as it was written, and the valid one with all defaults; stdin can be read only once."""
    from .check import check_pod
    from .default import with_defaults

    try:
        reading = _reading(paths, overrides)
        manifest = with_defaults(reading.manifest)
        problems = reading.problems + reading.pod.problems(check_pod(manifest))
        if reading.config_maps or reading.secrets or reading.settings is not None:
            problems += _problems_of_others(reading, manifest)
    except RecursionError:
        raise malformed("nested too deeply") from None
    if problems:
        raise InvalidManifest(_in_order(problems, paths))
    return reading.manifest, manifest


def _problems_of_others(reading: Reading, manifest: Manifest) -> list[Problem]:
    """What is wrong with the objects beside the pod; settings that nobody has given are valid."""
    from .check_config import check_config_map, check_secret, check_settings

    problems: list[Problem] = []
    for name, document in reading.config_maps.items():
        problems += document.problems(check_config_map(manifest.config_maps[name]))
    for name, document in reading.secrets.items():
        problems += document.problems(check_secret(manifest.secrets[name]))
    if reading.settings is not None:
        problems += reading.settings.problems(check_settings(manifest.settings))
    return problems


def read(paths: Sequence[str], overrides: Sequence[str] = ()) -> Manifest:
    """The manifest in these files as it was written: no defaults that depend on something, not validated.

    Raises InvalidManifest when it cannot be read at all.
    """
    try:
        reading = _reading(paths, overrides)
    except RecursionError:
        raise malformed("nested too deeply") from None
    if reading.problems:
        raise InvalidManifest(_in_order(reading.problems, paths))
    return reading.manifest


def located(found: list[Problem], paths: Sequence[str], overrides: Sequence[str] = ()) -> list[Problem]:
    """Problems of the pod that were found elsewhere, each with its line, if the files can be read once more."""
    if "-" in paths:
        return found
    try:
        pod = _reading(paths, overrides).pod
    except InvalidManifest:
        return found
    return _in_order([pod.problem(one.path, one.message, one.hint) for one in found], paths)


def _in_order(problems: list[Problem], paths: Sequence[str]) -> list[Problem]:
    """In the order of the input, each once."""
    order = {path: index for index, path in enumerate(paths)}
    return sorted(dict.fromkeys(problems), key=lambda problem: (order.get(problem.file, -1), problem.line))


def _reading(paths: Sequence[str], overrides: Sequence[str]) -> Reading:
    """Sorts the documents of all files by kind and makes objects of them. Raises InvalidManifest if no pod is left."""
    if not paths:
        raise malformed("no file is given", "name a manifest, or - for stdin")
    problems: list[Problem] = []
    found: list[Document] = []
    for path in paths:
        try:
            found += documents(path, problems)
        except InvalidManifest as error:
            problems += error.problems
    by_kind: dict[str, list[Document]] = {}
    ignored: list[str] = []
    for document in found:
        kind = document.kind
        _check_kind(document, problems)
        if kind in VERSIONS:
            by_kind.setdefault(kind, []).append(document)
        elif kind:
            ignored.append(f"{kind} {document.name}".rstrip())
    pod_document = _pod_document(by_kind, ignored, problems, paths)
    settings, settings_document = _settings(by_kind.get("SupervisorConfiguration", []), tuple(overrides), problems)
    pod = decode(Pod, pod_document, problems) if pod_document is not None else None
    namespace = (pod and pod.metadata.namespace) or "default"
    config_maps, of_config_maps = _objects(ConfigMap, by_kind.get("ConfigMap", []), namespace, ignored, problems)
    secrets, of_secrets = _objects(Secret, by_kind.get("Secret", []), namespace, ignored, problems)
    if pod is None or pod_document is None:
        raise InvalidManifest(_in_order(problems, paths))
    manifest = Manifest(
        pod=pod, config_maps=config_maps, secrets=secrets, settings=settings, ignored=tuple(ignored), source=paths[0]
    )
    return Reading(manifest, problems, pod_document, of_config_maps, of_secrets, settings_document)


def _check_kind(document: Document, problems: list[Problem]) -> None:
    """An object has a kind and a version that fits."""
    kind, version = document.body.get("kind"), document.body.get("apiVersion")
    if not isinstance(kind, str) or not kind:
        problems.append(document.problem("kind", "Required value", _EXPECTED))
        return
    if not isinstance(version, str) or not version:
        wanted = VERSIONS.get(kind)
        problems.append(document.problem("apiVersion", "Required value", f"write {wanted}" if wanted else ""))
    elif kind in VERSIONS and version != VERSIONS[kind]:
        message = f'Unsupported value: "{version}": supported values: "{VERSIONS[kind]}"'
        problems.append(document.problem("apiVersion", message))
    elif kind not in VERSIONS and (
        version == API_VERSION or (version == "v1" and kind.removesuffix("List") not in OTHER_KINDS)
    ):
        problems.append(document.problem("kind", "unknown kind", unknown_field(kind, list(VERSIONS))[1]))


def _pod_document(
    by_kind: dict[str, list[Document]], ignored: list[str], problems: list[Problem], paths: Sequence[str]
) -> Document | None:
    """The one pod of the input."""
    asked = [document for kind in ("Pod", *WORKLOADS) for document in by_kind.get(kind, [])]
    if not asked:
        if not problems:
            rest = f", found only {', '.join(ignored)}" if ignored else ""
            hints = [unknown_field(what.partition(" ")[0], list(VERSIONS))[1] for what in ignored]
            hint = next((hint for hint in hints if hint), _EXPECTED)
            problems.append(Problem(path="", message=f"there is no pod in it{rest}", hint=hint, file=paths[0]))
        return None
    if len(asked) > 1:
        names = ", ".join(f"{document.kind} {document.name}" for document in asked)
        hint = "initsup runs one pod: put each in a file of its own"
        problems.append(asked[1].problem("", f"{len(asked)} pods in one input: {names}", hint))
        return None
    document = asked[0]
    if document.kind != "Pod":
        kind, name = document.kind, document.name
        document, unused = template(document, problems)
        if unused:
            ignored.append(f"{', '.join(unused)} of {kind} {name}")
        return document
    if "status" in document.body:
        ignored.append(f"status of Pod {document.name}")
        document.body = {key: inner for key, inner in document.body.items() if key != "status"}
    return document


def _settings(
    found: list[Document], overrides: tuple[str, ...], problems: list[Problem]
) -> tuple[SupervisorConfiguration, Document | None]:
    """The settings of the input with the overrides laid over them."""
    problems += [second.problem("", "more than one SupervisorConfiguration", "keep one") for second in found[1:]]
    document = found[0] if found else None
    if overrides:
        from .override import keys, overridden

        document = document or _of_overrides()
        try:
            body = overridden(document.body, overrides)
            document = msgspec.structs.replace(document, body=body, overrides=keys(overrides))
        except InvalidManifest as error:
            problems += error.problems
    if document is None:
        return SupervisorConfiguration(), None
    settings = decode(SupervisorConfiguration, document, problems)
    return settings or SupervisorConfiguration(), document


def _of_overrides() -> Document:
    """What problems of settings belong to that no file has."""
    from .document import Source

    return Document(Source("--set", list), 0, {})


def _objects(
    kind: Any, found: list[Document], namespace: str, ignored: list[str], problems: list[Problem]
) -> tuple[dict[str, Any], dict[str, Document]]:
    """The ConfigMaps or Secrets of the pod's namespace, by name. Without a namespace they are in the pod's."""
    objects: dict[str, Any] = {}
    sources: dict[str, Document] = {}
    for document in found:
        if kind is Secret:
            document = _with_string_data(document, problems)
        decoded = decode(kind, document, problems)
        if decoded is None:
            continue
        name, place = decoded.metadata.name, decoded.metadata.namespace or namespace
        if place != namespace:
            ignored.append(f"{document.kind} {name}, which is in the namespace {place} and the pod in {namespace}")
        elif name in objects:
            problems.append(document.problem("metadata.name", f'Duplicate value: "{name}"'))
        else:
            objects[name] = decoded
            sources[name] = document
    return objects, sources


def _with_string_data(document: Document, problems: list[Problem]) -> Document:
    """A Secret whose `stringData` has become part of `data`."""
    strings = document.body.get("stringData")
    if strings is None:
        return document
    body = {key: inner for key, inner in document.body.items() if key != "stringData"}
    data = body.get("data") or {}
    if not isinstance(strings, dict) or not isinstance(data, dict):
        problems.append(document.problem("stringData", "must be an object"))
        return msgspec.structs.replace(document, body=body)
    from binascii import b2a_base64

    merged = dict(data)
    moves = tuple((("data", key), document.outside(("stringData", key))) for key in strings)
    for key, text in strings.items():
        if isinstance(text, str):
            merged[key] = b2a_base64(text.encode(), newline=False).decode()
        elif text is None:
            merged[key] = ""
        else:
            problems.append(document.problem(f"stringData[{key}]", "must be a string", "put it in quotes"))
    return msgspec.structs.replace(document, body={**body, "data": merged}, moves=moves + document.moves)

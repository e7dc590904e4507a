"""What the files of configMap, secret, downwardAPI and projected volumes hold.

Sources: pkg/volume/{configmap,secret,downwardapi,projected}. There is no API server here that could issue service
account tokens; `initsup.node.token` says what stands in for them.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Mapping

import msgspec

from initsup.node.failures import CannotMount
from initsup.node.fields import Context, FieldError, metadata_field, resource_field
from initsup.node.token import Token, issue
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from initsup.spec.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)

TOKEN_MODE = 0o600


class File(msgspec.Struct, frozen=True):
    """One file of a volume; `owner` is a uid, None: initsup's own."""

    data: bytes
    mode: int
    owner: int | None = None


Payload = dict[str, File]
"""Path within the volume → file."""


class Missing(Exception):
    """Something that a volume refers to is not there; the message is kubelet's."""


class Contents:
    """Makes the payloads of one pod's volumes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.tokens: dict[tuple[str, str], Token] = {}
        """Those that are in use, by volume and path."""

    def of(self, manifest: Manifest, volume: Volume) -> Payload | None:
        """The files that `volume` must hold; None when it is of a kind that others fill. Raises CannotMount."""
        try:
            match volume.source:
                case ConfigMapVolumeSource() as source:
                    files = _config_map(manifest, source, source.default_mode)
                case SecretVolumeSource() as source:
                    files = _secret(manifest, source.secret_name, source, source.default_mode)
                case DownwardAPIVolumeSource() as source:
                    files = self._downward(manifest.pod, source.items, source.default_mode)
                case ProjectedVolumeSource() as source:
                    files = self._projected(manifest, volume.name, source)
                case _:
                    return None
        except Missing as error:
            raise CannotMount(volume.name, str(error)) from None
        for path in files:
            if problem := _problem(path):
                raise CannotMount(volume.name, f"invalid path {path!r}: {problem}")
        return files

    def forget_tokens(self, now: float) -> None:
        """Those that are to be renewed at the wall time `now`: the next payloads have others."""
        self.tokens = {key: token for key, token in self.tokens.items() if token.renew_at > now}

    def _downward(self, pod: Pod, items: tuple[DownwardAPIVolumeFile, ...], default_mode: int) -> Payload:
        files = {}
        problems = []
        for item in items:
            try:
                text = self._field(pod, item)
            except FieldError as error:
                problems.append(str(error))
                continue
            data = text.encode(errors="surrogateescape")
            files[posixpath.normpath(item.path)] = File(data, _mode(item.mode, default_mode))
        _raise_all(problems)
        return files

    def _field(self, pod: Pod, item: DownwardAPIVolumeFile) -> str:
        if item.field_ref is not None:
            return metadata_field(pod, item.field_ref.field_path, self._context)
        if item.resource_field_ref is not None:
            return resource_field(pod, None, item.resource_field_ref, self._context.machine)
        return ""

    def _projected(self, manifest: Manifest, name: str, source: ProjectedVolumeSource) -> Payload:
        files: Payload = {}
        problems = []
        for one in source.sources:
            try:
                files.update(self._projection(manifest, name, one, source.default_mode))
            except Missing as error:
                problems.append(str(error))
        _raise_all(problems)
        return files

    def _projection(self, manifest: Manifest, name: str, one: VolumeProjection, mode: int) -> Payload:
        if one.secret is not None:
            return _secret(manifest, one.secret.name, one.secret, mode)
        if one.config_map is not None:
            return _config_map(manifest, one.config_map, mode)
        if one.downward_api is not None:
            return self._downward(manifest.pod, one.downward_api.items, mode)
        if one.service_account_token is not None:
            return self._token(manifest.pod, name, one.service_account_token, mode)
        for kind, value in (("clusterTrustBundle", one.cluster_trust_bundle), ("podCertificate", one.pod_certificate)):
            if value is not None and not value.get("optional"):
                raise Missing(f"{kind} comes from a cluster, and there is none here")
        return {}

    def _token(self, pod: Pod, name: str, token: ServiceAccountTokenProjection, mode: int) -> Payload:
        key = (name, token.path)
        if key not in self.tokens:
            self.tokens[key] = issue(pod, token, time.time())
        owner = _only_user(pod)
        if owner is not None or pod.spec.security_context.fs_group is not None:
            mode = TOKEN_MODE
        return {posixpath.normpath(token.path): File(self.tokens[key].data, mode, owner)}


def _config_map(manifest: Manifest, source: ConfigMapVolumeSource | ConfigMapProjection, default_mode: int) -> Payload:
    found = manifest.config_maps.get(source.name)
    if found is None and not source.optional:
        raise Missing(f'configmap "{source.name}" not found')
    data: dict[str, bytes] = {}
    if found is not None:
        data = {key: text.encode(errors="surrogateescape") for key, text in found.data.items()} | found.binary_data
    return _chosen(data, source.items, default_mode, source.optional, "configmap references non-existent config key: ")


def _secret(manifest: Manifest, name: str, source: SecretVolumeSource | SecretProjection, default_mode: int) -> Payload:
    found = manifest.secrets.get(name)
    if found is None and not source.optional:
        raise Missing(f'secret "{name}" not found')
    data = found.data if found is not None else {}
    return _chosen(data, source.items, default_mode, source.optional, "references non-existent secret key: ")


def _chosen(
    data: Mapping[str, bytes], items: tuple[KeyToPath, ...], default_mode: int, optional: bool | None, missing: str
) -> Payload:
    """All keys under their own names, or the `items` only."""
    if not items:
        return {key: File(value, default_mode) for key, value in data.items()}
    files = {}
    for item in items:
        if item.key in data:
            files[posixpath.normpath(item.path)] = File(data[item.key], _mode(item.mode, default_mode))
        elif not optional:
            raise Missing(missing + item.key)
    return files


def _mode(own: int | None, default: int) -> int:
    return default if own is None else own


def _raise_all(problems: list[str]) -> None:
    """As utilerrors.NewAggregate prints several errors."""
    if problems:
        raise Missing(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _problem(path: str) -> str:
    """What is wrong with a path (util/atomic_writer.go, validatePath)."""
    if not path or path == ".":
        return "must not be empty"
    if path.startswith("/"):
        return "must be a relative path"
    if path.startswith(".."):
        return "must not start with '..'"
    return "must not contain '..'" if ".." in path.split("/") else ""


def _only_user(pod: Pod) -> int | None:
    """The uid that all containers run as, if each says so (pkg/volume/util, FsUserFrom)."""
    users = set()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        own = container.security_context.run_as_user if container.security_context is not None else None
        users.add(pod.spec.security_context.run_as_user if own is None else own)
    return users.pop() if len(users) == 1 else None

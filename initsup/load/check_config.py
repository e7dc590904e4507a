"""What valid ConfigMaps, Secrets and settings are."""

from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.settings import ImageMapping, SupervisorConfiguration, split_address, split_archive

from . import names
from .findings import Findings

_MOST_BYTES = 2**20
_FORMATS = ("auto", "text", "json", "raw", "none")
_MODES = ("auto", "mount", "link")

_MAGIC_AT, _MAGIC_END = 257, 264
"""Where a tar file says that it is one (tar(5))."""
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""How gzip and zstd begin."""

_KEYS_OF_TYPE = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""Keys that a Secret of a type must have (core validation: ValidateSecret)."""


def check_config_map(config_map: ConfigMap) -> Findings:
    """All that is wrong with a ConfigMap."""
    find = Findings()
    _check_name(find, config_map.metadata.name)
    for key in config_map.data:
        find.each_invalid(f"data[{key}]", key, names.config_key(key))
        if key in config_map.binary_data:
            find.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in config_map.binary_data:
        find.each_invalid(f"binaryData[{key}]", key, names.config_key(key))
    size = sum(len(text.encode()) for text in config_map.data.values())
    if size + sum(map(len, config_map.binary_data.values())) > _MOST_BYTES:
        find.too_long("data", _MOST_BYTES)
    return find


def check_secret(secret: Secret) -> Findings:
    """All that is wrong with a Secret."""
    find = Findings()
    _check_name(find, secret.metadata.name)
    for key in secret.data:
        find.each_invalid(f"data[{key}]", key, names.config_key(key))
    if sum(map(len, secret.data.values())) > _MOST_BYTES:
        find.too_long("data", _MOST_BYTES)
    for key in _KEYS_OF_TYPE.get(secret.type, ()):
        if key not in secret.data:
            find.required(f"data[{key}]")
    if secret.type == "kubernetes.io/basic-auth" and not {"username", "password"} & set(secret.data):
        find.required("data[username]")
        find.required("data[password]")
    return find


def _check_name(find: Findings, name: str) -> None:
    if name:
        find.each_invalid("metadata.name", name, names.subdomain(name))
    else:
        find.required("metadata.name", "name or generateName is required")


def check_settings(settings: SupervisorConfiguration) -> Findings:
    """All that is wrong with the settings."""
    find = Findings()
    periods = settings.crash_loop_back_off
    for field, seconds in (("initialPeriod", periods.initial_period), ("maxPeriod", periods.max_period)):
        if not 0 <= seconds < float("inf"):
            find.invalid(f"crashLoopBackOff.{field}", seconds, "must be greater than or equal to 0")
    if periods.max_period < periods.initial_period:
        find.invalid("crashLoopBackOff.maxPeriod", periods.max_period, "must not be less than initialPeriod")
    if settings.container_log_max_size <= 0:
        find.invalid("containerLogMaxSize", settings.container_log_max_size, "must be greater than 0")
    if settings.container_log_max_files < 2:
        find.invalid("containerLogMaxFiles", settings.container_log_max_files, "must be greater than 1")
    if settings.console.format not in _FORMATS:
        find.unsupported("console.format", settings.console.format, _FORMATS, in_order=True)
    if settings.volumes.mode not in _MODES:
        find.unsupported("volumes.mode", settings.volumes.mode, _MODES, in_order=True)
    if settings.listen and split_address(settings.listen) is None:
        find.invalid("listen", settings.listen, "must be an address and a port, such as 127.0.0.1:6443")
    if settings.image_cache and not settings.image_cache.startswith("/"):
        find.invalid("imageCache", settings.image_cache, "must be an absolute path")
    if settings.image_max_size <= 0:
        find.invalid("imageMaxSize", settings.image_max_size, "must be greater than 0")
    if settings.pod_pids_limit != -1 and settings.pod_pids_limit <= 0:
        find.invalid("podPidsLimit", settings.pod_pids_limit, "must be greater than 0, or -1 for no limit")
    for image, mapping in settings.images.items():
        if mapping.rootfs and not mapping.rootfs.startswith("/"):
            find.invalid(f"images[{image}].rootfs", mapping.rootfs, "must be an absolute path")
        if mapping.archive:
            _check_archive(find, f"images[{image}]", mapping)
        for name in mapping.env:
            find.each_invalid(f"images[{image}].env", name, names.env_name(name), f"images[{image}].env[{name}]")
    for index, name in enumerate(settings.inherit_env):
        find.each_invalid(f"inheritEnv[{index}]", name, names.env_name(name))
    return find


def _check_archive(find: Findings, path: str, mapping: ImageMapping) -> None:
    """What can be seen of an archive at a glance; its digests are checked when it is unpacked."""
    place, _ = split_archive(mapping.archive)
    if mapping.rootfs:
        find.forbidden(f"{path}.archive", "may not be set together with rootfs")
    if not place.startswith("/"):
        find.invalid(f"{path}.archive", mapping.archive, "must be an absolute path")
    elif (problem := _archive_problem(place)) is not None:
        find.invalid(f"{path}.archive", mapping.archive, problem)


def _archive_problem(place: str) -> str | None:
    import os

    try:
        if os.path.isdir(place):
            with open(f"{place}/index.json", "rb") as file:
                start = file.read(_MAGIC_END)
            return None if start.lstrip().startswith(b"{") else "its index.json is no JSON object"
        if not os.path.exists(place) or os.path.isfile(place):
            with open(place, "rb") as file:
                start = file.read(_MAGIC_END)
            known = start[_MAGIC_AT:].startswith(b"ustar") or start.startswith(_COMPRESSED)
            return None if known else "is no tar file"
    except FileNotFoundError as error:
        return "there is no such file" if error.filename == place else "is no OCI image layout, it has no index.json"
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    return "is neither a directory nor a file"

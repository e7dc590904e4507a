"""What valid ConfigMaps, Secrets and settings are."""

from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.settings import SupervisorConfiguration

from . import names
from .findings import Findings

_MOST_BYTES = 2**20
_FORMATS = ("auto", "text", "json", "raw", "none")
_MODES = ("auto", "mount", "link")

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
    for image, mapping in settings.images.items():
        if mapping.rootfs and not mapping.rootfs.startswith("/"):
            find.invalid(f"images[{image}].rootfs", mapping.rootfs, "must be an absolute path")
        for name in mapping.env:
            find.each_invalid(f"images[{image}].env", name, names.env_name(name), f"images[{image}].env[{name}]")
    for index, name in enumerate(settings.inherit_env):
        find.each_invalid(f"inheritEnv[{index}]", name, names.env_name(name))
    return find

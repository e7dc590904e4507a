"""The environment and the argument list of a container.

Sources: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), third_party/forked/golang/expansion,
pkg/kubelet/container/helpers.go. There are no Services on one host, so there are no service variables either.

What a container gets, each source winning over those before it:

1. `PATH`, `HOME` (from the user's entry in /etc/passwd), `HOSTNAME` (the pod's), and `TERM=xterm` with `tty`;
2. the variables of initsup's own environment that the settings name in `inheritEnv`, and no others;
3. `env` of the image in the settings;
4. `envFrom`, in its order; 5. `env`, in its order.

As in Kubernetes, `$(NAME)` refers to 4 and 5 only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from initsup.node.beneath import read_beneath
from initsup.node.failures import CannotCreate
from initsup.node.fields import Context, FieldError, pod_field, resource_field
from initsup.node.go_text import quote
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, EnvFromSource, EnvVarSource, EphemeralContainer, FileKeySelector, Pod
from initsup.spec.settings import ImageMapping

if TYPE_CHECKING:
    from initsup.node.volumes import Volumes

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONFIG_ERROR = "CreateContainerConfigError"
HOSTNAME_MAX = 63
Lookup = Callable[[str], ImageMapping | None]
"""What is known about an image of that name. Raises CannotCreate when it should be there and is not."""


# -- $(NAME) ---------------------------------------------------------------------------------------------------------


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replace `$(NAME)` by what `lookup` gives; None leaves it as it is. `$$` is a `$` that starts no reference.

    Values are not expanded again. A `$` before anything else, or at the end, stays.
    """
    if "$" not in text:
        return text
    parts = []
    at = 0
    while (dollar := text.find("$", at)) != -1:
        parts.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        end = text.find(")", dollar) if following == "(" else -1
        if end != -1:
            value = lookup(text[dollar + 2 : end])
            parts.append(text[dollar : end + 1] if value is None else value)
            at = end + 1
        elif following == "(":  # never closed, so nothing behind it can be a reference either, but `$$` still counts
            parts.append("$(")
            at = dollar + 2
        else:
            parts.append("$" if following in ("$", "") else "$" + following)
            at = dollar + 2
    parts.append(text[at:])
    return "".join(parts)


# -- what is declared in the manifest --------------------------------------------------------------------------------


def declared(
    manifest: Manifest, container: Container, context: Context, directories: Volumes | None = None
) -> dict[str, str]:
    """The variables of `envFrom` and `env`. Raises CannotCreate (CreateContainerConfigError) with kubelet's message."""
    found: dict[str, str] = {}
    for source in container.env_from:
        found.update(_all_of(manifest, source))
    for variable in container.env:
        if variable.value:
            value: str | None = expand(variable.value, found.get)
        elif variable.value_from is not None:
            value = _resolve(manifest, container, variable.value_from, context, directories)
        else:
            value = ""
        if value is not None:
            found[variable.name] = value
    return found


def _all_of(manifest: Manifest, source: EnvFromSource) -> dict[str, str]:
    if source.config_map_ref is not None:
        values = _config_map(manifest, source.config_map_ref.name, source.config_map_ref.optional)
    elif source.secret_ref is not None:
        values = _secret(manifest, source.secret_ref.name, source.secret_ref.optional)
    else:
        values = None
    return {source.prefix + key: value for key, value in (values or {}).items()}


def _resolve(
    manifest: Manifest,
    container: Container,
    source: EnvVarSource,
    context: Context,
    directories: Volumes | None,
) -> str | None:
    """The value that a reference gives; None: the variable is not set."""
    pod = manifest.pod
    try:
        if source.field_ref is not None:
            return pod_field(pod, source.field_ref.field_path, context)
        if source.resource_field_ref is not None:
            return resource_field(pod, container, source.resource_field_ref, context.machine)
    except FieldError as error:
        raise CannotCreate(CONFIG_ERROR, str(error)) from None
    if (ref := source.config_map_key_ref) is not None:
        return _key(_config_map(manifest, ref.name, ref.optional), "ConfigMap", ref.name, ref.key, ref.optional, pod)
    if (secret := source.secret_key_ref) is not None:
        values = _secret(manifest, secret.name, secret.optional)
        return _key(values, "Secret", secret.name, secret.key, secret.optional, pod)
    if source.file_key_ref is not None:
        return _from_file(source.file_key_ref, directories)
    return ""


def _config_map(manifest: Manifest, name: str, optional: bool | None) -> dict[str, str] | None:
    """The text data of a ConfigMap; None when it is not there and need not be."""
    if name in manifest.config_maps:
        return manifest.config_maps[name].data
    if optional:
        return None
    raise CannotCreate(CONFIG_ERROR, f'configmap "{name}" not found')


def _secret(manifest: Manifest, name: str, optional: bool | None) -> dict[str, str] | None:
    if name in manifest.secrets:
        # Bytes that are not UTF-8 survive the way through str, as os.environ has them.
        return {key: value.decode(errors="surrogateescape") for key, value in manifest.secrets[name].data.items()}
    if optional:
        return None
    raise CannotCreate(CONFIG_ERROR, f'secret "{name}" not found')


def _key(values: dict[str, str] | None, kind: str, name: str, key: str, optional: bool | None, pod: Pod) -> str | None:
    if values is None or (optional and key not in values):
        return None
    if key not in values:
        namespace = pod.metadata.namespace or "default"
        raise CannotCreate(CONFIG_ERROR, f"couldn't find key {key} in {kind} {namespace}/{name}")
    return values[key]


def _from_file(ref: FileKeySelector, directories: Volumes | None) -> str | None:
    """A variable of a file in a volume. A file that cannot be read is an error even if the key is optional."""
    from initsup.node import env_file

    directory = directories.path(ref.volume_name) if directories is not None else None
    if directory is None:
        raise CannotCreate(CONFIG_ERROR, f"cannot find the volume {quote(ref.volume_name)} referenced by FileKeyRef")
    try:
        value = env_file.find(read_beneath(directory, ref.path).decode(errors="surrogateescape"), ref.key)
    except (OSError, env_file.BadFile):
        raise CannotCreate(CONFIG_ERROR, "couldn't parse env file") from None
    if value or ref.optional:
        return value or None
    # kubelet shows its own path here; the volume's name says more.
    place = quote(f"{ref.volume_name}/{ref.path}")
    raise CannotCreate(CONFIG_ERROR, f"environment variable key {quote(ref.key)} not found in file {place}")


# -- what the process gets -------------------------------------------------------------------------------------------


def complete(
    manifest: Manifest,
    container: Container,
    variables: Mapping[str, str],
    *,
    home: str,
    own: Mapping[str, str],
    image: ImageMapping | None,
) -> dict[str, str]:
    """The whole environment: the declared `variables` over what every container has.

    `home` is the user's home directory, `own` initsup's environment, `image` what is known about the image, if there is
    one. Raises CannotCreate when a variable cannot be handed over at all.
    """
    pod = manifest.pod
    result = {"PATH": PATH, "HOME": home, "HOSTNAME": hostname(pod)}
    if container.tty:
        result["TERM"] = "xterm"
    result.update((name, own[name]) for name in manifest.settings.inherit_env if name in own)
    if image is not None:
        result.update(image.env)
    result.update(variables)
    for name, value in variables.items():
        if "\0" in value or "\0" in name:
            raise CannotCreate("CreateContainerError", f"environment variable {quote(name)} contains a null byte")
    return result


def own_host_name(pod: Pod) -> str:
    """The name that the host has for the pod's containers; "" for its real one: nobody asked for another."""
    named = pod.spec.hostname or pod.spec.hostname_override
    return hostname(pod) if named and not pod.spec.host_network else ""


def hostname(pod: Pod) -> str:
    """The pod's host name: `hostnameOverride`, `hostname` or its own name, at most 63 characters."""
    name = pod.spec.hostname_override or pod.spec.hostname or pod.metadata.name
    return name if len(name) <= HOSTNAME_MAX else name[:HOSTNAME_MAX].rstrip("-.")


def home_directory(uid: int, root: str = "/") -> str:
    """The home directory of a user after `etc/passwd` below `root`; "/" when it is not in there, as runc has it."""
    try:
        if root != "/":
            return _home_in(root, uid)
        status = os.stat("/etc/passwd")
        return _home_on_host(uid, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError:
        return "/"


def _home_in(root: str, uid: int) -> str:
    text = read_beneath(root, "etc/passwd", as_root=True).decode(errors="surrogateescape")
    entries = (line.split(":") for line in text.split("\n"))
    return next((entry[5] or "/" for entry in entries if len(entry) > 5 and entry[2] == str(uid)), "/")


@lru_cache(maxsize=64)
def _home_on_host(uid: int, _state: tuple[int, ...]) -> str:
    """Looked up again only when the file has changed: a thousand containers are started as the same user."""
    return _home_in("/", uid)


# -- what is run -----------------------------------------------------------------------------------------------------


def command(container: Container, image: ImageMapping | None, variables: Mapping[str, str]) -> tuple[str, ...]:
    """The argument list: `command` (else the image's) and `args`, both expanded with the declared `variables`.

    The image's own arguments count only where neither is given. An ephemeral container for which there is nothing to
    run gets a shell: somebody wants to look around. Raises CannotCreate when nothing is left to run.
    """
    first = tuple(expand(text, variables.get) for text in container.command)
    then = tuple(expand(text, variables.get) for text in container.args)
    if image is not None and not first:
        first, then = image.command, then or image.args
    if not first and not then:
        if isinstance(container, EphemeralContainer):
            return (os.environ.get("SHELL") or "/bin/sh",)
        raise CannotCreate("CreateContainerError", "no command specified")
    return first + then

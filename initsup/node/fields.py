"""Fields of the pod and resources of its containers as text: fieldRef and resourceFieldRef, in env and in volumes.

Sources: pkg/kubelet/kubelet_pods.go (podFieldSelectorRuntimeValue), pkg/fieldpath, pkg/api/v1/resource/helpers.go.
"""

from __future__ import annotations

import msgspec

from initsup.node.go_text import quote
from initsup.node.machine import Machine
from initsup.spec.pod import Container, Pod
from initsup.spec.units import milli_value, value
from initsup.spec.volume import ResourceFieldSelector


class FieldError(Exception):
    """A field or resource cannot be given; the message is kubelet's."""


class Context(msgspec.Struct, frozen=True):
    """What the manifest does not say: the uid of the pod (where it has none of its own), and where it runs."""

    uid: str
    machine: Machine


def pod_field(pod: Pod, path: str, context: Context) -> str:
    """A fieldRef of an environment variable. A label or annotation that is not there gives "". Raises FieldError."""
    match path:
        case "spec.nodeName":
            return pod.spec.node_name or context.machine.name
        case "spec.serviceAccountName":
            return service_account(pod)
        case "status.hostIP" | "status.podIP":
            return context.machine.ips[0]
        case "status.hostIPs" | "status.podIPs":
            return ",".join(context.machine.ips)
    return metadata_field(pod, path, context)


def service_account(pod: Pod) -> str:
    """The account that the pod uses towards the API."""
    return pod.spec.service_account_name or pod.spec.service_account or "default"


def metadata_field(pod: Pod, path: str, context: Context) -> str:
    """A fieldRef of a downwardAPI volume, which knows metadata only. Raises FieldError.

    Whole maps are lines `key="value"`, sorted, with Go's escapes in the values and no newline at the end.
    """
    metadata = pod.metadata
    match path:
        case "metadata.name":
            return metadata.name
        case "metadata.namespace":
            return metadata.namespace or "default"
        case "metadata.uid":
            return metadata.uid or context.uid
        case "metadata.labels":
            return _lines(metadata.labels)
        case "metadata.annotations":
            return _lines(metadata.annotations)
    name, bracket, key = path.partition("['")
    if bracket and key.endswith("']"):
        if name == "metadata.labels":
            return metadata.labels.get(key[:-2], "")
        if name == "metadata.annotations":
            return metadata.annotations.get(key[:-2], "")
    raise FieldError(f"unsupported fieldPath: {path}")


def _lines(mapping: dict[str, str]) -> str:
    return "\n".join(sorted(f"{key}={quote(text)}" for key, text in mapping.items()))


def resource_field(pod: Pod, container: Container | None, wanted: ResourceFieldSelector, machine: Machine) -> str:
    """A resourceFieldRef: the resource in units of the divisor, rounded up. Raises FieldError.

    `container` is used when the reference names none. A limit that is not set is the pod's, or what the machine has.
    """
    if wanted.container_name:
        container = _container(pod, wanted.container_name)
    if container is None:
        raise FieldError(f"container {wanted.container_name} not found")
    side, _, name = wanted.resource.partition(".")
    known = name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
    if side not in ("limits", "requests") or not known:
        raise FieldError(f"unsupported container resource : {wanted.resource}")
    resources = container.resources
    if side == "limits":
        amount = resources.limits.get(name) or _default_limit(pod, name, machine)
    else:
        # The API server's default: a limit without a request is the request, too.
        amount = resources.requests.get(name) or resources.limits.get(name) or "0"
    measure = milli_value if name == "cpu" else value
    divisor = measure(wanted.divisor) or measure("1")
    return str(-(-measure(amount) // divisor))


def _container(pod: Pod, name: str) -> Container | None:
    return next((one for one in (*pod.spec.containers, *pod.spec.init_containers) if one.name == name), None)


def _default_limit(pod: Pod, name: str, machine: Machine) -> str:
    if pod.spec.resources is not None and name in pod.spec.resources.limits:
        return pod.spec.resources.limits[name]
    match name:
        case "cpu":
            return f"{machine.cpu}m"
        case "memory":
            return str(machine.memory)
        case "ephemeral-storage":
            return str(machine.storage)
    return "0"

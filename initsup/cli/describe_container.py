"""The containers of `initsup describe`, and why one of them waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from initsup.core.columns import epoch
from initsup.spec.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE = "<none>"
PROBES = {"livenessProbe": "Liveness", "readinessProbe": "Readiness", "startupProbe": "Startup"}


def containers(title: str, pod: dict[str, Any], kind: str, now: float) -> list[str]:
    """One section for each container; `kind` is `containers`, `initContainers` or `ephemeralContainers`."""
    statuses = (pod.get("status") or {}).get(f"{kind.removesuffix('s')}Statuses") or ()
    known = {status.get("name"): status for status in statuses}
    lines = [f"{title}:"]
    for container in (pod.get("spec") or {}).get(kind) or ():
        lines.append(f"  {container.get('name')}:")
        lines += [f"    {line}" for line in _one(container, known.get(container.get("name")), pod, now)]
    return lines


def moment(timestamp: str | None) -> str:
    """A time as kubectl describes it, in the reader's zone: `Mon, 02 Jan 2006 15:04:05 +0000`."""
    if not timestamp:
        return "<unknown>"
    return time.strftime("%a, %d %b %Y %H:%M:%S %z", time.localtime(epoch(timestamp)))


def _one(container: dict[str, Any], status: dict[str, Any] | None, pod: dict[str, Any], now: float) -> list[str]:
    """Everything about one container, in kubectl's order, and at the end what it waits for."""
    lines = []
    if status is not None:
        lines.append(f"Container ID:\t{status.get('containerID') or ''}")
    lines.append(f"Image:\t{container.get('image') or NONE}")
    if status is not None and status.get("imageID"):
        lines.append(f"Image ID:\t{status['imageID']}")
    lines += _ports(container.get("ports") or ())
    for part in ("command", "args"):
        if container.get(part):
            words = [line for word in container[part] for line in word.split("\n")]
            lines += [f"{part.capitalize()}:", *(f"  {word}" for word in words)]
    if status is not None:
        lines += _status(status)
    if container.get("restartPolicy"):
        lines.append(f"Restart Policy:\t{container['restartPolicy']}")
    for part in ("limits", "requests"):
        amounts = (container.get("resources") or {}).get(part) or {}
        lines += (
            [f"{part.capitalize()}:", *(f"  {name}:\t{amounts[name]}" for name in sorted(amounts))] if amounts else []
        )
    lines += [f"{label}:\t{probe(container[part])}" for part, label in PROBES.items() if container.get(part)]
    lines += _hooks(container.get("lifecycle") or {})
    lines += _env_from(container.get("envFrom") or ())
    lines += _env(container.get("env") or (), pod)
    lines += _mounts(container.get("volumeMounts") or ())
    return lines + (_waits(status, now) if status is not None else [])


def _ports(ports: Iterable[dict[str, Any]]) -> list[str]:
    lines = []
    for label, field in (("Port", "containerPort"), ("Host Port", "hostPort")):
        shown = [f"{port.get(field) or 0}/{port.get('protocol') or 'TCP'}" for port in ports]
        lines.append(f"{label}{'s' if len(shown) > 1 else ''}:\t{', '.join(shown) or NONE}")
    return lines


def _status(status: dict[str, Any]) -> list[str]:
    lines = _state("State", status.get("state") or {})
    if (status.get("lastState") or {}).get("terminated") is not None:
        lines += _state("Last State", status["lastState"])
    return [*lines, f"Ready:\t{bool(status.get('ready'))}", f"Restart Count:\t{status.get('restartCount') or 0}"]


def _state(label: str, state: dict[str, Any]) -> list[str]:
    if (running := state.get("running")) is not None:
        return [f"{label}:\tRunning", f"  Started:\t{moment(running.get('startedAt'))}"]
    if (ended := state.get("terminated")) is None:
        reason = (state.get("waiting") or {}).get("reason")
        return [f"{label}:\tWaiting", *([f"  Reason:\t{reason}"] if reason else [])]
    lines = [f"{label}:\tTerminated"]
    lines += [f"  Reason:\t{ended['reason']}"] if ended.get("reason") else []
    lines += _several("  Message", ended["message"]) if ended.get("message") else []
    lines.append(f"  Exit Code:\t{ended.get('exitCode') or 0}")
    lines += [f"  Signal:\t{ended['signal']}"] if ended.get("signal") else []
    return [*lines, f"  Started:\t{moment(ended.get('startedAt'))}", f"  Finished:\t{moment(ended.get('finishedAt'))}"]


def _several(label: str, text: str) -> list[str]:
    """A text that may have several lines."""
    first, *rest = text.rstrip("\n").split("\n")
    return [f"{label}:\t{first}", *(f"\t{line}" for line in rest)]


def probe(given: dict[str, Any]) -> str:
    """A probe on one line: what it does, then its times and thresholds."""
    return (
        f"{action(given)} delay={given.get('initialDelaySeconds') or 0}s timeout={given.get('timeoutSeconds') or 1}s "
        f"period={given.get('periodSeconds') or 10}s #success={given.get('successThreshold') or 1} "
        f"#failure={given.get('failureThreshold') or 3}"
    )


def action(given: dict[str, Any]) -> str:
    """What a probe or a hook does."""
    if (execute := given.get("exec")) is not None:
        return f"exec [{' '.join(execute.get('command') or ())}]"
    if (http := given.get("httpGet")) is not None:
        host = http.get("host") or ""
        host = f"[{host}]" if ":" in host else host
        path = "/" + (http.get("path") or "").lstrip("/")
        return f"http-get {(http.get('scheme') or 'HTTP').lower()}://{host}:{http.get('port')}{path}"
    if (tcp := given.get("tcpSocket")) is not None:
        return f"tcp-socket {tcp.get('host') or ''}:{tcp.get('port')}"
    if (grpc := given.get("grpc")) is not None:
        return f"grpc <pod>:{grpc.get('port')} {grpc.get('service') or ''}"
    if (sleep := given.get("sleep")) is not None:
        return f"sleep {sleep.get('seconds') or 0}s"
    return "unknown"


def _hooks(lifecycle: dict[str, Any]) -> list[str]:
    labels = {"postStart": "Post Start", "preStop": "Pre Stop"}
    lines = [f"{label}:\t{action(lifecycle[part])}" for part, label in labels.items() if lifecycle.get(part)]
    return lines + ([f"Stop Signal:\t{lifecycle['stopSignal']}"] if lifecycle.get("stopSignal") else [])


def _env_from(sources: Iterable[dict[str, Any]]) -> list[str]:
    lines = []
    for source in sources:
        kind = "ConfigMap" if source.get("configMapRef") else "Secret"
        reference = source.get("configMapRef") or source.get("secretRef") or {}
        prefix = f" with prefix '{source['prefix']}'" if source.get("prefix") else ""
        lines.append(f"  {reference.get('name')}\t{kind}{prefix}\tOptional: {_truth(reference.get('optional'))}")
    return ["Environment Variables from:", *lines] if lines else []


def _env(variables: Iterable[dict[str, Any]], pod: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for variable in variables:
        source = variable.get("valueFrom")
        if source is None:
            lines += _several(f"  {variable['name']}", variable.get("value") or "")
        else:
            lines.append(f"  {variable['name']}:\t{_source(source, pod)}")
    return ["Environment:", *lines] if lines else [f"Environment:\t{NONE}"]


def _source(source: dict[str, Any], pod: dict[str, Any]) -> str:
    """Where a variable comes from; the value too when it is no secret and the object tells it."""
    if field := source.get("fieldRef"):
        path = field.get("fieldPath") or ""
        return f"{_field(path, pod)} ({field.get('apiVersion') or 'v1'}:{path})"
    if resource := source.get("resourceFieldRef"):
        return f"({resource.get('resource')})"
    for part, words in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
        if key := source.get(part):
            shown = f"<set to the key '{key.get('key')}' {words} '{key.get('name')}'>"
            return f"{shown}\tOptional: {_truth(key.get('optional'))}"
    key = source.get("fileKeyRef") or {}
    shown = f"<set to the key '{key.get('key')}' of file '{key.get('path')}' in volume '{key.get('volumeName')}'>"
    return f"{shown}\tOptional: {_truth(key.get('optional'))}"


def _field(path: str, pod: dict[str, Any]) -> str:
    """The value of a fieldRef such as `metadata.name` or `metadata.labels['app']`."""
    from initsup.cli.jsonpath import find, show

    place = path.replace("status.hostIPs", "status.hostIPs[*].ip").replace("status.podIPs", "status.podIPs[*].ip")
    return ",".join(show(value) for value in find(f".{place}", pod))


def _mounts(mounts: Iterable[dict[str, Any]]) -> list[str]:
    lines = []
    for mount in sorted(mounts, key=lambda m: m.get("mountPath") or ""):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if path := mount.get("subPath") or mount.get("subPathExpr"):
            flags.append(f'path="{path}"')
        lines.append(f"  {mount.get('mountPath')} from {mount.get('name')} ({','.join(flags)})")
    return ["Mounts:", *lines] if lines else [f"Mounts:\t{NONE}"]


def _waits(status: dict[str, Any], now: float) -> list[str]:
    """Why a container waits, and when it is tried again: kubectl leaves that to the events."""
    waiting = (status.get("state") or {}).get("waiting") or {}
    message = waiting.get("message") or ""
    lines = _several("Waits Because", message) if message else []
    delay = _back_off(message)
    ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    if delay is not None and ended:
        left = epoch(ended) + delay - now
        lines.append(f"Next Try:\t{f'in {round(left)}s' if left >= 1 else 'now'}")
    return lines


def _back_off(message: str) -> float | None:
    """Seconds of `back-off 1m20s restarting failed container=…`; None when the message says something else."""
    words = message.split()
    if words[:1] != ["back-off"] or len(words) < 2:
        return None
    try:
        return parse_duration(words[1])
    except ValueError:
        return None


def _truth(value: Any) -> str:
    return "true" if value else "false"

"""What valid probes and hooks are (core validation: validateProbe, validateHandler, validateLifecycle)."""

from initsup.spec.pod import Container
from initsup.spec.probe import HTTPGetAction, Lifecycle, LifecycleHandler, Port, Probe
from initsup.spec.units import SIGNALS

from . import names
from .findings import Findings

_ACTIONS = {
    "exec": "exec", "httpGet": "http_get", "tcpSocket": "tcp_socket", "grpc": "grpc", "sleep": "sleep"
}  # fmt: skip
_NUMBERS = {
    "initialDelaySeconds": "initial_delay_seconds",
    "timeoutSeconds": "timeout_seconds",
    "periodSeconds": "period_seconds",
    "successThreshold": "success_threshold",
    "failureThreshold": "failure_threshold",
}


def check_probes(find: Findings, path: str, container: Container) -> None:
    """All probes of a container."""
    for field, probe in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is not None:
            _check_probe(find, f"{path}.{field}", probe, is_readiness=field == "readinessProbe")


def _check_probe(find: Findings, path: str, probe: Probe, is_readiness: bool) -> None:
    _check_action(find, path, probe, 0)
    for field, attribute in _NUMBERS.items():
        number = getattr(probe, attribute)
        if number < 0:
            find.invalid(f"{path}.{field}", number, names.NOT_NEGATIVE)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        find.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if is_readiness:
        if grace is not None:
            find.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
    elif probe.success_threshold != 1:
        find.invalid(f"{path}.successThreshold", probe.success_threshold, "must be 1")


def check_lifecycle(find: Findings, path: str, lifecycle: Lifecycle | None, grace: int, os: str) -> None:
    """The hooks and the stop signal of a container. `grace` is the pod's, in seconds."""
    if lifecycle is None:
        return
    for field, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is not None:
            _check_action(find, f"{path}.{field}", handler, grace)
    signal = lifecycle.stop_signal
    if signal is None:
        return
    if not os:
        find.forbidden(f"{path}.stopSignal", "may not be set for containers with empty `spec.os.name`")
    elif signal not in SIGNALS:
        find.unsupported(f"{path}.stopSignal", signal, SIGNALS)


def _check_action(find: Findings, path: str, handler: Probe | LifecycleHandler, grace: int) -> None:
    """Exactly one action, and a valid one; more are reported on the later ones."""
    given = [
        (field, action)
        for field, attribute in _ACTIONS.items()
        if (action := getattr(handler, attribute, None)) is not None
    ]
    if not given:
        find.required(path, "must specify a handler type")
        return
    for field, _ in given[1:]:
        find.forbidden(f"{path}.{field}", "may not specify more than 1 handler type")
    field, action = given[0]
    at = f"{path}.{field}"
    if field == "exec":
        if not action.command:
            find.required(f"{at}.command")
    elif field == "httpGet":
        _check_http_get(find, at, action)
    elif field == "sleep":
        if not 0 <= action.seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            find.invalid(at, action.seconds, detail)
    else:
        _check_port(find, f"{at}.port", action.port)


def _check_http_get(find: Findings, path: str, action: HTTPGetAction) -> None:
    _check_port(find, f"{path}.port", action.port)
    if action.scheme not in ("HTTP", "HTTPS"):
        find.unsupported(f"{path}.scheme", action.scheme, ("HTTP", "HTTPS"))
    for index, header in enumerate(action.http_headers):
        at = f"{path}.httpHeaders[{index}]"
        find.each_invalid(f"{path}.httpHeaders", header.name, names.header_name(header.name), at)


def _check_port(find: Findings, path: str, port: Port) -> None:
    find.each_invalid(path, port, names.port_number(port) if isinstance(port, int) else names.port_name(port))

"""One attempt of a probe: what it does to the container, and how it ended in kubelet's words (pkg/kubelet/prober).

Attempts (those of hooks are in `hook_attempt`) run in the engine's task group; everything else under `node/` knows no
event loop. They have I/O time-outs only and decide nothing: whether and when there is another one is `core.decide`'s.
They can be cancelled at any moment: then all they started is killed, their sockets are closed, and there is no result.
"""

from __future__ import annotations

from typing import Literal

import anyio
import msgspec

from initsup.node.exec_attempt import LIMIT, Runner, execute
from initsup.node.failures import CannotRun
from initsup.node.go_text import join_host_port, quote, shown
from initsup.spec.pod import Container
from initsup.spec.probe import ExecAction, GRPCAction, HTTPGetAction, Port, Probe, TCPSocketAction
from initsup.spec.units import format_duration

AGENT = "kube-probe/1.36"
"""User-Agent of httpGet (when the manifest gives none) and grpc: the kubelet version whose behaviour is followed."""

_TRIES = 3
"""How often a probe is tried at once while it cannot be carried out (prober.go `maxProbeRetries`)."""


class Target(msgspec.Struct, frozen=True):
    """The container that is probed or hooked. `pod` is `NAME_NAMESPACE(UID)`, as in kubelet's messages."""

    container: Container
    pod: str
    address: str = "127.0.0.1"


class Outcome(msgspec.Struct, frozen=True):
    """How one attempt of a probe ended: the fields of `core.events.Probed`. `output` is at most 10 KiB."""

    outcome: Literal["success", "failure", "warning", "error"]
    output: str = ""


class CannotAttempt(Exception):
    """It could not be carried out at all. For a probe that is an "error", which changes nothing."""


async def probe(runner: Runner, target: Target, spec: Probe) -> Outcome:
    """Carry out one attempt, of whatever kind of probe. Up to 3 tries at once while it cannot be carried out at all.

    `runner` belongs to the container; only exec uses it. The time-out is `timeoutSeconds`, of each try.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            return await _try(runner, target, spec)
        except CannotAttempt as error:
            reason = str(error)
    return Outcome("error", reason)


async def _try(runner: Runner, target: Target, spec: Probe) -> Outcome:
    timeout = float(spec.timeout_seconds or 1)
    match spec.action:
        case ExecAction() as action:
            return await _probe_exec(runner, target, action, timeout)
        case HTTPGetAction() as action:
            return await _probe_http(target, action, timeout)
        case TCPSocketAction() as action:
            return await _probe_tcp(target, action, timeout)
        case GRPCAction() as action:
            return await _probe_grpc(target, action, timeout)
        case None:
            raise CannotAttempt(f"missing probe handler for {target.pod}:{target.container.name}")


async def _probe_exec(runner: Runner, target: Target, action: ExecAction, timeout: float) -> Outcome:
    """Only literal values are known to the command's variables; one with `valueFrom` is empty.

    Rule: pkg/kubelet/container/helpers.go ExpandContainerCommandOnlyStatic.
    """
    argv = action.command
    if any("$" in word for word in argv):
        from initsup.node.env import expand

        literal = {variable.name: variable.value for variable in target.container.env}
        argv = tuple(expand(word, literal.get) for word in argv)
    try:
        ran = await execute(runner, argv, timeout)
    except CannotRun as error:
        raise CannotAttempt(cannot_run(error)) from None
    if ran.code is None:
        within = format_duration(timeout)
        return Outcome("failure", f"command timed out: {quote(' '.join(argv))} timed out after {within}")
    return Outcome("failure" if ran.code else "success", shown(ran.stdout + ran.stderr, LIMIT))


async def _probe_http(target: Target, action: HTTPGetAction, timeout: float) -> Outcome:
    from initsup.node.http_attempt import BodyError, HTTPError, get
    from initsup.node.http_request import BadRequest, request

    try:
        asked = request(action, port_number(action.port, target), target.address, AGENT)
        reply = await get(asked, timeout)
    except (HTTPError, BadRequest) as error:
        return Outcome("failure", str(error))
    except BodyError as error:
        raise CannotAttempt(str(error)) from None
    if not 200 <= reply.status < 400:
        return Outcome("failure", f"HTTP probe failed with statuscode: {reply.status}")
    body = shown(reply.body, LIMIT)
    if reply.status >= 300:
        return Outcome("warning", f"Probe terminated redirects, Response body: {body}"[:LIMIT])
    return Outcome("success", body)


async def _probe_tcp(target: Target, action: TCPSocketAction, timeout: float) -> Outcome:
    from initsup.node.dial import DialError, dial

    host, port = action.host or target.address, port_number(action.port, target)
    with anyio.move_on_after(timeout):
        try:
            (await dial(host, port)).close()
        except DialError as error:
            return Outcome("failure", str(error))
        return Outcome("success")
    return Outcome("failure", f"dial tcp {join_host_port(host, port)}: i/o timeout")


async def _probe_grpc(target: Target, action: GRPCAction, timeout: float) -> Outcome:
    from initsup.node.grpc_attempt import Unhealthy, check

    try:
        await check(target.address, action.port, action.service, timeout, AGENT)
    except Unhealthy as error:
        return Outcome("failure", str(error))
    return Outcome("success", "service healthy")


def port_number(port: Port, target: Target) -> int:
    """The number of a port given as a number, by name, or as a number in a string (pkg/probe/util.go).

    Raises CannotAttempt.
    """
    number = port
    if isinstance(port, str):
        named = [entry.container_port for entry in target.container.ports if entry.name == port]
        if named:
            number = named[0]
        elif port.isascii() and port.isdigit():
            number = int(port)
        else:
            raise CannotAttempt(f"strconv.Atoi: parsing {quote(port)}: invalid syntax")
    if not isinstance(number, int) or not 0 < number < 65536:
        raise CannotAttempt(f"invalid port number: {number}")
    return number


def cannot_run(error: CannotRun) -> str:
    """The text of a command that could not be started."""
    return f"failed to exec in container: unable to start container process: {error}"

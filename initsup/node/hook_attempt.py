"""One run of a lifecycle hook, and how it ended in kubelet's words (pkg/kubelet/lifecycle/handlers.go)."""

from __future__ import annotations

import anyio
import msgspec

from initsup.node.attempt import CannotAttempt, Target, cannot_run, port_number
from initsup.node.exec_attempt import LIMIT, Ran, Runner, execute
from initsup.node.failures import CannotRun
from initsup.node.go_text import quote, shown
from initsup.spec.probe import ExecAction, HTTPGetAction, LifecycleHandler, SleepAction, TCPSocketAction

AGENT = "kube-lifecycle/1.36"
"""User-Agent of httpGet when the manifest gives none."""

_BODY_SECONDS = 1.0
"""How long a response body is read that nobody has a use for, so that the server can finish in peace."""


class HookOutcome(msgspec.Struct, frozen=True):
    """How a hook ended: the fields of `core.events.Hooked`.

    `message` says why it failed. With `ok` it is empty, or the text of a Warning event LifecycleHTTPFallback.
    """

    ok: bool
    message: str = ""


async def hook(runner: Runner, target: Target, handler: LifecycleHandler) -> HookOutcome:
    """Run a postStart or preStop hook to its end. It has no time-out: who has had enough cancels it."""
    match handler.action:
        case ExecAction() as action:
            return await _hook_exec(runner, target, action)
        case HTTPGetAction() as action:
            return await _hook_http(target, action)
        case SleepAction() as action:
            await anyio.sleep(action.seconds)
            return HookOutcome(True)
        case TCPSocketAction() as action:
            return HookOutcome(False, f"Cannot run handler: invalid handler: {_as_go_prints(action)}")
        case None:
            nothing = "&LifecycleHandler{Exec:nil,HTTPGet:nil,TCPSocket:nil,Sleep:nil,}"
            return HookOutcome(False, f"Cannot run handler: invalid handler: {nothing}")


async def _hook_exec(runner: Runner, target: Target, action: ExecAction) -> HookOutcome:
    """The command is taken as it is, without expansion."""
    argv = action.command
    words = " ".join(argv)
    try:
        ran = await execute(runner, argv, None)
    except CannotRun as error:
        ran, reason = Ran(None, b"", b""), cannot_run(error)
    else:
        if ran.code == 0:
            return HookOutcome(True)
        reason = f"command '{words}' exited with {ran.code}: {shown(ran.stderr, LIMIT)}"
    output = quote((ran.stdout + ran.stderr)[:LIMIT])
    return _failed("Exec", f"[{words}]", target, f"{reason}, message: {output}")


async def _hook_http(target: Target, action: HTTPGetAction) -> HookOutcome:
    """Any response is a success. A server that turns out to speak plain HTTP is asked again in that way."""
    from initsup.node.http_attempt import BodyError, HTTPError, PlainServer, get
    from initsup.node.http_request import BadRequest, in_plain_text, request

    note = ""
    try:
        asked = request(action, port_number(action.port, target), target.address, AGENT)
        try:
            await get(asked, None, _BODY_SECONDS)
        except PlainServer as refused:
            try:
                await get(in_plain_text(asked), None, _BODY_SECONDS)
            except HTTPError:
                raise refused from None
            note = f"request to HTTPS lifecycle hook {asked.authority} got HTTP response, retry with HTTP succeeded"
    except BodyError:
        pass
    except (HTTPError, BadRequest, CannotAttempt) as error:
        return _failed("HTTP", action.path, target, str(error))
    return HookOutcome(True, note)


def _failed(kind: str, what: str, target: Target, reason: str) -> HookOutcome:
    where = f"for Container {quote(target.container.name)} in Pod {quote(target.pod)}"
    return HookOutcome(False, f"{kind} lifecycle hook ({what}) {where} failed - error: {reason}")


def _as_go_prints(action: TCPSocketAction) -> str:
    """The handler as Go's `%v` shows it: the API accepts tcpSocket here, kubelet cannot run it."""
    port = f"{{0 {action.port} }}" if isinstance(action.port, int) else f"{{1 0 {action.port}}}"
    socket = f"&TCPSocketAction{{Port:{port},Host:{action.host},}}"
    return f"&LifecycleHandler{{Exec:nil,HTTPGet:nil,TCPSocket:{socket},Sleep:nil,}}"

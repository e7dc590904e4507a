"""Every question and request that a running initsup answers. Knows no transport: request in, answer out.

An answer is a dict; `{"error": text, "code": exit code}` when the request cannot be met.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from initsup.core.change import same
from initsup.core.events import RestartAsked, StopAsked
from initsup.core.facts import ContainerFacts, Exited, Running, Stopping
from initsup.engine import Engine, Immutable, Moment


class Refusal(Exception):
    """A request that cannot be met; the message goes to the client."""


def is_plain(request: dict[str, Any]) -> bool:
    """Whether `answer` is all that there is to a request."""
    verb = _verb(request)
    return (verb in _QUESTIONS or verb in _ORDERS) and not request.get("watch")


def answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    order = _ORDERS.get(_verb(request))
    if order is None:
        return tell(engine.moment(), request)
    try:
        return order(engine, request)
    except Refusal as problem:
        return {"error": str(problem), "code": 1}


def tell(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    """Answer a question by how things stood then."""
    question = _QUESTIONS.get(_verb(request))
    if question is None:
        return {"error": f"unknown request {request.get('verb')!r}", "code": 1}
    return question(moment, request)


def _verb(request: dict[str, Any]) -> str:
    verb = request.get("verb")
    return verb if isinstance(verb, str) else ""


def container_of(engine: Engine, request: dict[str, Any]) -> tuple[str, ContainerFacts]:
    """The container that a request names."""
    name = request.get("container")
    if not isinstance(name, str) or name not in engine.plan.members:
        raise Refusal(f"container {name} is not valid for pod {engine.plan.pod.metadata.name}")
    return name, engine.facts.containers[name]


def running_container(engine: Engine, request: dict[str, Any]) -> tuple[str, int, int]:
    """Name, attempt and pid of the running container that a request names."""
    name, container = container_of(engine, request)
    if not isinstance(container.state, Running | Stopping):
        raise Refusal(f'container "{name}" is not running')
    return name, container.attempt, container.state.pid


def _get(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    return moment.pod()


def _events(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    return moment.events()


def _processes(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    """The main process of each container that runs: what is asked most often, and cheapest."""
    return {
        name: {"pid": container.state.pid, "attempt": container.attempt, "ready": container.ready}
        for name, container in moment.facts.containers.items()
        if isinstance(container.state, Running | Stopping)
    }


def _health(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    """Whether the pod is Ready, asked by `what` = ready; that initsup answers at all is what live means."""
    conditions = moment.pod()["status"]["conditions"] if request.get("what") == "ready" else []
    ready = next((one for one in conditions if one["type"] == "Ready"), {"status": "True"})
    return {"ok": ready["status"] == "True", "why": ready.get("message") or ready.get("reason") or ""}


def _apply(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    from initsup.spec.manifest import Manifest

    try:
        asked = msgspec.convert(request.get("manifest"), Manifest)
    except msgspec.ValidationError as problem:
        raise Refusal(f"not a manifest: {problem}") from None
    if request.get("replace"):
        engine.successor = asked
        engine.node.post(StopAsked(at=engine.now(), by="replace"))
        return {"changed": True, "restarted": []}
    before = engine.plan.asked
    try:
        restarted = engine.take_over(asked)
    except Immutable as problem:
        raise Refusal(f"{problem}\n(`--replace` ends the pod and starts the new one)") from None
    return {"changed": not same(before, engine.plan.asked), "restarted": restarted}


def _delete(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    grace = 1.0 if request.get("now") else request.get("grace")
    is_number = isinstance(grace, int | float) and not isinstance(grace, bool) and abs(grace) < 2**63
    if grace is not None and not is_number:
        raise Refusal(f"grace must be a number of seconds, not {grace!r}")
    engine.node.post(StopAsked(at=engine.now(), grace=grace, by="delete"))
    return {"pod": engine.plan.pod.metadata.name}


def _restart(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    if engine.facts.stop is not None:
        raise Refusal("the pod is ending")
    if request.get("container") is None:
        names = [m.name for m in engine.plan.members.values() if m.kind in ("sidecar", "main")]
    else:
        name, container = container_of(engine, request)
        if engine.plan.members[name].kind == "ephemeral":
            raise Refusal(f"ephemeral container {name} runs once, and is never restarted")
        done = isinstance(container.state, Exited) and container.ready
        if engine.plan.members[name].kind == "init" and (container.attempt < 0 or done):
            raise Refusal(f"init container {name} is not running, and init containers run once")
        names = [name]
    for name in names:
        engine.node.post(RestartAsked(at=engine.now(), container=name, by="was asked to restart"))
    return {"containers": names}


def _debug(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    """Add an ephemeral container, given as `container`."""
    import msgspec

    from initsup.load.check_ephemeral import added
    from initsup.spec.pod import EphemeralContainer

    if engine.facts.stop is not None:
        raise Refusal("the pod is ending")
    try:
        wanted = msgspec.convert(request.get("container"), EphemeralContainer)
    except msgspec.ValidationError as problem:
        raise Refusal(str(problem)) from None
    new, problems = added(engine.plan.asked, (*engine.plan.pod.spec.ephemeral_containers, wanted))
    if problems:
        raise Refusal("\n".join(f"{one.path}: {one.message}" for one in problems))
    engine.add(*new)
    return {"container": wanted.name}


def _signal(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    name, _, pid = running_container(engine, request)
    number = request.get("signal")
    if not isinstance(number, int) or not 0 < number < 65:
        raise Refusal(f"{number!r} is not a signal number")
    try:
        os.kill(pid, number)
    except OSError as problem:
        raise Refusal(f"cannot signal container {name}: {problem.strerror}") from None
    return {"container": name}


def _facts(moment: Moment, request: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    return {"facts": msgspec.to_builtins(moment.facts), "trouble": moment.trouble()}


_QUESTIONS: dict[str, Callable[[Moment, dict[str, Any]], dict[str, Any]]] = {
    "get": _get,
    "events": _events,
    "processes": _processes,
    "health": _health,
    "facts": _facts,
}
_ORDERS: dict[str, Callable[[Engine, dict[str, Any]], dict[str, Any]]] = {
    "apply": _apply,
    "delete": _delete,
    "restart": _restart,
    "debug": _debug,
    "signal": _signal,
}

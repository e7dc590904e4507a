"""`initsup run`: load, make ready, start, and stay until the pod ends.

The order matters for speed: the first container starts before the event loop is imported.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from initsup import __version__
from initsup.api.files import API_SOCKET, KUBECONFIG, SOCKET
from initsup.cli.arguments import overrides
from initsup.cli.spare import spare_imports
from initsup.cli.state import StateDir, open_state_dir
from initsup.errors import InitsupError, InvalidManifest
from initsup.node.ground import require
from initsup.node.handover import REHEARSAL, read, take_from_environment
from initsup.node.leftovers import claim
from initsup.node.sentinel import HANDED_OVER, Sentinel, is_needed
from initsup.node.sentinel import start as start_sentinel

if TYPE_CHECKING:
    import socket
    from argparse import Namespace
    from collections.abc import Callable

    from initsup.api.door import Door
    from initsup.api.server import Desk
    from initsup.cli.handover import Handover
    from initsup.cli.parser import Parser
    from initsup.engine import Engine
    from initsup.node.node import HostNode
    from initsup.spec.manifest import Manifest


def arguments(parser: Parser) -> None:
    """Define the options of `run`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="manifest in YAML, JSON or TOML; - is stdin")
    parser.add_argument("--state-dir", metavar="DIR", help="where status, events, logs and volumes are kept")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="set a supervisor setting")
    parser.add_argument(
        "--console", choices=("auto", "text", "json", "raw", "none"), help="how output is printed (console.format)"
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="let kubectl in at this address and port, such as 127.0.0.1:6443"
    )
    parser.flag("--best-effort", help="run also where a promise of isolation or safety cannot be kept")
    parser.examples("""
# Run a pod until it ends or Ctrl-C
initsup run pod.yaml

# Let kubectl in as well, for which `initsup kubeconfig` writes what it needs
initsup run pod.yaml --listen 127.0.0.1:6443

# The settings in a file of their own, and one of them from here
initsup run pod.yaml supervisor.yaml --set crashLoopBackOff.initialPeriod=1s
""")


def run(args: Namespace) -> int:
    """Run the pod; the exit code is the pod's (0 done or stopped on request, the culprit's, 124 deadline)."""
    spare_imports()
    if (handed_over := take_from_environment()) == REHEARSAL:
        from initsup.cli.handover import rehearse

        return rehearse()
    from initsup.node.spawn import seal_descriptors

    kept: Handover | None = None
    require()
    seal_descriptors()
    number = claim(resumed=bool(handed_over))
    if handed_over:
        from initsup.cli.handover import unpack

        kept = unpack(read(int(handed_over)))
        asked: Manifest | None = kept.engine.asked
        place = StateDir.resumed(kept.state_dir, kept.lock)
    else:
        asked = _load(args)
        place = open_state_dir(args.state_dir, asked.pod.metadata.name, number)
    # One that was handed over is taken on in any case: once its pipe is closed it ends everything.
    wanted = HANDED_OVER in os.environ or (number and is_needed(dict(os.environ)))
    sentinel = start_sentinel(number, sys.executable) if wanted else None
    code = 0
    try:
        while asked is not None:
            if kept is None:
                place.clear()
            code, asked = _supervise(asked, place, sentinel, lambda: _load(args), kept)
            kept = None
    except InvalidManifest as problem:
        from initsup.load.read import located

        raise InvalidManifest(located(problem.problems, args.files, overrides(args))) from None
    finally:
        place.close()
        if sentinel is not None:
            sentinel.dismiss()
    return code


def _load(args: Namespace) -> Manifest:
    from initsup.load.read import load

    return load(args.files, overrides(args))


def _supervise(
    asked: Manifest,
    place: StateDir,
    sentinel: Sentinel | None,
    load: Callable[[], Manifest],
    kept: Handover | None,
) -> tuple[int, Manifest | None]:
    """Run one pod, or go on with it: the exit code, and what is to run in its place."""
    from initsup.api.files import JOURNAL
    from initsup.core.plan import plan
    from initsup.engine import Engine
    from initsup.journal import Journal
    from initsup.node.node import HostNode

    planned = plan(asked)
    node = HostNode(planned, place.path, kept.node if kept is not None else None)
    try:
        if sentinel is not None:
            node.watch_sentinel(sentinel.pid)
        wall_zero = time.time() - time.monotonic()
        journal = Journal(os.path.join(place.path, JOURNAL), planned, wall_zero)
        before = kept.engine if kept is not None else None
        engine = Engine(planned, node, journal, node.where, host=os.uname().nodename, kept=before)
        node.on_dump = lambda: _dump(engine)
        node.on_reload = lambda: _reload(engine, node, load)
        if kept is None and asked.settings.best_effort:
            _say_what_is_missing(asked, node)
        if kept is not None:
            node.console.say(f"goes on as version {__version__}")
        if place.ended:
            node.console.say(place.ended)
            place.ended = ""
        engine.observers = _observers(engine, node, resumed=kept is not None)
        return _run(engine, node, place, sentinel, kept), engine.successor
    finally:
        node.close()


def _say_what_is_missing(asked: Manifest, node: HostNode) -> None:
    """With best effort, what no place can give; of what this place cannot give the node has told."""
    from initsup.load.notes import done_without

    for one in done_without(asked):
        node.console.say(f"{one.path}: {one.message}")


def _observers(engine: Engine, node: HostNode, *, resumed: bool) -> list[Any]:
    """The console, and systemd where it wants to be told."""
    from initsup.cli.progress import Progress

    progress = Progress(node.console)
    if resumed:
        progress.resume(engine)
    observers: list[Any] = [progress, *node.watchers()]
    if "NOTIFY_SOCKET" in os.environ:
        from initsup.cli.unit import Unit

        observers.append(Unit(dict(os.environ)))
    return observers


def _run(engine: Engine, node: HostNode, place: StateDir, sentinel: Sentinel | None, kept: Handover | None) -> int:
    tcp = None
    if kept is None:
        tcp = _listen(engine)
        engine.step()
    from initsup.core.report import exit_code  # now: neither before the first container nor the next version's

    if engine.facts.finished:
        _keep(engine, place.path)
    else:
        _serve(engine, node, place, sentinel, tcp, kept)
    engine.journal.close()
    code, why = exit_code(engine.plan, engine.facts)
    if trouble := engine.trouble():
        node.console.say("degraded: " + "; ".join(trouble))
        if code == 0:  # not all is well, whatever the containers say
            code, why = 1, f"{why}, but initsup was degraded"
    node.console.drain()
    node.console.say(f"pod {engine.plan.pod.metadata.name}: {why}, exit code {code}")
    return code


def _listen(engine: Engine) -> socket.socket | None:
    """Bind the address that was asked for, before anything is started. Raises InitsupError when it cannot be had."""
    address = engine.plan.asked.settings.listen
    if not address:
        return None
    from initsup.api.sockets import bind_tcp

    return bind_tcp(address)


def _serve(
    engine: Engine,
    node: HostNode,
    place: StateDir,
    sentinel: Sentinel | None,
    tcp: socket.socket | None,
    kept: Handover | None,
) -> None:
    """Go on until the pod is finished: without an event loop as long as nobody needs one."""
    from initsup.api.door import Door
    from initsup.api.window import Window
    from initsup.cli.handover import Succession  # now: later it might be the next version's

    door = Door(engine, place.path, tcp, kept.door if kept is not None else None)
    desk = _desk(engine, door, place.path, kept)
    succession = Succession(engine, node, place.path, place.lock, door, desk)
    if sentinel is not None:
        succession.variables = sentinel.hand_over
    if desk is not None:
        desk.reexec = succession.attempt
    node.on_reexec = succession.by_signal
    _settle_memory()
    if kept is None:
        window = Window(engine, node, door, desk)
        engine.run_plainly()
        window.close()
    if engine.facts.finished:
        _keep(engine, place.path)
    else:
        import anyio

        anyio.run(_main, engine, door, desk, place.path, kept is not None)
    door.close()
    if desk is not None:
        desk.close()
    for name in (SOCKET, API_SOCKET, KUBECONFIG):
        if os.path.lexists(os.path.join(place.path, name)):
            os.unlink(os.path.join(place.path, name))


def _settle_memory() -> None:
    """What is there now stays, and need not be looked at again whenever garbage is collected."""
    import gc

    gc.collect()
    gc.freeze()
    gc.enable()


async def _main(engine: Engine, door: Door, desk: Desk | None, state_dir: str, is_resumed: bool) -> None:
    import anyio

    over = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, over)
        if desk is not None:
            tasks.start_soon(desk.serve, over)
        if is_resumed:
            await _settle()
        _settle_memory()
        await engine.run()
        _keep(engine, state_dir)  # before clients are told that it is over
        over.set()


def _desk(engine: Engine, door: Door, state_dir: str, kept: Handover | None) -> Desk | None:
    """The control socket; None when there can be none."""
    import socket

    from initsup.api.server import Desk
    from initsup.api.sockets import bind_unix

    if kept is not None and kept.desk is not None:
        return Desk(engine, door, socket.socket(fileno=kept.desk.listener), kept.desk)
    try:
        return Desk(engine, door, bind_unix(state_dir, SOCKET))
    except OSError as problem:
        engine.lacks(f"cannot listen in {state_dir}: {problem.strerror}")
        return None


async def _settle() -> None:
    """Let clients that came along take their places before more output is read."""
    import anyio

    for _ in range(4):
        await anyio.sleep(0)


def _reload(engine: Engine, node: HostNode, load: Callable[[], Manifest]) -> None:
    """Apply what the files say now; what is wrong with them is said and changes nothing."""
    try:
        restarted = engine.take_over(load())
    except InitsupError as problem:
        node.console.say(f"cannot reload: {problem}")
    else:
        node.console.say("reloaded" + (f", restarting {', '.join(restarted)}" if restarted else ""))


def _dump(engine: Engine) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(engine.facts), indent=1).decode()


def _keep(engine: Engine, state_dir: str) -> None:
    """Leave the last status and the events behind."""
    import msgspec

    from initsup.api.files import EVENTS, POD

    for name, answer in ((EVENTS, engine.events()), (POD, engine.pod())):
        path = os.path.join(state_dir, name)
        try:
            with open(path + ".new", "wb", opener=_private) as file:
                file.write(msgspec.json.encode(answer))
            os.rename(path + ".new", path)
        except OSError as problem:
            print(f"initsup: cannot write {path}: {problem.strerror}", file=sys.stderr)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

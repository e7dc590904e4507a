"""`initsup run`: load, make ready, start, and stay until the pod ends.

The order matters for speed: the first container starts before the event loop is imported.
"""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from initsup.api.client import API_SOCKET, KUBECONFIG, SOCKET
from initsup.errors import InitsupError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from initsup.cli.arguments import Parser
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
    asked: Manifest | None = _load(args)
    assert asked is not None
    state_dir = _state_dir(args.state_dir, asked)
    lock = _make_state_dir(state_dir)
    code = 0
    try:
        while asked is not None:
            _clear(state_dir)
            code, asked = _supervise(asked, state_dir, lambda: _load(args))
    finally:
        os.close(lock)
    return code


def _load(args: Namespace) -> Manifest:
    from initsup.load.read import load

    overrides = list(args.set)
    if args.console:
        overrides.append(f"console.format={args.console}")
    if args.listen:
        overrides.append(f"listen={args.listen}")
    if args.best_effort:
        overrides.append("bestEffort=true")
    return load(args.files, overrides)


def _state_dir(given: str | None, asked: Manifest) -> str:
    from initsup.api.client import base_dir

    return os.path.abspath(given or os.path.join(base_dir(), asked.pod.metadata.name))


def _make_state_dir(path: str) -> int:
    """An empty state directory, for this process alone: the descriptor that keeps it locked. Raises InitsupError."""
    import fcntl

    try:
        os.makedirs(path, 0o700, exist_ok=True)
        os.chmod(path, 0o700)
        lock = os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise InitsupError(
            f"cannot make the state directory {path}: {problem.strerror}, name one by --state-dir"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise InitsupError(f"another initsup is running in {path}, delete it first or use --state-dir") from None
    return lock


def _clear(state_dir: str) -> None:
    """Take away what an earlier pod has left for those who ask."""
    from initsup.api.client import EVENTS, JOURNAL, POD

    for name in (POD, EVENTS, JOURNAL):
        if os.path.lexists(os.path.join(state_dir, name)):
            os.unlink(os.path.join(state_dir, name))
    if os.path.isdir(os.path.join(state_dir, "logs")):
        import shutil

        shutil.rmtree(os.path.join(state_dir, "logs"))


def _supervise(asked: Manifest, state_dir: str, read: Callable[[], Manifest]) -> tuple[int, Manifest | None]:
    """Run one pod: the exit code, and what is to run in its place."""
    from initsup.api.client import JOURNAL
    from initsup.core.plan import plan
    from initsup.engine import Engine
    from initsup.journal import Journal
    from initsup.node.node import HostNode

    planned = plan(asked)
    node = HostNode(planned, state_dir)
    try:
        wall_zero = time.time() - time.monotonic()
        journal = Journal(os.path.join(state_dir, JOURNAL), planned, wall_zero)
        engine = Engine(planned, node, journal, node.where(), host=os.uname().nodename)
        node.on_dump = lambda: _dump(engine)
        node.on_reload = lambda: _reload(engine, node, read)
        engine.observers = _observers(engine, node)
        return _run(engine, node, state_dir), engine.successor
    finally:
        node.close()


def _observers(engine: Engine, node: HostNode) -> list[Any]:
    """The console, and systemd where it wants to be told."""
    from initsup.cli.progress import Progress

    observers: list[Any] = [Progress(node.console), *node.watchers()]
    if "NOTIFY_SOCKET" in os.environ:
        from initsup.cli.unit import Unit

        observers.append(Unit(dict(os.environ)))
    return observers


def _run(engine: Engine, node: HostNode, state_dir: str) -> int:
    from initsup.core.report import exit_code

    tcp = _listen(engine)
    engine.step()
    if not engine.facts.finished:
        import anyio

        anyio.run(_main, engine, state_dir, tcp)
    else:
        _keep(engine, state_dir)
    engine.journal.close()
    code, why = exit_code(engine.plan, engine.facts)
    if engine.trouble():
        node.console.say("degraded: " + "; ".join(engine.trouble()))
    node.console.say(f"pod {engine.plan.pod.metadata.name}: {why}, exit code {code}")
    return code


def _listen(engine: Engine) -> socket.socket | None:
    """Bind the address that was asked for, before anything is started. Raises InitsupError when it cannot be had."""
    address = engine.plan.asked.settings.listen
    if not address:
        return None
    from initsup.api.sockets import bind_tcp

    return bind_tcp(address)


async def _main(engine: Engine, state_dir: str, tcp: socket.socket | None) -> None:
    import gc

    import anyio

    from initsup.api.door import Door
    from initsup.api.server import serve
    from initsup.api.sockets import bind_unix

    over = anyio.Event()
    door = Door(engine, state_dir, tcp)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, over)
        try:
            listener = bind_unix(state_dir, SOCKET)
        except OSError as problem:
            engine.lacks(f"cannot listen in {state_dir}: {problem.strerror}")
        else:
            tasks.start_soon(serve, engine, listener, door, over)
        gc.collect()
        gc.freeze()
        await engine.run()
        _keep(engine, state_dir)
        over.set()
    for name in (SOCKET, API_SOCKET, KUBECONFIG):
        if os.path.lexists(os.path.join(state_dir, name)):
            os.unlink(os.path.join(state_dir, name))


def _reload(engine: Engine, node: HostNode, read: Callable[[], Manifest]) -> None:
    """Apply what the files say now; what is wrong with them is said and changes nothing."""
    try:
        restarted = engine.take_over(read())
    except InitsupError as problem:
        node.console.say(f"cannot reload: {problem}")
    else:
        node.console.say("reloaded" + (f", restarting {', '.join(restarted)}" if restarted else ""))


def _dump(engine: Engine) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(engine.facts), indent=1).decode()


def _keep(engine: Engine, state_dir: str) -> None:
    """Leave the last status and the events behind."""
    import json

    from initsup.api.client import EVENTS, POD

    for name, answer in ((EVENTS, engine.events()), (POD, engine.pod())):
        path = os.path.join(state_dir, name)
        try:
            with open(path + ".new", "w", opener=_private) as file:
                json.dump(answer, file)
            os.rename(path + ".new", path)
        except OSError as problem:
            print(f"initsup: cannot write {path}: {problem.strerror}", file=sys.stderr)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

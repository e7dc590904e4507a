"""`initsup run` replaces itself by the program that is installed now, and goes on where it was: see `node.handover`.

First the new program is tried: it gets the value that would be handed over, and says whether it can go on with it. Only
then, and when no lifecycle hook runs (they are neither cut short nor run twice), the one becomes the other. Whatever
goes wrong before that is said, and nothing has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from initsup import __version__
from initsup.api.door import Door, KeptDoor
from initsup.api.server import Desk, KeptDesk
from initsup.engine import Engine, KeptEngine
from initsup.errors import InitsupError
from initsup.node.handover import REHEARSAL, VARIABLE, Parcel, command, read, replace_program, write
from initsup.node.kept import KeptNode  # now: later it might be the next version's
from initsup.node.node import HostNode

if TYPE_CHECKING:
    import anyio

    from initsup.node.processes import Process

FORM = 2
"""Counts the changes of what is handed over that an older or newer program could not read."""
PATIENCE = 60.0
"""Seconds to wait for the rehearsal, and then for hooks that run."""


class Handover(msgspec.Struct, frozen=True):
    """All that is handed over. `lock` is the descriptor that keeps the state directory."""

    form: int
    state_dir: str
    lock: int
    engine: KeptEngine
    node: KeptNode
    door: KeptDoor
    desk: KeptDesk | None


class _Form(msgspec.Struct, frozen=True):
    """What of a Handover can be read in any form."""

    form: int


def unpack(value: bytes) -> Handover:
    """What was handed over. Raises InitsupError when it cannot be understood."""
    try:
        form = msgspec.msgpack.decode(value, type=_Form).form
        if form != FORM:
            raise InitsupError(f"cannot go on from form {form} of the handover, only from {FORM}")
        return msgspec.msgpack.decode(value, type=Handover)
    except msgspec.DecodeError as problem:
        raise InitsupError(f"cannot read what is handed over: {problem}") from None


def rehearse() -> int:
    """Say whether this program could go on with the value on stdin: read it, and have a first look at the pod."""
    from importlib import import_module

    from initsup.core.decide import decide
    from initsup.core.plan import plan

    kept = unpack(read(0))
    decide(plan(kept.engine.asked), kept.engine.facts, Engine.now())
    import_module("initsup.cli.progress")
    print(f"{REHEARSAL} {__version__}")
    return 0


class Succession:
    """Replaces the running program."""

    def __init__(
        self, engine: Engine, node: HostNode, state_dir: str, lock: int, door: Door, desk: Desk | None
    ) -> None:
        self.variables: Callable[[Parcel], dict[str, str]] = lambda _: {}
        """What else the new program shall find in its environment."""
        self._engine = engine
        self._node = node
        self._state_dir = state_dir
        self._lock = lock
        self._door = door
        self._desk = desk
        self._alone: anyio.Lock | None = None

    def by_signal(self) -> None:
        """Try it, and say it on the console when it could not be done."""
        self._node.begin(self._try)

    async def attempt(self) -> str:
        """Replace the program. Returns only when that could not be done, and says why."""
        import anyio

        self._alone = self._alone or anyio.Lock()
        async with self._alone:  # who comes second has the same wish: the new program answers both
            try:
                return await self._rehearse() or await self._wait_for_hooks() or self._replace()
            except Exception as problem:  # whatever is wrong with this is no reason to end the pod
                return f"{type(problem).__name__}: {problem}"

    async def _try(self) -> None:
        self._node.console.say(f"cannot replace the program: {await self.attempt()}")

    async def _rehearse(self) -> str:
        import anyio

        ended = anyio.Event()
        codes: list[int] = []

        def on_exit(code: int) -> None:
            codes.append(code)
            ended.set()

        files = [write(self._pack(Parcel())), write(b"")]
        process: Process | None = None
        try:
            variables = {**os.environ, VARIABLE: REHEARSAL}
            process = self._node.run_own(tuple(command()), variables, (files[0], files[1], files[1]), on_exit)
            with anyio.move_on_after(PATIENCE):
                await ended.wait()
            said = os.pread(files[1], 65536, 0).decode("utf-8", "replace").strip()
        finally:
            for fd in files:
                os.close(fd)
            if process is not None:
                process.kill()
        if codes == [0] and said.startswith(REHEARSAL):
            return ""
        how = f"ended with {codes[0]}" if codes else f"did not answer within {PATIENCE:g}s"
        return f"the new program {how} when it was tried{': ' * bool(said)}{said.rpartition(chr(10))[2]}"

    async def _wait_for_hooks(self) -> str:
        import anyio

        hooks = self._node.attempts.hooks()
        if hooks:
            self._node.console.say(f"before the program is replaced: waiting for {', '.join(hooks)}")
        with anyio.move_on_after(PATIENCE):
            while hooks:
                await self._engine.change()
                hooks = self._node.attempts.hooks()
        return f"{', '.join(hooks)} still ran after {PATIENCE:g}s" if hooks else ""

    def _replace(self) -> str:
        if self._engine.facts.finished:
            return "the pod is over"
        self._node.hold_signals()
        parcel = Parcel()
        try:
            replace_program(self._pack(parcel), parcel, self.variables(parcel))
        except OSError as problem:
            return f"exec: {problem.strerror}"
        finally:
            self._node.release_signals()

    def _pack(self, parcel: Parcel) -> bytes:
        desk = self._desk.handed_over(parcel) if self._desk is not None else None
        commands = tuple(one.command for one in desk.clients if one.command >= 0) if desk is not None else ()
        return msgspec.msgpack.encode(
            Handover(
                form=FORM,
                state_dir=self._state_dir,
                lock=parcel.keep(self._lock),
                engine=self._engine.handed_over(),
                node=self._node.handed_over(parcel, commands),
                door=self._door.handed_over(parcel),
                desk=desk,
            )
        )

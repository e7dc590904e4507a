"""The node: carries out actions on this host, and tells what has happened.

One thread and one epoll object. `do` returns at once; `collect` reads signals, reaps, pumps logs and hands out the
events that closed. Attempts of probes and hooks are the only coroutines; they run in the engine's task group.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from initsup.core.actions import Action, Hook, Prepare, Probe, Signal, Start
from initsup.core.events import (
    Died,
    Event,
    Evicted,
    Looked,
    Signalled,
    Started,
    StartFailed,
    StopAsked,
    VolumeFailed,
    VolumesReady,
)
from initsup.core.facts import User
from initsup.core.plan import Plan
from initsup.core.shutdown import SIGKILL
from initsup.errors import InitsupError
from initsup.node.attempts import Attempts
from initsup.node.box import Instance
from initsup.node.boxes import Boxes
from initsup.node.console import Console, Form
from initsup.node.failures import CannotCreate, CannotMount, SpawnError
from initsup.node.handover import Parcel
from initsup.node.logs import Pump
from initsup.node.place import HANGUP, STOPS, Signals
from initsup.node.processes import Ending, OnExit
from initsup.node.reaper import Reaper
from initsup.spec.pod import EphemeralContainer

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from initsup.core.report import Where
    from initsup.node.attempts import Work
    from initsup.node.joined import Joined
    from initsup.node.kept import KeptNode
    from initsup.node.processes import Process
    from initsup.node.quota import Quota
    from initsup.node.token import Renewal

LONGEST_WAIT = 86400.0
"""Seconds after which the loop looks up even if nothing has happened; epoll itself cannot wait for a month."""
STRAY_ROUNDS = 40
STRAY_PATIENCE = 0.05
"""Seconds that each round of the last clean-up waits for a child to end."""

_VOLUME = "volume"
"""How the troubles of volumes begin; no container has a name with a space."""


class HostNode:
    """Runs a pod's containers as processes of this host."""

    def __init__(self, plan: Plan, state_dir: str, kept: KeptNode | None = None) -> None:
        """Raises InvalidManifest when the pod is promised what this place cannot give, InitsupError when that cannot
        be told.

        `kept` is what the program that this one replaces has handed over.
        """
        settings = plan.asked.settings
        self.on_dump: Callable[[], str] = str
        """What to print for SIGUSR1."""
        self.on_reload: Callable[[], None] = lambda: None
        """What to do for SIGHUP."""
        self.on_reexec: Callable[[], None] = lambda: None
        """What to do for SIGUSR2."""
        self._poll = select.epoll()
        self._signals = Signals()
        self._poll.register(self._signals.fileno(), select.EPOLLIN)
        self._reaper = Reaper()
        names = tuple(plan.members)
        self.console = Console(self._poll, names, cast(Form, settings.console.format))
        self._mute(plan)
        self._troubles: dict[str, str] = {}
        self._pump = Pump(
            os.path.join(state_dir, "logs"),
            self._poll,
            self.console,
            max_size=settings.container_log_max_size,
            max_files=settings.container_log_max_files,
            degraded=self._log_trouble,
        )
        self._boxes = Boxes(plan, state_dir, self._reaper, self._pump, self.console.say)
        self._instances: dict[str, Instance] = {}
        self.attempts = Attempts(self.begin, self._running, self.post)
        self._events: list[Event] = []
        self._tasks: TaskGroup | None = None
        self._early: list[Work] = []
        self._watched: dict[int, Callable[[], None]] = {}
        self._ready: list[tuple[int, int]] = []
        self.wants_loop = False
        self._stops = 0
        self._waiting: list[Prepare | Start] = []
        self._commands: dict[int, tuple[Process, Ending]] = {}
        if kept is not None:
            self._resume(kept)
            return
        try:
            self._boxes.check_promises(plan.asked)
        except InitsupError:
            self.close()
            raise

    # -- the loop -----------------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """The epoll object's descriptor."""
        return self._poll.fileno()

    def do(self, action: Action) -> Event | None:
        """Carry out an action. Attempts close later, by `collect`."""
        match action:
            case Prepare():
                return self._prepare(action)
            case Start():
                return self._start(action)
            case Signal():
                return self._signal(action)
            case Probe() | Hook():
                self.attempts.start(action)
        return None

    def wait(self, patience: float | None) -> bool:
        """Wait until `collect` has something to do, as many seconds at most (None: as long as it takes); False: not."""
        self._ready = self._poll.poll(None if patience is None else min(patience, LONGEST_WAIT))
        return bool(self._ready)

    def collect(self) -> list[Event]:
        """What has happened since the last call."""
        ready, self._ready = self._ready or self._poll.poll(0), []  # asked again, they would come in another order
        for fd, _ in ready:
            if fd == self._signals.fileno():
                self._signalled()
            elif fd in self._pump:
                self._pump.ready(fd)
            elif fd in self.console:
                self.console.ready(fd)
        if self._signals.has_caught:  # meanwhile: whose output has ended has mostly ended itself
            self._signalled()
        events, self._events = self._events, []
        return events

    def attend(self) -> None:
        """Call what is to be called for the descriptors that are ready now."""
        if self._watched:
            for fd, _ in self._poll.poll(0):
                if fd in self._watched:
                    self._watched[fd]()

    def watch(self, fd: int, ready: Callable[[], None], *, writing: bool = False) -> None:
        """Have this called by `attend` whenever the descriptor can be read (or written), until `unwatch`."""
        self._watched[fd] = ready
        self._poll.register(fd, select.EPOLLOUT if writing else select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Not any more. To be called before it is closed."""
        if self._watched.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def post(self, event: Event) -> None:
        """Hand in an event from outside, and wake the loop."""
        if isinstance(event, StopAsked | Evicted):
            self._boxes.images.cancel()
        self._events.append(event)
        self._signals.wake()

    @property
    def tasks(self) -> TaskGroup | None:
        """Where coroutines run. Those begun before there is one wait for it."""
        return self._tasks

    @tasks.setter
    def tasks(self, tasks: TaskGroup | None) -> None:
        self._tasks = tasks
        early, self._early = self._early, []
        for work in early:
            self.begin(work)

    def begin(self, work: Work) -> None:
        """Run a coroutine, as soon as there is an event loop."""
        if self._tasks is None:
            self._early.append(work)
            self.wants_loop = True
        else:
            self._tasks.start_soon(work)

    # -- starting and ending ------------------------------------------------------------------------------------------

    def _prepare(self, action: Prepare) -> Event | None:
        """Make the volumes, when the images are there that they need."""
        if self._boxes.wait_for_images("", lambda: self._close(action, self._prepare_now())):
            self._waiting.append(action)
            return None
        return self._prepare_now()

    def _close(self, action: Prepare | Start, event: Event) -> None:
        """Tell how an action went that has waited for images."""
        self._waiting.remove(action)
        self._events.append(event)

    def _prepare_now(self) -> Event:
        try:
            self._boxes.prepare()
        except CannotMount as problem:
            return _failed(problem)
        return VolumesReady(at=_now())

    def _start(self, action: Start) -> Event | None:
        """Start an instance, when its image is there."""
        if self._boxes.wait_for_images(action.container, lambda: self._close(action, self._start_now(action))):
            self._waiting.append(action)
            return None
        return self._start_now(action)

    def _start_now(self, action: Start) -> Event:
        name, attempt = action.container, action.attempt
        box = self._boxes.of(name)
        target = box.spec.target_container_name if isinstance(box.spec, EphemeralContainer) else ""
        if target and target not in self._instances:
            return _not_started(action, "CreateContainerConfigError", f"unable to find target container {target}")
        try:
            process = box.start(attempt, self._dies(name, attempt))
        except CannotCreate as problem:
            return _not_started(action, problem.reason, problem.message)
        except SpawnError as problem:
            return _not_started(action, "RunContainerError", problem.message, box.user)
        except OSError as problem:
            return _not_started(action, "CreateContainerError", str(problem))
        self._instances[name] = Instance(box, attempt, process)
        return Started(at=_now(), container=name, attempt=attempt, pid=process.pid, user=box.user)

    def _dies(self, name: str, attempt: int) -> OnExit:
        return lambda code: self._died(name, attempt, code)

    def _died(self, name: str, attempt: int, code: int) -> None:
        """The main process and all that it left are gone: its output is taken in, then its end is told."""
        instance = self._instances.pop(name)
        self._pump.finish(name)
        oom, message = instance.box.ended(attempt, code)
        self._events.append(Died(at=_now(), container=name, attempt=attempt, code=code, oom=oom, message=message))
        self.attempts.cut_off(name, attempt)

    def _signal(self, action: Signal) -> Event:
        instance = self._running(action.container, action.attempt)
        if instance is not None:
            if action.last:
                instance.box.let_go()
            if action.signal == SIGKILL:
                instance.process.kill()
            else:
                instance.process.signal(action.signal)
        return Signalled(at=_now(), container=action.container, attempt=action.attempt, signal=action.signal)

    def _running(self, container: str, attempt: int) -> Instance | None:
        """An instance, as long as it lives."""
        instance = self._instances.get(container)
        return instance if instance is not None and instance.attempt == attempt else None

    # -- signals ------------------------------------------------------------------------------------------------------

    def _signalled(self) -> None:
        for number in self._signals.take():
            self._on_signal(number)
        self._reap()

    def _reap(self) -> None:
        if self._reaper.reap():
            self._boxes.processes.sweep()

    def _on_signal(self, number: int) -> None:
        at_once = number == signal.SIGQUIT
        if number in STOPS or at_once or (number == HANGUP and self._signals.on_terminal):
            self._stops += 1
            again = self._stops > 1 or at_once
            self._boxes.images.cancel()
            self._events.append(StopAsked(at=_now(), kill=again, by=signal.Signals(number).name))
        elif number == HANGUP:
            self.on_reload()
        elif number == signal.SIGUSR2:
            self.on_reexec()
        elif number == signal.SIGUSR1:
            print(self.on_dump(), file=sys.stderr, flush=True)

    # -- for clients --------------------------------------------------------------------------------------------------

    def execute(
        self,
        container: str,
        attempt: int,
        argv: tuple[str, ...],
        fds: tuple[int, ...],
        tty: bool,
        on_exit: Callable[[int], None],
    ) -> Process:
        """Run a command in a running container. Raises OSError when it cannot be started."""
        instance = self._running(container, attempt)
        if instance is None:
            raise OSError(f"container {container} is not running")
        try:
            return instance.box.run(argv, fds, on_exit, tty=tty)
        except SpawnError as problem:
            raise OSError(problem.errno, problem.message) from None

    def rejoin(self, number: int, on_exit: OnExit) -> Process:
        """A command that was handed over, by its old number."""
        process, ending = self._commands.pop(number)
        ending.wanted = on_exit
        if ending.code is not None:
            on_exit(ending.code)
        return process

    def processes(self, container: str) -> list[int]:
        """The pids of all processes of a container, its main process first."""
        instance = self._instances.get(container)
        return instance.process.tree.pids() if instance is not None else []

    def attach(self, container: str, attempt: int, take: Callable[[str, bytes], None]) -> Joined:
        """Join the streams of a running container. Raises OSError when it is not running."""
        from initsup.node.joined import Joined

        instance = self._running(container, attempt)
        if instance is None:
            raise OSError(f"container {container} is not running")
        self.listen(container, take)
        return Joined(instance, lambda: self.unlisten(container, take))

    def listen(self, container: str, take: Callable[[str, bytes], None]) -> None:
        """Hand on what a container writes from now on."""
        self._pump.listeners.setdefault(container, []).append(take)

    def unlisten(self, container: str, take: Callable[[str, bytes], None]) -> None:
        """Stop to do so."""
        listeners = self._pump.listeners.get(container, [])
        listeners.remove(take)
        if not listeners:
            self._pump.listeners.pop(container, None)

    # -- what changes, and what it tells ------------------------------------------------------------------------------

    def take_over(self, plan: Plan) -> None:
        """Go on with a changed manifest."""
        self._mute(plan)
        self._update_volumes(lambda: self._boxes.take_over(plan))

    def _mute(self, plan: Plan) -> None:
        """What somebody sees who debugs on a terminal would make a mess of this one; it is in the log all the same."""
        self.console.muted = frozenset(member.name for member in plan.ephemerals if member.spec.tty)

    def _update_volumes(self, update: Callable[[], None]) -> None:
        """A volume that cannot be written keeps what it has until the next time."""
        for key in [key for key in self._troubles if key.startswith(_VOLUME)]:
            del self._troubles[key]
        try:
            update()
        except CannotMount as problem:
            self._troubles.update({f"{_VOLUME} {volume}": message for volume, message in problem.all})
            self.post(_failed(problem))

    def degraded(self) -> list[str]:
        """What does not work as it should."""
        return [f"{name}: {text}" if name else text for name, text in self._troubles.items()]

    def where(self) -> Where:
        """What the status tells of this host."""
        return self._boxes.where()

    def watchers(self) -> list[Quota | Renewal]:
        """Who must look at something from time to time."""
        if not self._boxes.plan.pod.spec.volumes:  # as will be so: volumes cannot change
            return []
        from initsup.node.quota import Quota
        from initsup.node.token import Renewal

        volumes = self._boxes.volumes
        return [Quota(volumes), Renewal(volumes, lambda: self._update_volumes(volumes.renew_tokens))]

    def watch_sentinel(self, pid: int) -> None:
        """Say so when this child ends, which nobody should do to it."""

        def ended(_code: int, _signal: int) -> None:
            self._troubles[""] = "the sentinel was killed: if initsup is killed too, its containers go on"
            self._events.append(Looked(at=_now()))  # so that it is told

        self._reaper.watch(pid, ended)

    def _log_trouble(self, container: str, message: str) -> None:
        self._troubles[container] = message

    # -- replaced by another program ----------------------------------------------------------------------------------

    def run_own(self, argv: tuple[str, ...], env: dict[str, str], fds: tuple[int, ...], on_exit: OnExit) -> Process:
        """Run something of initsup's own. Raises SpawnError."""
        return self._boxes.run_own(argv, env, fds, on_exit)

    def hold_signals(self) -> None:
        """Let no signal come in: the program is about to be replaced."""
        self._signals.hold()

    def release_signals(self) -> None:
        """It was not replaced."""
        self._signals.release()

    def handed_over(self, parcel: Parcel, commands: tuple[int, ...]) -> KeptNode:
        """What a successor needs to know. `commands` are those for which the clients are handed over as well.

        Probes that are under way begin anew there; what they have started is killed.
        """
        from initsup.node.kept import KeptInstance, KeptNode

        return KeptNode(
            instances={n: KeptInstance(one.attempt, one.process.number) for n, one in self._instances.items()},
            under_way=(*self._waiting, *self.attempts.under_way),
            commands=commands,
            events=tuple(self._events),
            signals=self._signals.handed_over(),
            stops=self._stops,
            troubles=self._troubles,
            console=self.console.handed_over(),
            outputs=self._pump.handed_over(parcel),
            boxes=self._boxes.handed_over(parcel),
        )

    def _resume(self, kept: KeptNode) -> None:
        self.console.resume(kept.console)
        self._pump.resume(kept.outputs)
        endings = {number: Ending() for number in kept.commands}
        on_exits: dict[int, OnExit] = {one.process: self._dies(n, one.attempt) for n, one in kept.instances.items()}
        on_exits |= endings
        processes = self._boxes.resume(kept.boxes, on_exits)
        for name, one in kept.instances.items():
            self._instances[name] = Instance(self._boxes.of(name), one.attempt, processes[one.process])
        self._commands = {number: (processes[number], ending) for number, ending in endings.items()}
        self._events, self._stops, self._troubles = list(kept.events), kept.stops, dict(kept.troubles)
        self._signals.resume(kept.signals)
        for process in kept.boxes.processes:
            if process.doomed or process.number not in on_exits:  # nobody waits for it any longer
                processes[process.number].kill()
        for action in kept.under_way:
            event = self.do(action)
            if event is not None:
                self._events.append(event)

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End whatever is left, and give everything back."""
        for instance in self._instances.values():
            instance.process.kill()
        self._boxes.images.close()
        self._end_strays()
        self._pump.close()
        for line in self._boxes.close():
            self.console.say(line)
        self.console.close()
        self._poll.close()

    def _end_strays(self) -> None:
        """What was killed needs a moment to be reaped; what cannot be killed (in the kernel) is not waited for."""
        for _ in range(STRAY_ROUNDS):
            self._signals.take()
            self._reap()
            if self._boxes.processes.end_strays():
                return
            select.select([self._signals.fileno()], [], [], STRAY_PATIENCE)


def _failed(problem: CannotMount) -> VolumeFailed:
    return VolumeFailed(at=_now(), volume=problem.volume, message=problem.message, others=problem.others)


def _not_started(action: Start, reason: Any, message: str, user: User | None = None) -> StartFailed:
    return StartFailed(
        at=_now(), container=action.container, attempt=action.attempt, reason=reason, message=message, user=user
    )


def _now() -> float:
    return time.monotonic()

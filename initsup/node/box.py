"""A box: all that one container finds when it is started.

It starts the container's main process, and beside that what probes, hooks and `exec` run. `boxes` makes one for each
container, out of what they share.
"""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING

from msgspec.structs import replace

from initsup.core.facts import User
from initsup.core.plan import Member
from initsup.node import env, masks, termination
from initsup.node.failures import CannotRun, SpawnError
from initsup.node.handover import Parcel
from initsup.node.identity import can_be_others, given, resolve
from initsup.node.limits import oom_score
from initsup.node.mounts import View
from initsup.node.processes import OnExit, Process
from initsup.node.spawn import Launch

if TYPE_CHECKING:
    from initsup.node.attempt import Target
    from initsup.node.boxes import Boxes
    from initsup.node.cgroups import Cgroup
    from initsup.node.kept import KeptBox

_FDS_SPARE = 24
"""Descriptors that initsup keeps for itself: nothing is started with the last ones."""


class Box:
    """One container's."""

    def __init__(self, boxes: Boxes, member: Member) -> None:
        self.name = member.name
        self.spec = member.spec
        self.probes = member.probes
        self._boxes = boxes
        self.input = -1
        """Where to write what the container reads (`stdin`), or its terminal (`tty`); -1: it reads nothing."""
        self.main = 0
        """The pid of the main process, 0 when there is none."""
        self._launch: Launch | None = None
        self._view = View()
        self._cgroup: Cgroup | None = None

    def handed_over(self, parcel: Parcel) -> KeptBox:
        """What a successor needs to know."""
        from initsup.node.kept import KeptBox

        launch = self._launch
        return KeptBox(
            input=parcel.keep(self.input),
            main=self.main,
            launch=launch and replace(launch, argv=(), env={}),
            argv=tuple(map(os.fsencode, launch.argv)) if launch else (),
            env=tuple((os.fsencode(name), os.fsencode(text)) for name, text in launch.env.items()) if launch else (),
            view=self._view,
            cgroup=self._cgroup.handed_over() if self._cgroup is not None else None,
        )

    def resume(self, kept: KeptBox) -> None:
        """Go on with what was handed over."""
        self.input, self.main = kept.input, kept.main
        if kept.launch is not None:
            env = {os.fsdecode(name): os.fsdecode(text) for name, text in kept.env}
            self._launch = replace(kept.launch, argv=tuple(map(os.fsdecode, kept.argv)), env=env)
        self._view = kept.view
        self._cgroup = self._boxes.known_cgroup(kept.cgroup) if kept.cgroup is not None else None

    def target(self) -> Target:
        """What probes and hooks are aimed at."""
        from initsup.node.attempt import Target

        return Target(container=self.spec, pod=self._boxes.plan.full_name, address="127.0.0.1")

    @property
    def user(self) -> User | None:
        """Who the newest instance is, or was to be; None when it did not come to that."""
        return given(self._launch.identity) if self._launch is not None else None

    def take_over(self, member: Member) -> None:
        """Use a changed definition from the next start on."""
        self.spec = member.spec
        self.probes = member.probes

    def start(self, attempt: int, on_exit: OnExit) -> Process:
        """Start the main process of an instance. Raises CannotCreate, SpawnError, OSError; it leaves nothing then."""
        self._launch = None  # nothing of an instance before this one is told of it
        _check_descriptors(self._boxes.null)
        self._launch = self._prepared(attempt)
        begin = self._start_on_terminal if self.spec.tty else self._start_on_pipes
        try:
            process = self._confined(begin(attempt, self._launch.argv, on_exit))
            self.main = process.pid
            return process
        except (SpawnError, OSError):
            self.close_input()
            self._boxes.pump.finish(self.name)
            self._discard_cgroup()
            raise

    def _start_on_pipes(self, attempt: int, argv: tuple[str, ...], on_exit: OnExit) -> Process:
        pump = self._boxes.pump
        pipes: list[int] = []
        try:
            pipes.append(pump.pipe(self.name, attempt, "stdout"))
            pipes.append(pump.pipe(self.name, attempt, "stderr"))
            source = self._boxes.null
            if self.spec.stdin:
                source, self.input = os.pipe2(os.O_CLOEXEC)
                pipes.append(source)
                os.set_blocking(self.input, False)
            return self._spawn((source, *pipes[:2]), argv, on_exit)
        finally:
            for fd in pipes:
                os.close(fd)

    def run(self, argv: tuple[str, ...], fds: tuple[int, ...], on_exit: OnExit, *, tty: bool = False) -> Process:
        """Run another command beside the main process. Raises SpawnError."""
        _check_descriptors(self._boxes.null)
        if not self.main:
            raise SpawnError("exec", 0, "the container is not running")
        return self._spawn(fds, argv, on_exit, terminal=tty)

    def let_go(self) -> None:
        """No instance is started after the one that runs: what is run beside that finds it in its own view."""
        if self._launch is not None and self._boxes.mounts.let_go(self.name):
            self._launch = replace(self._launch, mount_namespace=None, beside=self.main)

    def close_input(self) -> None:
        """Nothing more will be written to the container: it reads an end."""
        if self.input >= 0:
            os.close(self.input)
            self.input = -1

    def ended(self, attempt: int, code: int) -> tuple[bool, str]:
        """Of an instance that has ended: whether its memory ran out, and its termination message."""
        self.close_input()
        self.main = 0
        message = termination.take(self._view.termination_log, self.spec.termination_message_path)
        if termination.wants_log(self.spec.termination_message_policy, code, message):
            message = self._boxes.pump.last_lines(self.name, attempt)
        oom = self._cgroup is not None and self._cgroup.oom_killed()
        self._discard_cgroup()
        return oom, message

    def _discard_cgroup(self) -> None:
        if self._cgroup is not None:
            self._boxes.discard(self._cgroup)
            self._cgroup = None

    def _confined(self, process: Process) -> Process:
        """A main process whose cgroup, if it has one, holds nothing but its tree."""
        if self._cgroup is not None:
            process.tree.cgroup = self._cgroup.directory
        return process

    def _start_on_terminal(self, attempt: int, argv: tuple[str, ...], on_exit: OnExit) -> Process:
        master, slave = os.openpty()
        try:
            self._boxes.pump.attach(master, self.name, attempt, "stdout")
            self.input = os.dup(master)
            return self._spawn((slave, slave, slave), argv, on_exit, terminal=True)
        finally:
            os.close(slave)

    def _prepared(self, attempt: int) -> Launch:
        """Everything about the start but the descriptors. Raises CannotCreate."""
        boxes = self._boxes
        asked = boxes.plan.asked
        variables = env.declared(asked, self.spec, boxes.context, boxes.volumes)
        image = boxes.images.mapping(self.spec.image)
        root = image.rootfs if image is not None else ""
        # Where nobody else can be had, best effort is to do without.
        any_user = asked.settings.best_effort and not can_be_others()
        user = image.user if image is not None and not any_user else None
        identity = resolve(asked.pod.spec, self.spec, user, pod=boxes.plan.full_name, root=root)
        argv = env.command(self.spec, image, variables)
        uid = identity.uid if identity is not None and identity.uid is not None else os.geteuid()
        whole = env.complete(
            asked, self.spec, variables, home=env.home_directory(uid, root or "/"), own=os.environ, image=image
        )
        self._view = boxes.mounts.view(self.spec, variables, attempt)
        self._cgroup = boxes.cgroup(self.spec, attempt)
        directory = self.spec.working_dir or (image.working_dir if image is not None else "")
        user_namespace, mount_namespace = (None, None, *self._view.namespaces)[-2:]
        return Launch(
            argv=argv,
            env=whole,
            stdin=0,
            stdout=1,
            stderr=2,
            cwd=directory or ("/" if root else boxes.cwd),
            mount_namespace=mount_namespace,
            user_namespace=user_namespace,
            uts_namespace=self._view.uts,
            root=self._view.root,
            own_processes=boxes.separates_processes,
            beside=boxes.target_of(self.spec),
            masked=masks.is_masked(self.spec, own_root=bool(root)),
            identity=identity,
            cgroups=self._cgroup.procs if self._cgroup is not None else (),
            oom_score_adj=oom_score(asked.pod.spec, self.spec) if boxes.qos != "BestEffort" else None,
        )

    def _spawn(
        self, fds: tuple[int, ...], argv: tuple[str, ...], on_exit: OnExit, *, terminal: bool = False
    ) -> Process:
        launch = self._launch
        if launch is None:
            raise SpawnError("exec", 0, "the container has never been started")
        if launch.own_processes and self.main:
            launch = replace(launch, own_processes=False, beside=self.main)
        launch = replace(
            launch,
            argv=argv,
            env={"TERM": "xterm", **launch.env} if terminal else launch.env,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            terminal=terminal,
        )
        return self._boxes.processes.start(launch, on_exit)


class Instance:
    """The running instance of a container."""

    __slots__ = ("attempt", "box", "process")

    def __init__(self, box: Box, attempt: int, process: Process) -> None:
        self.box = box
        self.attempt = attempt
        self.process = process


class BoxRunner:
    """Starts commands of probes and hooks in a box (`exec_attempt.Runner`)."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def run(self, argv: tuple[str, ...], stdout: int, stderr: int, ended: OnExit) -> Process:
        """Start one. Raises CannotRun."""
        try:
            return self._box.run(argv, (self._box._boxes.null, stdout, stderr), ended)
        except SpawnError as problem:
            raise CannotRun(problem.message) from None


def _check_descriptors(any_one: int) -> None:
    """Raises SpawnError when so few are left that initsup itself would soon be out of them.

    The lowest numbers are given out first, so that of one more tells how many there are.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        newest = os.dup(any_one)
    except OSError:
        newest = limit
    else:
        os.close(newest)
    if limit != resource.RLIM_INFINITY and newest > limit - _FDS_SPARE:
        raise SpawnError("pipe", errno.EMFILE, f"too many open files: initsup may have {limit} (ulimit -n)")

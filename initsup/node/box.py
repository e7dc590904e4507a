"""A box: all that one container finds when it is started.

`Boxes` makes them for a pod: volumes, views, log pipes. A box starts the container's main process, and beside it what
probes, hooks and `exec` run.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from initsup.core.facts import User
from initsup.core.plan import Member, Plan, plan
from initsup.core.qos import container_needs, pod_needs, qos_class
from initsup.errors import Problem
from initsup.node import env, masks, termination
from initsup.node.failures import CannotRun, SpawnError
from initsup.node.fields import Context
from initsup.node.handover import Parcel
from initsup.node.identity import can_be_others, given, resolve
from initsup.node.images import Images
from initsup.node.limits import (
    Cgroup,
    Cgroups,
    KeptCgroup,
    KeptCgroups,
    Limits,
    limits_of,
    oom_score,
    pids_of,
    pod_cgroup,
    unenforced,
)
from initsup.node.logs import Pump
from initsup.node.machine import Machine
from initsup.node.mounts import KeptMounts, Mounts, View
from initsup.node.processes import KeptProcess, OnExit, Process, Processes
from initsup.node.promises import broken, missing, reduced
from initsup.node.reaper import Reaper
from initsup.node.space import Way
from initsup.node.spawn import Launch
from initsup.node.tree import KeptForest
from initsup.node.volumes import KeptVolumes, Volumes
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, EphemeralContainer
from initsup.spec.settings import ImageMapping

if TYPE_CHECKING:
    from initsup.core.report import Where
    from initsup.node.attempt import Target

_FDS_EACH = 4
_FDS_MORE = 256
_FDS_SPARE = 24
"""Descriptors that initsup keeps for itself: nothing is started with the last ones."""


class KeptBox(msgspec.Struct, frozen=True):
    """A box as it is handed over. `argv` and `env` are those of `launch`, which need not be valid text."""

    input: int
    main: int
    launch: Launch | None
    argv: tuple[bytes, ...]
    env: tuple[tuple[bytes, bytes], ...]
    view: View
    cgroup: KeptCgroup | None


class KeptBoxes(msgspec.Struct, frozen=True):
    """All of them as they are handed over."""

    cwd: str
    boxes: dict[str, KeptBox]
    processes: tuple[KeptProcess, ...]
    forest: KeptForest
    images: dict[str, ImageMapping]
    volumes: KeptVolumes
    mounts: KeptMounts
    cgroups: KeptCgroups | None


class Box:
    """One container's."""

    def __init__(self, boxes: Boxes, member: Member) -> None:
        self.name = member.name
        self.spec = member.spec
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

    def start(self, attempt: int, on_exit: OnExit) -> Process:
        """Start the main process of an instance. Raises CannotCreate, SpawnError, OSError; it leaves nothing then."""
        _check_descriptors()
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
        _check_descriptors()
        if not self.main:
            raise SpawnError("exec", 0, "the container is not running")
        return self._spawn(fds, argv, on_exit, terminal=tty)

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


class Boxes:
    """All boxes of a pod, and what they share."""

    def __init__(
        self, plan: Plan, state_dir: str, reaper: Reaper, pump: Pump, say: Callable[[str], None] = lambda _: None
    ) -> None:
        _raise_descriptor_limit(len(plan.members) * _FDS_EACH + _FDS_MORE)
        plan = self.plan = _feasible(plan)
        self.processes = Processes(reaper)
        self.pump = pump
        self.cwd = _directory()
        self.null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.context = Context(uid=plan.pod.metadata.uid, machine=Machine())
        self.images = Images(plan.asked.settings, self.run_own, say)
        self.volumes = Volumes(plan.asked, state_dir, self.context, self.images.mapping)
        self.mounts = Mounts(plan.asked, self.volumes, state_dir, self.images.mapping, say)
        self.qos = qos_class(plan.pod.spec)
        self._boxes = {name: Box(self, member) for name, member in plan.members.items()}
        self._cgroups: Cgroups | None = None

    def run_own(self, argv: tuple[str, ...], env: dict[str, str], fds: tuple[int, ...], on_exit: OnExit) -> Process:
        """Run something of initsup's own, as initsup itself is. Raises SpawnError."""
        launch = Launch(argv=argv, env=env, stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd=self.cwd)
        return self.processes.start(launch, on_exit)

    def handed_over(self, parcel: Parcel) -> KeptBoxes:
        """What a successor needs to know."""
        processes, forest = self.processes.handed_over()
        return KeptBoxes(
            cwd=self.cwd,
            boxes={name: box.handed_over(parcel) for name, box in self._boxes.items()},
            processes=processes,
            forest=forest,
            images=self.images.handed_over(),
            volumes=self.volumes.handed_over(parcel),
            mounts=self.mounts.handed_over(parcel),
            cgroups=self._cgroups.handed_over() if self._cgroups is not None else None,
        )

    def resume(self, kept: KeptBoxes, on_exits: Mapping[int, OnExit]) -> dict[int, Process]:
        """Go on with what was handed over: the processes by their old numbers, as `on_exits` are."""
        self.cwd = kept.cwd
        self.images.resume(kept.images)
        self.volumes.resume(kept.volumes)
        self.mounts.resume(kept.mounts)
        if kept.cgroups is not None:
            self._cgroups = Cgroups(*self._cgroup_of_pod(), hierarchies=[])
            self._cgroups.resume(kept.cgroups)
        found = self.processes.resume(kept.processes, kept.forest, on_exits)
        for name, box in kept.boxes.items():
            self._boxes[name].resume(box)
        return found

    def known_cgroup(self, kept: KeptCgroup) -> Cgroup:
        """The cgroup of an instance that was handed over."""
        return self._pod_cgroups().known(kept)

    @property
    def separates_processes(self) -> bool:
        """Whether each container has processes of its own: that is asked for, and can be had."""
        spec = self.plan.pod.spec
        return spec.share_process_namespace is False and not spec.host_pid and self.volumes.space.way == "mount"

    def target_of(self, spec: Container) -> int:
        """The pid of a main process, in whose PID namespace an ephemeral container starts; 0: of none."""
        name = spec.target_container_name if isinstance(spec, EphemeralContainer) else ""
        return self._boxes[name].main if name and self.separates_processes else 0

    def of(self, name: str) -> Box:
        """The box of a container."""
        return self._boxes[name]

    def wait_for_images(self, container: str, then: Callable[[], None]) -> bool:
        """Have the images of the volumes, and of a container (empty: of none), see `Images.wait_for`."""
        if not self.images.any_archive:
            return False
        names = [volume.image.reference for volume in self.plan.pod.spec.volumes if volume.image is not None]
        return self.images.wait_for([*names, self._boxes[container].spec.image] if container else names, then)

    def prepare(self) -> None:
        """Make the volumes. Raises CannotMount."""
        self.volumes.prepare()

    def take_over(self, plan: Plan) -> None:
        """Go on with a changed manifest. Raises CannotMount when a volume cannot be written."""
        plan = self.plan = _feasible(plan)
        self.images.take_over(plan.asked.settings)
        self.mounts.take_over(plan.asked)
        for name, member in plan.members.items():
            if name in self._boxes:
                self._boxes[name].take_over(member)
            else:
                self._boxes[name] = Box(self, member)
        self.volumes.update(plan.asked)

    def cgroup(self, container: Container, attempt: int) -> Cgroup | None:
        """A cgroup for an instance that asks for resources, with what can be enforced here. Raises SpawnError."""
        limits = self._limits_of(container)
        if limits is None:
            return None
        return self._pod_cgroups().make(f"{container.name}-{attempt}", limits)

    def discard(self, cgroup: Cgroup) -> None:
        """An instance has ended."""
        self._pod_cgroups().discard(cgroup)

    def broken_promises(self, asked: Manifest) -> list[Problem]:
        """What a pod asks for and this place cannot give. Raises CannotMount when that cannot be told."""
        return broken(asked, self._way_of_volumes)

    def missing(self) -> list[str]:
        """What containers have to do without, a line each. Raises CannotMount when that cannot be told."""
        return missing(self.plan.asked, self._way_of_volumes)

    def _way_of_volumes(self) -> tuple[Way, str]:
        return self.volumes.space.way, self.volumes.space.refusal

    def not_enforced(self) -> list[str]:
        """Limits of the manifest that do not hold here, each with the reason."""
        return unenforced(self.plan.asked, lambda: self._pod_cgroups().missing)

    def _pod_cgroups(self) -> Cgroups:
        if self._cgroups is None:
            self._cgroups = Cgroups(*self._cgroup_of_pod())
        return self._cgroups

    def _cgroup_of_pod(self) -> tuple[str, Limits | None]:
        pod = self.plan.pod
        return pod_cgroup(pod.metadata.uid), limits_of(pod_needs(pod.spec), self._pids)

    def _limits_of(self, container: Container) -> Limits | None:
        spec = self.plan.pod.spec
        needs = container_needs(spec, container)
        # What the pod asks for takes a look at all containers, at the start of each one.
        return limits_of(needs, self._pids, weighed=bool(needs) and pod_needs(spec).cpu_request > 0)

    @property
    def _pids(self) -> int | None:
        return pids_of(self.plan.asked)

    def where(self) -> Where:
        """What the status tells of this host."""
        from initsup.core.report import Where

        return Where(ips=self.context.machine.ips, qos_class=self.qos)

    def close(self) -> list[str]:
        """Take everything away; what could not be, a line each."""
        if self._cgroups is not None:
            self._cgroups.close()
        self.mounts.remove()
        try:
            self.volumes.remove()
        except OSError as problem:
            return [f"cannot remove the volumes: {problem}"]
        finally:
            os.close(self.null)
        return []


def _feasible(asked: Plan) -> Plan:
    """What is left of a plan when promises that cannot be kept do not count."""
    manifest = reduced(asked.asked)
    return asked if manifest is asked.asked else plan(manifest)


def _directory() -> str:
    """Where containers start that ask for no other place: where initsup was started, if that is still there."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def _check_descriptors() -> None:
    """Raises SpawnError when so few are left that initsup itself would soon be out of them."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = limit - _FDS_SPARE
    if limit == resource.RLIM_INFINITY:
        return
    try:
        fcntl.fcntl(most, fcntl.F_GETFD)
    except OSError:
        return  # the lowest numbers are given out first: as long as this one is free, there never were more
    if len(os.listdir("/proc/self/fd")) > most:
        raise SpawnError("pipe", errno.EMFILE, f"too many open files: initsup may have {limit} (ulimit -n)")


def _raise_descriptor_limit(needed: int) -> None:
    """Make room for every container's pipes; containers inherit the limit, so it is raised only when it must be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""The boxes of a pod, and what they share: images, volumes, cgroups, and the processes in them."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from initsup.core.plan import Plan, plan
from initsup.core.qos import container_needs, pod_needs, qos_class
from initsup.errors import InitsupError, InvalidManifest
from initsup.node.box import Box
from initsup.node.failures import CannotMount
from initsup.node.fields import Context
from initsup.node.handover import Parcel
from initsup.node.images import Images
from initsup.node.limits import Limits, limits_of, pids_of, unenforced
from initsup.node.logs import Pump
from initsup.node.machine import Machine
from initsup.node.mounts import Mounts
from initsup.node.processes import OnExit, Process, Processes
from initsup.node.promises import broken, missing, reduced
from initsup.node.reaper import Reaper
from initsup.node.space import Way
from initsup.node.spawn import Launch
from initsup.node.volumes import Volumes
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, EphemeralContainer

if TYPE_CHECKING:
    from initsup.core.report import Where
    from initsup.node.cgroups import Cgroup, Cgroups
    from initsup.node.kept import KeptBoxes, KeptCgroup

_FDS_EACH = 4
_FDS_MORE = 256


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
        self._say = say

    def run_own(self, argv: tuple[str, ...], env: dict[str, str], fds: tuple[int, ...], on_exit: OnExit) -> Process:
        """Run something of initsup's own, as initsup itself is. Raises SpawnError."""
        launch = Launch(argv=argv, env=env, stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd=self.cwd)
        return self.processes.start(launch, on_exit)

    def handed_over(self, parcel: Parcel) -> KeptBoxes:
        """What a successor needs to know."""
        from initsup.node.kept import KeptBoxes

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
            from initsup.node.cgroups import Cgroups

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

    def check_promises(self, asked: Manifest) -> None:
        """Say what does not hold here; refuse what is promised and cannot be kept, unless that is accepted.

        Raises InvalidManifest, or InitsupError when it cannot be told.
        """

        def way() -> tuple[Way, str]:
            return self.volumes.space.way, self.volumes.space.refusal

        try:
            lost = broken(asked, way)
            lacking = missing(self.plan.asked, way)
        except CannotMount as problem:
            raise InitsupError(problem.message) from None
        for line in (*unenforced(self.plan.asked, lambda: self._pod_cgroups().missing), *lacking):
            self._say(line)
        if asked.settings.best_effort:
            for promise in lost:
                self._say(f"not given here: {promise._replace(hint='')}")
        elif lost:
            raise InvalidManifest(lost)

    def _pod_cgroups(self) -> Cgroups:
        if self._cgroups is None:
            from initsup.node.cgroups import Cgroups

            self._cgroups = Cgroups(*self._cgroup_of_pod())
        return self._cgroups

    def _cgroup_of_pod(self) -> tuple[str, Limits | None]:
        from initsup.node.cgroups import pod_cgroup

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
            self.processes.close()
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


def _raise_descriptor_limit(needed: int) -> None:
    """Make room for every container's pipes; containers inherit the limit, so it is raised only when it must be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

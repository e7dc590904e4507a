"""Small manifests, and processes inside what was made of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from initsup.node import syscalls
from initsup.node.fields import Context
from initsup.node.machine import Machine
from initsup.node.mounts import Mounts, View
from initsup.node.volumes import Volumes
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import Container, ObjectMeta, Pod, PodSpec
from initsup.spec.settings import ImageMapping, SupervisorConfiguration
from initsup.spec.settings import Volumes as VolumeSettings
from initsup.spec.volume import ConfigMapVolumeSource, EmptyDirVolumeSource, SecretVolumeSource, Volume, VolumeMount

GIB = 2**30
MACHINE = Machine(name="node-1", ips=("192.0.2.7", "2001:db8::7"), cpu=4000, memory=8 * GIB, storage=100 * GIB)
CONTEXT = Context(uid="0b6c1d3e-0000-4000-8000-000000000001", machine=MACHINE)


def manifest(
    *containers: Container,
    volumes: tuple[Volume, ...] = (),
    config_maps: dict[str, ConfigMap] | None = None,
    secrets: dict[str, Secret] | None = None,
    metadata: ObjectMeta | None = None,
    images: dict[str, ImageMapping] | None = None,
    inherit: tuple[str, ...] = (),
    mode: str = "auto",
    best_effort: bool = False,
    **spec: Any,
) -> Manifest:
    """A manifest with these containers."""
    return Manifest(
        pod=Pod(
            metadata=metadata or ObjectMeta(name="pod-1", namespace="team-a"),
            spec=PodSpec(containers=containers or (Container(name="c"),), volumes=volumes, **spec),
        ),
        config_maps=config_maps or {},
        secrets=secrets or {},
        settings=SupervisorConfiguration(
            images=images or {}, inherit_env=inherit, volumes=VolumeSettings(mode=mode), best_effort=best_effort
        ),
    )


def empty_dir(name: str = "v", **source: Any) -> Volume:
    """An emptyDir."""
    return Volume(name=name, empty_dir=EmptyDirVolumeSource(**source))


def config_volume(name: str = "cm", **source: Any) -> Volume:
    """A volume of the ConfigMap of the same name."""
    return Volume(name=name, config_map=ConfigMapVolumeSource(name=name, **source))


def secret_volume(name: str = "s", **source: Any) -> Volume:
    """A volume of the Secret of the same name."""
    return Volume(name=name, secret=SecretVolumeSource(secret_name=name, **source))


def mount(name: str, path: str, **how: Any) -> VolumeMount:
    """A volume mount."""
    return VolumeMount(name=name, mount_path=path, **how)


class World:
    """The volumes and views of one manifest; everything is removed at the end."""

    def __init__(self, made: Manifest, state: str) -> None:
        self.volumes = Volumes(made, state, CONTEXT)
        self.mounts = Mounts(made, self.volumes, state)
        self.containers = {container.name: container for container in made.pod.spec.containers}

    def view(self, name: str = "c", attempt: int = 0, **variables: str) -> View:
        """The view of one instance."""
        return self.mounts.view(self.containers[name], variables, attempt)

    def sh(self, script: str, name: str = "c", uid: int | None = None) -> str:
        """What a shell in the container prints, errors too, and its exit code if it is not 0."""
        view = self.mounts.current(name) or self.view(name)

        def enter() -> None:
            for fd in (*view.namespaces, *(() if view.uts is None else (view.uts,))):
                syscalls.setns(fd)
            if view.root is not None:
                os.chroot(view.root)
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.execv("/bin/sh", ["sh", "-c", script])

        return in_child(enter)

    def remove(self) -> None:
        """As the node does when all containers are gone."""
        self.mounts.remove()
        self.volumes.remove()


def in_child(work: Callable[[], object]) -> str:
    """What a forked child prints that does `work`, or execs."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for fd in (1, 2):
                os.dup2(write, fd)
            work()
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    os.close(write)
    with open(read, encoding="utf-8", errors="replace") as output:
        text = output.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return text + (f"exit {code}\n" if code else "")


def say(what: object) -> None:
    """Print in a child: its sys.stdout is still the test's."""
    os.write(1, f"{what}\n".encode())


def as_user(uid: int, work: Callable[[], object]) -> str:
    """The same as another user."""

    def change() -> None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        # As after an exec: or /proc/self would belong to root.
        syscalls._prctl(4, 1)
        work()

    return in_child(change)


def need_root() -> None:
    """Skip the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("not root")


def need_mounts(world: World) -> None:
    """Skip the test where mounts are not permitted."""
    if world.volumes.space.way != "mount":
        pytest.skip(f"mounts are not permitted here: {world.volumes.space.refusal or 'not root'}")

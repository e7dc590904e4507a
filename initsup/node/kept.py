"""The node as it is handed over to the program that replaces this one: what stands in the value (`handover`).

Each class has the part of the one that it is named after, which makes it in `handed_over` and takes it in `resume`. No
start needs any of them, so they are not beside those; a running program has them since its first container.
"""

from __future__ import annotations

import msgspec

from initsup.core.actions import Hook, Prepare, Probe, Start
from initsup.core.events import Event
from initsup.node.empty_dir import Medium
from initsup.node.hierarchies import Hierarchy
from initsup.node.mounts import Made, View
from initsup.node.namespaces import Namespaces
from initsup.node.space import Way
from initsup.node.spawn import Launch
from initsup.node.token import Token
from initsup.node.tree import KeptForest
from initsup.spec.settings import ImageMapping


class KeptOutlet(msgspec.Struct, frozen=True):
    """An outlet as it is handed over."""

    waiting: bytes
    dropped: int
    gone: bool


class KeptConsole(msgspec.Struct, frozen=True):
    """A console as it is handed over. `err` is None where stderr is the same as stdout."""

    out: KeptOutlet
    err: KeptOutlet | None
    open: tuple[str, str] | None
    status: str
    drawn: bool


class KeptLogFile(msgspec.Struct, frozen=True, array_like=True):
    """A log file as it is handed over; it is opened again. `rotated` are the time and count of the last rotation."""

    attempt: int
    lost: int
    rotated: tuple[str, int]


class KeptStream(msgspec.Struct, frozen=True):
    """A pipe as it is handed over."""

    fd: int
    name: str
    held: bytes
    chunk: int
    grown: bool


class KeptOutput(msgspec.Struct, frozen=True):
    """The output of one attempt of a container as it is handed over."""

    container: str
    file: KeptLogFile
    told: int
    streams: tuple[KeptStream, ...]


class KeptPoints(msgspec.Struct, frozen=True):
    """Mount points as they are handed over; `held` are descriptors by place."""

    known: tuple[str, ...]
    held: dict[str, int]
    made: tuple[str, ...]


class KeptLinks(msgspec.Struct, frozen=True):
    """Links as they are handed over: path → where it leads, the directories that were made for them, a descriptor."""

    made: dict[str, str]
    parents: list[str]
    held: int = -1


class KeptMounts(msgspec.Struct, frozen=True):
    """All views as they are handed over."""

    points: KeptPoints
    links: KeptLinks
    made: dict[str, Made]
    covered: tuple[str, ...]
    written: tuple[str, ...] = ()


class KeptSpace(msgspec.Struct, frozen=True):
    """A Space as it is handed over."""

    way: Way
    refusal: str
    base: Namespaces | None


class KeptVolumes(msgspec.Struct, frozen=True):
    """All volumes as they are handed over. `written` are those whose files are there; `memory` is MemoryPlace's."""

    space: KeptSpace | None
    media: dict[str, Medium]
    written: tuple[str, ...]
    tokens: tuple[tuple[str, str, Token], ...]
    memory: str | None


class KeptCgroup(msgspec.Struct, frozen=True):
    """The cgroup of an instance as it is handed over: directory → version."""

    directories: dict[str, int]


class KeptCgroups(msgspec.Struct, frozen=True):
    """All cgroups of a pod as they are handed over."""

    found: list[Hierarchy]
    missing: dict[str, str]
    pods: dict[str, Hierarchy]
    ready: bool
    left: tuple[KeptCgroup, ...]


class KeptBox(msgspec.Struct, frozen=True):
    """A box as it is handed over. `argv` and `env` are those of `launch`, which need not be valid text."""

    input: int
    main: int
    launch: Launch | None
    argv: tuple[bytes, ...]
    env: tuple[tuple[bytes, bytes], ...]
    view: View
    cgroup: KeptCgroup | None


class KeptInstance(msgspec.Struct, frozen=True):
    """An instance as it is handed over; `process` is the number of its main process."""

    attempt: int
    process: int


class KeptProcess(msgspec.Struct, frozen=True):
    """A process as it is handed over; its tree has the same place in `KeptForest`. `doomed`: it is being killed."""

    number: int
    pid: int
    code: int | None
    doomed: bool


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


class KeptNode(msgspec.Struct, frozen=True):
    """The node as it is handed over. `under_way` are attempts that have not ended, `commands` the numbers of what was
    started for clients that are handed over as well.
    """

    instances: dict[str, KeptInstance]
    under_way: tuple[Probe | Hook | Prepare | Start, ...]
    commands: tuple[int, ...]
    events: tuple[Event, ...]
    signals: tuple[int, ...]
    stops: int
    troubles: dict[str, str]
    console: KeptConsole
    outputs: tuple[KeptOutput, ...]
    boxes: KeptBoxes

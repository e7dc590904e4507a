"""What one program hands over to the next: all of it comes through, and what cannot be understood is refused."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from initsup.api.door import KeptDoor, KeptPort
from initsup.api.server import KeptClient, KeptDesk
from initsup.cli.handover import FORM, Handover, unpack
from initsup.core.actions import Kill, Probe, Start
from initsup.core.events import Began, Died, StopAsked
from initsup.core.facts import (
    BackOff,
    Condition,
    ContainerFacts,
    Exit,
    Exited,
    Facts,
    ProbeFacts,
    Refused,
    Running,
    Starting,
    Stop,
    Stopping,
    Volumes,
)
from initsup.core.narrate import Notice
from initsup.engine import KeptEngine
from initsup.errors import InitsupError
from initsup.journal import Kept, KeptNotices
from initsup.node.binds import Bind
from initsup.node.empty_dir import Medium
from initsup.node.hierarchies import Hierarchy
from initsup.node.identity import Identity
from initsup.node.kept import (
    KeptBox,
    KeptBoxes,
    KeptCgroup,
    KeptCgroups,
    KeptConsole,
    KeptInstance,
    KeptLinks,
    KeptLogFile,
    KeptMounts,
    KeptNode,
    KeptOutlet,
    KeptOutput,
    KeptPoints,
    KeptProcess,
    KeptSpace,
    KeptStream,
    KeptVolumes,
)
from initsup.node.mounts import Made, View
from initsup.node.namespaces import Namespaces
from initsup.node.spawn import Launch
from initsup.node.token import Token
from initsup.node.tree import KeptForest, KeptTree
from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.settings import ImageMapping
from tests.build import container, hooks, planned, probe, sidecar

EXIT = Exit(code=3, reason="Error", finished_at=12.5, message="last words", started_at=11.0, pid=70)

FACTS = Facts(
    began_at=1.25,
    containers={
        "a": ContainerFacts(state=Running(pid=71, since=2.0, hook="running"), attempt=2, last=EXIT, started=True),
        "b": ContainerFacts(
            state=Exited(EXIT, retry=True),
            attempt=9,
            back_off=BackOff(delay=160.0, used_at=10.0),
            refused=Refused(delay=160.0, until=170.0, at=10.0, unseen_end=True),
            probes={"liveness": ProbeFacts(due=math.inf, since=3.0, result=False, last=True, run=2, hold=True)},
            before=ContainerFacts(state=Starting(since=9.0)),
        ),
        "c": ContainerFacts(state=Stopping(pid=72, since=1.0, asked_at=5.0, deadline=35.0, message="m", term_at=6.0)),
    },
    volumes=Volumes(state="failed", retry_at=3.0, delay=2.0, message="no"),
    stop=Stop(at=5.0, deadline=35.0, why="deleted", grace=30.0),
    conditions={"Ready": Condition(status=False, since=1.0)},
)

MANIFEST = msgspec.structs.replace(
    planned(container("a", lifecycle=hooks(post_start=True)), container("b", liveness_probe=probe()), sidecar()).asked,
    config_maps={"c": ConfigMap(data={"key": "text"}, binary_data={"raw": b"\0\xff"})},
    secrets={"s": Secret(data={"key": b"\0secret"})},
)

SPACES = Namespaces(fds=(40, 41), inode=4026532000, directory=42, borrowed=1)

BOX = KeptBox(
    input=-1,
    main=71,
    launch=Launch(
        argv=(), env={}, stdin=0, stdout=1, stderr=2, identity=Identity(uid=5, groups=(1, 2)), cgroups=("/g",), mark=8
    ),
    argv=(b"sh", b"\xff"),
    env=((b"NAME", b"\xff\xfe"),),
    view=View(namespaces=(41,), inode=7, root="/r", termination_log="/t"),
    cgroup=KeptCgroup({"/sys/fs/cgroup/x": 2}),
)

HIERARCHY = Hierarchy(2, "/sys/fs/cgroup/a", ("cpu", "memory"), "/sys/fs/cgroup")

BOXES = KeptBoxes(
    cwd="/",
    boxes={"a": BOX, "b": msgspec.structs.replace(BOX, launch=None, cgroup=None)},
    processes=(KeptProcess(number=4, pid=71, code=None, doomed=False), KeptProcess(6, 80, 0, True)),
    forest=KeptForest(
        trees=(KeptTree(8, 8, {}, (71, 72), "/g"), KeptTree(3, 0, {"INITSUP_MARK": "3"}, (), "")),
        seen=((99, 12345, 1),),
        out_of_reach={98: 4},
        before=(2, 3),
        last_mark=3,
    ),
    images={"/i.tar": ImageMapping(command=("x",), rootfs="/cache/rootfs")},
    volumes=KeptVolumes(
        space=KeptSpace("mount", "", SPACES),
        media={"v": Medium("tmpfs", "size=1", False, 5)},
        written=("s",),
        tokens=(("v", "token", Token(b"abc", 5.5)),),
        memory="/dev/shm/x",
    ),
    mounts=KeptMounts(
        points=KeptPoints(("/data",), {"/data": 44}, ("/data",)),
        links=KeptLinks({"/l": "/where"}, ["/parent"]),
        made={"a": Made(BOX.view, SPACES, [Bind("volume", "/s", "/data", True, (1, 2), "sub")], 2, False)},
        covered=("/x",),
        written=("/etc/hosts",),
    ),
    cgroups=KeptCgroups([HIERARCHY], {"pids": "why"}, {"/p": HIERARCHY}, True, (KeptCgroup({"/p/a": 2}),)),
)

HANDOVER = Handover(
    form=FORM,
    state_dir="/run/initsup/x",
    lock=3,
    engine=KeptEngine(
        asked=MANIFEST,
        facts=FACTS,
        notices=KeptNotices(7, (Kept(Notice("Warning", "BackOff", "text", "path"), 5, 3, 1.0, 2.0),)),
        wall_zero=1.7e9,
        created=1.0,
        successor=MANIFEST,
        probed=(("a", "liveness", "success", 4),),
        lacking=("something",),
    ),
    node=KeptNode(
        instances={"a": KeptInstance(attempt=2, process=4)},
        under_way=(
            Probe(container="b", attempt=9, probe="liveness", reason="due"),
            Start(container="c", attempt=0),
        ),
        commands=(6,),
        events=(
            Died(at=1.0, container="a", attempt=2, code=137, oom=True),
            Began(at=2.0, action=Kill(container="a", attempt=2, deadline=math.inf, message="m")),
            StopAsked(at=3.0, kill=True, by="SIGTERM"),
        ),
        signals=(15, 17),
        stops=1,
        troubles={"a": "log"},
        console=KeptConsole(KeptOutlet(b"\xff waits", 3, False), None, ("a", "stdout"), "waiting", True),
        outputs=(
            KeptOutput(
                "a",
                KeptLogFile(2, 1, ("20260102-030405", 1)),
                1,
                (KeptStream(20, "stdout", b"ha\xff", 262144, True),),
            ),
        ),
        boxes=BOXES,
    ),
    door=KeptDoor(50, (KeptPort(51, "token", b"certificate", b"key"),)),
    desk=KeptDesk(52, (KeptClient(53, b"{}\n", (54, 55), b"rest", b"all of the rest", 6),)),
)


def packed(value: Any = HANDOVER) -> bytes:
    return msgspec.msgpack.encode(value)


def test_all_of_it_comes_through() -> None:
    assert unpack(packed()) == HANDOVER


def test_what_an_older_program_does_not_know_is_passed_over() -> None:
    more = {**msgspec.msgpack.decode(packed()), "invented_later": 1}
    assert unpack(packed(more)) == HANDOVER


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(packed({"form": FORM + 1}), f"from form {FORM + 1} of the handover", id="another form"),
        pytest.param(packed({"form": FORM}), "missing required field `state_dir`", id="a part of it"),
        pytest.param(packed()[:-1], "truncated", id="not all of it"),
        pytest.param(b"", "truncated", id="nothing"),
        pytest.param(b"\xc1", "malformed", id="something else"),
    ],
)
def test_what_cannot_be_understood_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(InitsupError, match=why):
        unpack(value)

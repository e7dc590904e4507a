"""Each part of the node goes on from what the one before it has handed over."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from initsup.node.handover import Parcel, read, write
from initsup.node.kept import KeptOutput
from initsup.node.mark import Marks
from tests.node.piping import Piping

OWN_EACH_TIME = {
    "engine.Engine": "_changed _fresh host journal node observers plan _find_where _where",
    "journal.Notices": "",
    "api.server.Client": "is_resumed kept_command",
    "api.server.Desk": "_door _engine _watches reexec",
    "api.door.Door": "_cluster _engine _loading _room _state_dir _tasks",
    "api.credential.Credential": "_context _server",
    "node.node.HostNode": "_boxes _early _poll _pump _reaper _ready _signals _tasks _watched attempts console "
    "on_dump on_reexec on_reload wants_loop",
    "node.box.Instance": "box",
    "node.attempts.Attempts": "_begin _post _running _scopes",
    "node.processes.Process": "_all _on_exit tree",
    "node.processes.Processes": "_forest _numbers reaper",
    "node.box.Box": "_boxes name probes spec",
    "node.boxes.Boxes": "_say context images mounts null plan processes pump qos volumes",
    "node.tree.Tree": "_forest",
    "node.tree.Forest": "_children _marks _me _reaper sighted launched",
    "node.mark.Marks": "_base _shift works",
    "node.cgroups.Cgroup": "directory procs",
    "node.cgroups.Cgroups": "_name _of_pod",
    "node.images.Images": "_failed _jobs _run _say _settings",
    "node.volumes.Volumes": "_context _image _manifest _state _volumes",
    "node.payload.Contents": "_context",
    "node.memory_place.MemoryPlace": "_name",
    "node.space.Space": "inside maker root workshop",
    "node.mounts.Mounts": "_image _manifest _say _state _volumes",
    "node.mount_points.MountPoints": "_mark",
    "node.links.Links": "_manifest _points _volumes",
    "node.logs.Pump": "_console _degraded _directory _limits _poll listeners",
    "node.logs._Stream": "output",
    "node.logfile.LogFile": "_directory _fd _kept _limits _path _size error",
    "node.console.Console": "_json _none _prefixes _raw muted",
    "node.outlet.Outlet": "_bound _own _poll _put fd is_terminal",
    "node.place.Signals": "_read _write on_terminal",
    "node.reaper.Reaper": "",
}
"""Class → what a program makes for itself; all else that it remembers must be handed over."""

HANDED_OVER = {
    "engine.Engine": "_lacking created facts notices probed successor wall_zero",
    "journal.Notices": "_kept _number",
    "api.server.Client": "command connection fds last received unsent",
    "api.server.Desk": "_clients _listener",
    "api.door.Door": "_listener _tcp",
    "api.credential.Credential": "certificate key token",
    "node.node.HostNode": "_commands _events _instances _stops _troubles _waiting",
    "node.box.Instance": "attempt process",
    "node.attempts.Attempts": "under_way",
    "node.processes.Process": "_code number pid",
    "node.processes.Processes": "_doomed _living",
    "node.box.Box": "_cgroup _launch _view input main",
    "node.boxes.Boxes": "_boxes _cgroups cwd",
    "node.tree.Tree": "cgroup env launched mark number",
    "node.tree.Forest": "_before _out_of_reach _seen _trees",
    "node.mark.Marks": "_used last",
    "node.cgroups.Cgroup": "_directories",
    "node.cgroups.Cgroups": "_found _left _pods _ready missing",
    "node.images.Images": "_there",
    "node.volumes.Volumes": "_contents _media _memory _payloads _space",
    "node.payload.Contents": "tokens",
    "node.memory_place.MemoryPlace": "directory",
    "node.space.Space": "base refusal way",
    "node.mounts.Mounts": "_covered _links _made _points _written",
    "node.mount_points.MountPoints": "_held _known _made",
    "node.links.Links": "_held _made _parents",
    "node.logs.Pump": "_outputs _streams",
    "node.logs._Stream": "chunk grown held name",
    "node.logfile.LogFile": "_rotated attempt lost",
    "node.console.Console": "_drawn _err _open _out _status",
    "node.outlet.Outlet": "_waiting dropped gone",
    "node.place.Signals": "_caught",
    "node.reaper.Reaper": "watched",
}
"""Class → what it hands over, or what can be told from that."""


@pytest.mark.parametrize("name", OWN_EACH_TIME)
def test_nothing_is_forgotten(name: str) -> None:
    """Whoever adds an attribute decides whether a program that replaces this one must know it."""
    module, _, owner = name.rpartition(".")
    source = inspect.getsource(getattr(importlib.import_module(f"initsup.{module}"), owner))
    found = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    known = {*OWN_EACH_TIME[name].split(), *HANDED_OVER[name].split()}
    assert found <= known, "is it to be handed over?"


def test_a_value_is_read_from_where_it_was_written() -> None:
    value = os.urandom(100_000)
    assert read(write(value)) == value


def test_no_mark_is_given_out_twice() -> None:
    before, after = Marks(), Marks()
    taken = [before.take() for _ in range(3)]
    before.give_back(taken[1])
    after.resume([taken[0], taken[2]], before.last)
    assert after.take() not in taken
    after.give_back(taken[0])
    assert {after.take() for _ in range(100)}.isdisjoint([taken[2]])


class Handing:
    """A pump and a console, and those that come after them in the same directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.old = Piping(directory, "text", max_size=4096, max_files=50)
        self.new: Piping | None = None

    def hand_over(self) -> Piping:
        """A new one goes on; the old one's descriptors stay open, as over an exec."""
        parcel = Parcel()
        kept = msgspec.msgpack.encode(self.old.pump.handed_over(parcel))
        console = self.old.console.handed_over()
        new = self.new = Piping(self.directory, "text", max_size=4096, max_files=50)
        new.console.resume(console)
        for fd in parcel.descriptors:
            self.old.poll.unregister(fd)
        new.pump.resume(msgspec.msgpack.decode(kept, type=tuple[KeptOutput, ...]))
        new.writers = self.old.writers
        self.old.writers = {}
        return new


@pytest.fixture
def handing(tmp_path: Path) -> Iterator[Handing]:
    made = Handing(tmp_path)
    yield made
    if made.new is not None:
        made.new.close()
    made.old.poll.close()


def test_a_line_that_has_begun_is_ended_by_the_next_one(handing: Handing) -> None:
    handing.old.write(b"one\ntwo begins")
    os.write(handing.old.writers["web", 0, "stdout"], b", goes on")  # stays in the pipe
    handing.old.write(b"error\npart", stream="stderr")
    new = handing.hand_over()
    new.turn()
    new.write(b" and ends\nthree\n")
    new.end()
    assert new.read() == b"one\nerror\ntwo begins, goes on and ends\nthree\npart"


def test_a_long_line_is_cut_where_it_would_have_been(handing: Handing) -> None:
    handing.old.write(b"x" * 10_000)
    new = handing.hand_over()
    new.write(b"y" * 10_000 + b"\n")
    new.end()
    assert new.read() == b"x" * 10_000 + b"y" * 10_000 + b"\n"


def test_rotation_goes_on(handing: Handing) -> None:
    lines = [b"%04d %s\n" % (number, b"-" * 90) for number in range(400)]
    for line in lines[:200]:
        handing.old.write(line)
    new = handing.hand_over()
    for line in lines[200:]:
        new.write(line)
    new.end()
    assert new.read() == b"".join(lines)
    assert all(len(data) <= 4096 for data in new.files().values())


def test_a_terminal_that_shows_half_a_line_gets_the_other_half(handing: Handing) -> None:
    handing.old.console.show("web", "stdout", b"t", b"half a line", whole=False)
    new = handing.hand_over()
    new.console.show("web", "stdout", b"t", b", the other\n", whole=True)
    assert new.shown == b"[web]     half a line, the other\n"

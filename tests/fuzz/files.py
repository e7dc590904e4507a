"""Files: manifests in three forms, settings on the command line, archives of images, logs, journals."""

from __future__ import annotations

import atexit
import gzip
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from initsup.core.apply import begin
from initsup.core.events import StopAsked
from initsup.errors import InvalidManifest
from initsup.journal import Journal, Replay
from initsup.load.read import load
from initsup.load.source import documents
from initsup.node.env_file import BadFile, find
from initsup.node.image_unpack import unpack
from initsup.node.logread import Reader, last_lines
from tests.build import container, planned, probe, sidecar
from tests.fuzz.judge import Target
from tests.load.test_fuzz import JSON, TOML, YAML, paths_in, survives
from tests.node.image_world import Layout, directory, entry, hardlink, layer, saved, symlink, tarred
from tests.node.test_logread import LOG, numbered
from tests.sim import Life, World

CONFIGS = Path(__file__).parents[2] / "configs"
ROOM = Path(tempfile.mkdtemp(prefix="fuzz-"))
atexit.register(shutil.rmtree, ROOM, ignore_errors=True)


def _manifest(name: str) -> Callable[[bytes], None]:
    return lambda data: survives(ROOM / name, data)


def _examples(suffix: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(CONFIGS.rglob(f"*{suffix}"))]


def _value(data: bytes) -> None:
    """Something else in one place of a manifest: two bytes say where, the rest is the value, as JSON or as text."""
    (ROOM / "whole.yaml").write_text(YAML)
    objects = [document.body for document in documents(str(ROOM / "whole.yaml"), [])]
    ways = [way for way in paths_in(objects) if len(way) > 1]
    way = ways[int.from_bytes(data[:2], "big") % len(ways)]
    target = objects
    for step in way[:-1]:
        target = target[step]
    try:
        target[way[-1]] = json.loads(data[2:])
    except (ValueError, RecursionError):
        target[way[-1]] = data[2:].decode(errors="surrogateescape")
    try:
        text = "\n".join(json.dumps(one) for one in objects)
    except RecursionError:
        return
    survives(ROOM / "whole.json", text.encode(errors="replace"))


def _override(data: bytes) -> None:
    (ROOM / "base.json").write_text(JSON)
    try:
        load([str(ROOM / "base.json")], data.decode(errors="surrogateescape").split("\n"))
    except InvalidManifest:
        return


def _archive(data: bytes) -> None:
    (ROOM / "image.tar").write_bytes(data)
    try:
        unpack(str(ROOM / "image.tar"), str(ROOM / "cache"), 2**22)
    finally:
        shutil.rmtree(ROOM / "cache", ignore_errors=True)


def _archives() -> list[bytes]:
    place = Path(tempfile.mkdtemp(dir=ROOM))
    one = layer(directory("etc"), entry("etc/a", b"text"), symlink("b", "etc/a"), hardlink("c", "etc/a"))
    two = layer(entry("etc/.wh.a"), entry("long" * 40, b"x" * 600), directory("d", mode=0o1777, uid=5))
    made = []
    for number, pack in enumerate((lambda data: data, gzip.compress)):
        layout = Layout(place / f"layout{number}")
        layout.write(layout.image(one, two, config={"Cmd": ["a"], "User": "1:2"}, compress=pack))
        made.append(Path(tarred(layout.path, place / f"{number}.tar")).read_bytes())
    made.append(Path(saved(place / "saved.tar", one, two, one, config={"Env": ["A=b"]})).read_bytes())
    shutil.rmtree(place)
    return made


def _log(data: bytes) -> None:
    """The first bytes choose the options, the rest are one or two files."""
    head, body = data[:4].ljust(4, b"\0"), data[4:]
    place = ROOM / "log"
    place.mkdir(exist_ok=True)
    (place / "0.log").write_bytes(body[head[1] :])
    (place / "0.log.20260101-000000").write_bytes(body[: head[1]])
    tail = (None, 0, 1, 3, 100)[head[0] % 5]
    since, stream = ("", "2026-01-02T03:04:02.000000001Z")[head[2] & 1], ("", "stderr")[head[2] >> 1 & 1]
    reader = Reader(str(place), 0, tail=tail, since=since, stream=stream, timestamps=bool(head[2] & 4),
                    prefix=b"> " if head[2] & 8 else b"", limit=head[3] or None)  # fmt: skip
    pieces = list(itertools.takewhile(bool, (reader.more() for _ in range(1000))))
    reader.close()
    assert reader.done
    assert len(b"".join(pieces)) <= (head[3] or 10 * len(data) + 100)
    assert len(last_lines(str(place), 0, 80, 2048)) <= 2048


def _journal(data: bytes) -> None:
    (ROOM / "journal").write_bytes(data)
    try:
        Replay(str(ROOM / "journal"))
    except msgspec.DecodeError:
        return


def _journals() -> list[bytes]:
    plan = planned(container("a", liveness_probe=probe()), inits=(sidecar(),), policy="Always", initial=1)
    world = World(plan, {"a": Life(lasts=3.0, code=1)}, StopAsked(at=30.0, by="test"))
    journal = Journal(str(ROOM / "seed"), plan, 0.0)
    journal.begin(begin(plan, 0.0))
    world.run(until=100)
    for event in world.events:
        journal.add(event)
    journal.flush(world.facts)
    journal.close()
    return [(ROOM / "seed").read_bytes()]


def _env_file(data: bytes) -> None:
    try:
        find(data.decode(errors="replace"), "KEY")
    except BadFile:
        return


TARGETS = {
    "yaml": Target(_manifest("a.yaml"), [YAML.encode(), *_examples(".yaml")]),
    "toml": Target(_manifest("a.toml"), [TOML.encode(), *_examples(".toml")]),
    "json": Target(_manifest("a.json"), [JSON.encode()]),
    "unnamed": Target(_manifest("a"), [YAML.encode(), TOML.encode(), JSON.encode()]),
    "value": Target(_value, [bytes((n, n * 7 % 256)) + b'{"name": ["a", -1, null]}' for n in range(0, 60, 3)]),
    "override": Target(_override, [b'images."a:1.2".command=["x"]\nconsole.format=raw', b"images.a.env.K=v=w"]),
    "archive": Target(_archive, _archives()),
    "log": Target(_log, [bytes(head) + LOG + numbered(1, 5) for head in ((0, 0, 0, 0), (3, 30, 5, 9), (2, 99, 10, 0))]),
    "journal": Target(_journal, _journals()),
    "env-file": Target(_env_file, [b"# c\nA='b'\nKEY='two\nlines' # d\n"]),
}

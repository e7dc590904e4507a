"""Containers with all their probes every second: is the schedule kept, what does an attempt cost, is anything left?

    python -m tests.bench.probes [--minutes 5] [--containers 100] [--kinds exec http tcp mixed]

One run for each kind of probe, in which a container's startup, liveness and readiness probes are of that kind (mixed:
one of each). When an attempt came is noted by what is probed: a server with a port for each probe, and a FIFO that the
commands write to. CPU is initsup's own, and that of the commands that it has started, from the kernel's books.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from initsup.node.syscalls import become_subreaper
from tests.stories.driver import Story, descendants

PERIOD = 1.0
ROLES = ("startupProbe", "livenessProbe", "readinessProbe")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Measured(NamedTuple):
    """What came of a run. Times in seconds, CPU in milliseconds."""

    kind: str
    expected: int
    done: int
    lateness: list[float]
    """Of each attempt, counted from the most punctual one of its probe."""
    drift: float
    """How much later the most punctual attempt of the second half of the run is than that of the first (median)."""
    own: float
    """CPU of initsup for one attempt."""
    commands: float
    """CPU of what it has started for one attempt."""
    threads: int
    left: int
    """Processes below initsup at the end that are neither containers nor the sentinel."""
    strays: int
    """Processes that outlived it."""
    restarts: int
    unhealthy: int

    def line(self) -> str:
        late = sorted(round(one * 1e3) for one in self.lateness)
        p50, p90, p99 = (late[len(late) * part // 100] for part in (50, 90, 99))
        return (
            f"{self.kind:6} {self.done}/{self.expected} attempts, late p50 {p50} p90 {p90} p99 {p99} "
            f"max {late[-1]} ms, drift {self.drift * 1e3:+.1f} ms, "
            f"CPU {self.own:.3f} ms + {self.commands:.3f} ms of commands, {self.threads} thread(s), {self.left} left, "
            f"{self.strays} stray(s), {self.restarts} restart(s), {self.unhealthy} failure(s)"
        )


class Probed:
    """What is probed. `seen`: when attempts of each probe (container and role) came."""

    def __init__(self, home: Path) -> None:
        self.seen: dict[str, list[float]] = {}
        self._selector = selectors.DefaultSelector()
        self._fifo = home / "fifo"
        os.mkfifo(self._fifo)
        self._reader = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK)
        self._selector.register(self._reader, selectors.EVENT_READ)
        self._listeners: list[socket.socket] = []

    def probe(self, kind: str, name: str) -> dict[str, Any]:
        """A probe of this kind, which is told from all others."""
        self.seen[name] = []
        if kind == "exec":
            return {"exec": {"command": ["sh", "-c", f"echo {name} > {self._fifo}"]}, "periodSeconds": 1}
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self._listeners.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, (kind, name))
        port = listener.getsockname()[1]
        return {"tcpSocket" if kind == "tcp" else "httpGet": {"port": port}, "periodSeconds": 1}

    def serve(self, until: float) -> None:
        """Answer probes until a time (monotonic)."""
        while (left := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                now = time.monotonic()
                if key.fd == self._reader:
                    for name in os.read(self._reader, 65536).decode().split():
                        self.seen[name].append(now)
                elif key.data is None:
                    self._answer(key.fileobj)
                else:
                    self._accept(key.fileobj, *key.data, now)

    def _accept(self, listener: Any, kind: str, name: str, now: float) -> None:
        connection, _ = listener.accept()
        self.seen[name].append(now)
        if kind == "tcp":
            connection.close()
        else:
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: Any) -> None:
        self._selector.unregister(connection)
        if connection.recv(65536):
            connection.sendall(ANSWER)
        connection.close()

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        os.close(self._reader)
        self._selector.close()


def measure(kind: str, containers: int, seconds: float, home: Path) -> Measured:
    """Run a pod of so many containers for so long after it has become ready."""
    probed = Probed(home)
    kinds = ("exec", "http", "tcp") if kind == "mixed" else (kind,) * 3
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probed"}, "spec": {}}
    pod["spec"]["containers"] = [
        {"name": f"c{number}", "command": ["sleep", "infinity"]}
        | {role: probed.probe(kinds[(number + turn) % 3], f"{role}{number}") for turn, role in enumerate(ROLES)}
        for number in range(containers)
    ]
    (home / "pod.json").write_text(json.dumps(pod))
    story = Story(home, home / "pod.json")
    try:
        while not all(probed.seen[f"{role}{number}"] for role in ROLES[1:] for number in range(containers)):
            assert story.process.poll() is None, story.said()
            probed.serve(time.monotonic() + 0.1)
        probed.serve(time.monotonic() + PERIOD / 2)  # so that the run begins and ends between two attempts
        return _observe(kind, probed, story, seconds)
    finally:
        story.close()
        probed.close()


def _observe(kind: str, probed: Probed, story: Story, seconds: float) -> Measured:
    steady = {name: times for name, times in probed.seen.items() if not name.startswith(ROLES[0])}
    for times in steady.values():
        times.clear()
    supervisor, threads = story.supervisor, 1
    before, begin = supervisor.cpu_times(), time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        probed.serve(min(now + 1.0, begin + seconds))
        threads = max(threads, supervisor.num_threads())
    after = supervisor.cpu_times()
    done = sum(map(len, steady.values()))
    lasting = [one for one in descendants(supervisor) if one.create_time() < time.time() - 5]
    pod = story.get() or {}
    events = json.loads(story.ask("events", "-o", "json").stdout)["items"]
    story.ask("delete", "--now")
    story.ended()
    late, drift = _lateness(list(steady.values()), begin + seconds / 2)
    own = after.user + after.system - before.user - before.system
    commands = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(
        kind,
        round(len(steady) * seconds / PERIOD),
        done,
        late,
        drift,
        own * 1e3 / done,
        commands * 1e3 / done,
        threads,
        left=len(lasting) - len(pod["spec"]["containers"]) - 1,
        strays=len(story.strays()),
        restarts=sum(one["restartCount"] for one in pod["status"]["containerStatuses"]),
        unhealthy=sum(one["count"] for one in events if one["reason"] == "Unhealthy"),
    )


def _lateness(streams: list[list[float]], middle: float) -> tuple[list[float], float]:
    """How late attempts came, and the drift. A schedule begins after the widest gap in its round of a period."""
    late: list[float] = []
    drifts: list[float] = []
    for times in streams:
        round_ = sorted(at % PERIOD for at in times)
        gaps = [(after - before) % PERIOD for before, after in zip([round_[-1], *round_], round_, strict=False)]
        begins = round_[gaps.index(max(gaps))]
        found = [(at - begins) % PERIOD for at in times]
        late += found
        halves = [
            min(one for one, at in zip(found, times, strict=True) if (at > middle) is later) for later in (False, True)
        ]
        drifts.append(halves[1] - halves[0])
    return late, statistics.median(drifts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--containers", type=int, default=100)
    parser.add_argument("--kinds", nargs="+", default=["exec", "http", "tcp", "mixed"])
    asked = parser.parse_args()
    become_subreaper()
    print(
        f"{asked.containers} containers, {asked.minutes:g} min each, {psutil.cpu_count()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for kind in asked.kinds:
        with tempfile.TemporaryDirectory() as home:
            print(measure(kind, asked.containers, asked.minutes * 60, Path(home)).line(), flush=True)


if __name__ == "__main__":
    main()

"""The measures. Each takes one sample of one peer, and gives figures by name."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.peers import Peer
from tests.bench.supervised import ENDED, STARTED, SUPERVISOR, Supervised

Figures = dict[str, float]
MIB = 2**20
AS_PID_1 = ("unshare", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")), "--pid", "--fork", "--mount-proc")


def cold(peer: type[Peer], work: Path) -> Figures:
    """One service: from the supervisor's exec until the service has been exec'ed."""
    with Supervised(peer, work, ["wait"]) as run:
        return {"first container exec'ed, ms": 1e3 * run.wait_for(1)}


def init(peer: type[Peer], work: Path) -> Figures:
    """Three steps that end, one after the other, and then the service."""
    with Supervised(peer, work, ["step"] * 3 + ["wait"], steps=3) as run:
        return {"three init steps and the container, ms": 1e3 * run.wait_for(4)}


def scale(count: int) -> Callable[[type[Peer], Path], Figures]:
    """So many services: the time until all run, what that costs, and the time until all are gone."""

    def measure(peer: type[Peer], work: Path) -> Figures:
        with Supervised(peer, work, ["wait"] * count) as run:
            started = run.wait_for(count)
            time.sleep(1.5)
            found = {
                f"{count} running, ms": 1e3 * started,
                f"{count} running, CPU ms": 1e3 * run.cpu(),
                f"{count}: PSS MiB": run.pss(),
                f"{count}: threads": run.count("task"),
                f"{count}: descriptors each": run.count("fd") / count,
            }
            if count == 1000 and "state" not in peer.cannot:
                found["state of 1000, ms"] = 1e3 * statistics.median(_timed(run.peer.pids) for _ in range(10))
            found[f"stop {count}, ms"] = 1e3 * run.stop()
            return found

    return measure


def restart(peer: type[Peer], work: Path) -> Figures:
    """Forty services that end by turns: from a service's last word until its replacement has been exec'ed."""
    with Supervised(peer, work, [f"crash {1200 + 10 * index}" for index in range(40)]) as run:
        waits = _restarts(run, 160, 12.0)
        return {"restart p50, ms": statistics.median(waits), "restart p99, ms": sorted(waits)[len(waits) * 99 // 100]}


def crash(peer: type[Peer], work: Path) -> Figures:
    """One service that ends at once, again and again."""
    with Supervised(peer, work, ["crash 20"]) as run:
        return {"crash loop p50, ms": statistics.median(_restarts(run, 150, 8.0))}


def notice(peer: type[Peer], work: Path) -> Figures:
    """SIGKILL of a service: the time until the state does not show that process any more."""
    waits = []
    with Supervised(peer, work, ["wait"]) as run:
        run.wait_for(1)
        for _ in range(8):
            pid = _until(run, lambda pid: pid > 0)
            time.sleep(1.2)  # past any pause of those who hold an early end against a service
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            _until(run, lambda found, pid=pid: found != pid)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
    return {"SIGKILL until the state shows it, ms": 1e3 * statistics.median(waits)}


def idle(peer: type[Peer], work: Path) -> Figures:
    """A hundred services and nothing to do: CPU and wake-ups a minute."""
    with Supervised(peer, work, ["wait"] * min(100, peer.most)) as run:
        run.wait_for(min(100, peer.most))
        time.sleep(4)
        cpu, switches = run.cpu(), run.switches()
        time.sleep(15)
        return {
            "idle, CPU ms a minute": 4e3 * (run.cpu() - cpu),
            "idle, wake-ups a minute": 4 * (run.switches() - switches),
        }


def orphans(count: int) -> Callable[[type[Peer], Path], Figures]:
    """As PID 1: a service leaves so many orphans, which end at once; the time from the last one to the last zombie."""

    def measure(peer: type[Peer], work: Path) -> Figures:
        with Supervised(peer, work, [f"orphans {count}"], under=AS_PID_1) as run:
            run.wait_for(1, ENDED, 120.0)
            (init,) = _children(run.process.pid)
            made = next(stamp.at for stamp in run.stamps() if stamp.what == ENDED)
            while any(_is_zombie(pid) for pid in _children(init)):
                if time.monotonic() > made + 10:
                    raise TimeoutError("the end of the last zombie")
            return {f"{count} orphans, the last zombie gone, ms": 1e3 * (time.monotonic() - made)}

    return measure


def log(writers: int, mib: int) -> Callable[[type[Peer], Path], Figures]:
    """Writers of lines of 100 bytes: how fast these get to the log files, at what price, and whether any is lost."""

    def measure(peer: type[Peer], work: Path) -> Figures:
        with Supervised(peer, work, [f"flood {mib * MIB}"] * writers, logged=True) as run:
            run.wait_for(writers, ENDED, 120.0)
            lines = writers * (mib * MIB // 100)
            count = 0
            for _ in range(300):
                count = sum(_lines(path) for name in run.names for path in run.peer.logs(name))
                if count >= lines:
                    break
                time.sleep(0.05)
            stamps = [stamp for stamp in run.stamps() if stamp.who != SUPERVISOR]
            seconds = max(s.at for s in stamps if s.what == ENDED) - min(s.at for s in stamps if s.what == STARTED)
            title = f"log, {writers} x {mib} MiB"
            return {
                f"{title}, MB/s": lines * 100 / seconds / 1e6,
                f"{title}, CPU s a GiB": run.cpu() / (lines * 100 / 2**30),
                f"{title}, lines lost": lines - count,
            }

    return measure


def commands(peer: type[Peer], work: Path) -> Figures:
    """What a person types, from exec to exit."""
    count = min(100, peer.most)
    with Supervised(peer, work, ["wait"] * count) as run:
        run.wait_for(count)
        asking = run.peer.asking()
        if asking is None:
            return {}
        found = {f"state of {count} as a command, ms": 1e3 * min(_command(asking) for _ in range(5))}
        if peer.name == "initsup":
            words = [asking[0], "health", *asking[2:]]
            found["health as a command, ms"] = 1e3 * min(_command(words) for _ in range(5))
        return found


# -- pieces ----------------------------------------------------------------------------------------------------------


def _restarts(run: Supervised, count: int, patience: float) -> list[float]:
    """Milliseconds of so many restarts, or as many as there are in the time."""
    deadline = time.monotonic() + patience
    waits: list[float] = []
    while len(waits) < count and time.monotonic() < deadline:
        time.sleep(0.2)
        ended: dict[int, float] = {}
        waits = []
        for stamp in sorted((stamp for stamp in run.stamps() if stamp.who >= 0), key=lambda stamp: stamp.at):
            if stamp.what == ENDED:
                ended[stamp.who] = stamp.at
            elif stamp.who in ended:
                waits.append(1e3 * (stamp.at - ended.pop(stamp.who)))
    if not waits:
        raise TimeoutError("a restart")
    return waits


def _until(run: Supervised, holds: Callable[[int], bool]) -> int:
    """Ask without a pause until what is said of the first service's pid (0: none) is so."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            pid = run.peer.pids().get(run.names[0], 0)
        except OSError:
            continue
        if holds(pid):
            return pid
    raise TimeoutError("the state")


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _timed(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def _command(words: list[str]) -> float:
    return _timed(lambda: subprocess.run(words, capture_output=True, check=False))


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(MIB), b""))


class Row:
    """A measure: its services, and how many rounds it is worth."""

    def __init__(self, measure: Callable[[type[Peer], Path], Figures], services: int = 1, rounds: int = 3) -> None:
        self.measure, self.services, self.rounds = measure, services, rounds


ROWS = {
    "cold": Row(cold, rounds=9),
    "init": Row(init, rounds=5),
    "scale1": Row(scale(1)),
    "scale10": Row(scale(10), 10),
    "scale100": Row(scale(100), 100),
    "scale1000": Row(scale(1000), 1000),
    "restart": Row(restart, 40),
    "crash": Row(crash),
    "notice": Row(notice, rounds=2),
    "idle": Row(idle, 1, rounds=1),
    "commands": Row(commands),
    "orphans": Row(orphans(20_000)),
    "log": Row(log(1, 256)),
    "log50": Row(log(50, 10), 50, rounds=2),
}
GOALS = {
    "1000 running, ms": 900, "1000 running, CPU ms": 500, "restart p50, ms": 1.5, "crash loop p50, ms": 1.5,
    "SIGKILL until the state shows it, ms": 1.2, "stop 1000, ms": 110, "stop 100, ms": 45, "1: PSS MiB": 15,
    "100: PSS MiB": 17, "1000: PSS MiB": 22, "idle, CPU ms a minute": 0, "idle, wake-ups a minute": 0,
    "state of 1000, ms": 4, "state of 100 as a command, ms": 48, "health as a command, ms": 30,
    "20000 orphans, the last zombie gone, ms": 3,
}  # fmt: skip
"""What initsup is to stay below."""

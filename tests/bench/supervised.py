"""One supervisor that runs its services: started, watched from outside by /proc, ended, and nothing left behind."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

from tests.bench.peers import Peer, Service

STARTED, ENDED = 0, 1
SUPERVISOR = -1
"""Its id in the stamps; services have theirs from 0."""


class Stamp:
    """What one program has written: who, what, and when in seconds of the monotonic clock."""

    __slots__ = ("at", "what", "who")

    def __init__(self, who: int, what: int, at: int) -> None:
        self.who, self.what, self.at = who, what, at / 1e9


class Supervised:
    """A context in which a peer runs."""

    def __init__(
        self,
        peer: type[Peer],
        work: Path,
        modes: list[str],
        *,
        steps: int = 0,
        logged: bool = False,
        under: tuple[str, ...] = (),
    ) -> None:
        """`modes`: what each service does, in the words of child.c; the first `steps` are those that end. `under`: the
        words before the supervisor's own.
        """
        self.place = work / peer.name.replace(": ", "-").replace(" + ", "-")
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        self.child = self.place / "child"
        shutil.copy2(work / "child", self.child)  # of its own, so that no process of this run can be missed
        self._stamps = self.place / "stamps"
        self.names = [f"s{index}" for index in range(len(modes))]
        services = [
            Service(
                name, [str(self.child), str(self._stamps), str(index), *mode.split()], step=index < steps, logged=logged
            )
            for index, (name, mode) in enumerate(zip(self.names, modes, strict=True))
        ]
        self.peer = peer(self.place)
        command = [str(self.child), str(self._stamps), str(SUPERVISOR), "exec", *under, *self.peer.command(services)]
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            command, cwd=self.place, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *exc: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(100):
                left = self._processes()
                self.process.poll()
                if not left:
                    shutil.rmtree(self.place, ignore_errors=True)
                    return
                for pid in left:
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        continue
                time.sleep(0.05)
        raise RuntimeError(f"{self.peer.name} leaves {left} behind")

    def _processes(self) -> list[int]:
        """All that belong to this run: what executes its child, or was started in its directory."""
        found = [] if self.process.poll() is not None else [self.process.pid]
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != self.process.pid:
                try:
                    places = [os.readlink(f"/proc/{name}/{link}") for link in ("exe", "cwd")]
                except OSError:
                    continue
                if any(place.startswith(f"{self.place}/") or place == str(self.place) for place in places):
                    found.append(int(name))
        return found

    # -- what the children tell --------------------------------------------------------------------------------------

    def stamps(self) -> list[Stamp]:
        """All stamps so far."""
        data = self._stamps.read_bytes() if self._stamps.exists() else b""
        return [Stamp(*record) for record in struct.iter_unpack("<iiq", data[: len(data) // 16 * 16])]

    def wait_for(self, count: int, what: int = STARTED, patience: float = 60.0) -> float:
        """Wait until so many services have given this stamp; the seconds from the supervisor's exec to the last one.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            stamps = self.stamps()
            first = {}
            for stamp in stamps:
                if stamp.who >= 0 and stamp.what == what:
                    first.setdefault(stamp.who, stamp.at)
            if len(first) >= count:
                return max(first.values()) - stamps[0].at
            time.sleep(0.002 if count < 50 else 0.02)
        raise TimeoutError(f"{count} starts")

    # -- what /proc tells --------------------------------------------------------------------------------------------

    def supervisors(self) -> list[int]:
        """The supervisor and its helpers: what does not execute the child."""
        own = str(self.child)
        return [pid for pid in self._processes() if _link(f"/proc/{pid}/exe") != own]

    def cpu(self) -> float:
        """CPU seconds of them all so far."""
        total = 0
        for pid in self.supervisors():
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def switches(self) -> int:
        """How often they have waited for something."""
        total = 0
        for pid in self.supervisors():
            for task in Path(f"/proc/{pid}/task").iterdir():
                found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)
                total += int(found[1]) if found else 0
        return total

    def pss(self) -> float:
        """MiB of memory, with a share of what is shared."""
        total = 0
        for pid in self.supervisors():
            found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            total += int(found[1]) if found else 0
        return total / 1024

    def count(self, directory: str) -> int:
        """Entries of a directory of /proc/PID, of all supervisors together: `fd`, `task`."""
        return sum(len(os.listdir(f"/proc/{pid}/{directory}")) for pid in self.supervisors())

    # -- the end -----------------------------------------------------------------------------------------------------

    def stop(self, patience: float = 60.0) -> float:
        """End it as one does; the seconds until nothing of it lives. Raises TimeoutError."""
        waiting = select.poll()
        living = [os.pidfd_open(pid) for pid in self._processes()]
        for fd in living:
            waiting.register(fd, select.POLLIN)
        began = time.monotonic()
        self.process.send_signal(self.peer.stop_signal)
        left = len(living)
        try:
            while left:
                ended = waiting.poll(max(began + patience - time.monotonic(), 0) * 1000)
                if not ended:
                    raise TimeoutError("stop")
                for fd, _ in ended:
                    waiting.unregister(fd)
                left -= len(ended)
        finally:
            for fd in living:
                os.close(fd)
        return time.monotonic() - began


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""

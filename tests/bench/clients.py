"""Whether clients slow the pod down: how long a container that was killed takes to be there again, with and without.

    python -m tests.bench.clients [--clients 50] [--rounds 6] [--restarts 40] [--lines 20]

So many watches of the pod and so many followed logs, one of them never read, over STATE/api.sock from a process of
their own. Rounds with and without them alternate in one run, so that whatever else the machine does meets both. Printed
are medians and quartiles from SIGKILL until the next instance runs: ms of the clock, and ms of the CPU that initsup has
used in between, which a busy machine does not change; what it uses for one restart with all that follows; and its
memory (PSS, MiB).
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POD = """\
metadata = {{name = "bench"}}
terminationGracePeriodSeconds = 1

[supervisor]
crashLoopBackOff = {{initialPeriod = "0s", maxPeriod = "0s"}}
console = {{format = "none"}}

[[containers]]
name = "again"
command = ["sh", "-c", "echo $$$$ > {fifo}; exec sleep 1000"]

[[containers]]
name = "talk"
command = ["{python}", "-ISc", '''
import time
while True:
    print("a line of some length, as programs write them all the time", flush=True)
    time.sleep({pause})
''']
"""
WATCH = "/api/v1/namespaces/default/pods?watch=1"
FOLLOW = "/api/v1/namespaces/default/pods/bench/log?container=talk&follow=1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Pod:
    """The pod that is measured."""

    def __init__(self, home: Path, lines: float) -> None:
        self.state = home / "s"
        fifo = home / "fifo"
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDWR)
        (home / "p.toml").write_text(POD.format(python=sys.executable, fifo=fifo, pause=1 / lines))
        words = [sys.executable, "-m", "initsup", "run", str(home / "p.toml"), "--state-dir", str(self.state)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.child = self._born()

    @property
    def listens(self) -> bool:
        """Whether clients can come."""
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(str(self.state / "api.sock")) == 0

    def _born(self) -> int:
        assert select.select([self._fifo], [], [], 30)[0], "nothing was started"
        return int(os.read(self._fifo, 100))

    def restart(self) -> tuple[float, float]:
        """Milliseconds from the kill until the next instance runs: of the clock, and of initsup's CPU."""
        killed, used = time.monotonic(), self.cpu
        os.kill(self.child, signal.SIGKILL)
        self.child = self._born()
        return (time.monotonic() - killed) * 1000, self.cpu - used

    @property
    def cpu(self) -> float:
        """Milliseconds of the CPU that initsup has used (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.process.pid << 3 | 2) * 1000

    @property
    def memory(self) -> float:
        """PSS in MiB."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(text.partition("Pss:")[2].split()[0]) / 1024

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        os.close(self._fifo)


def attend(path: str, count: int) -> None:
    """Be the clients: say so when all are answered, and read until our input ends. The last follower never reads."""
    os.nice(19)  # what the clients do with it is not what is measured
    poll, connections = select.epoll(), {}
    for target, accept in [(WATCH, TABLE)] * count + [(FOLLOW, "*/*")] * count:
        one = socket.socket(socket.AF_UNIX)
        one.connect(path)
        one.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        connections[one.fileno()] = one
    never = one.fileno()
    for fd in connections.keys() - {never}:
        poll.register(fd, select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    print("there", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                return
            connections[fd].recv(65536)


class Clients:
    """They come with `with`, and go after it."""

    def __init__(self, pod: Pod, count: int) -> None:
        self._words = [sys.executable, "-m", "tests.bench.clients", "--attend", str(pod.state / "api.sock")]
        self._words += ["--clients", str(count)]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"there\n"

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)


def measure(pod: Pod, restarts: int) -> tuple[list[tuple[float, float]], float]:
    """What each restart took, and the CPU of each with all that follows."""
    used = pod.cpu
    found = []
    for _ in range(restarts):
        found.append(pod.restart())
        select.select([], [], [], 0.2)  # what follows from it shall not fall into the next one
    return found, (pod.cpu - used) / restarts


def quartiles(numbers: list[float]) -> str:
    low, middle, high = statistics.quantiles(numbers, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def main(clients: int, rounds: int, restarts: int, lines: float) -> None:
    with tempfile.TemporaryDirectory() as home:
        pod = Pod(Path(home), lines)
        try:
            while not pod.listens:
                select.select([], [], [], 0.05)
            with Clients(pod, 1):  # what is imported when the first client comes is not what is measured
                measure(pod, 5)
            found: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
            used: dict[str, list[float]] = {"without": [], "with": []}
            memory: dict[str, list[float]] = {"without": [], "with": []}
            for _ in range(rounds):
                for which in found:
                    if which == "with":
                        with Clients(pod, clients):
                            latencies, cpu = measure(pod, restarts)
                            memory[which].append(pod.memory)
                    else:
                        latencies, cpu = measure(pod, restarts)
                        memory[which].append(pod.memory)
                    found[which] += latencies
                    used[which].append(cpu)
            for which, took in found.items():
                wall, cpu = (quartiles([one[index] for one in took]) for index in (0, 1))
                whole = statistics.median(used[which])
                print(
                    f"{which:>8} {2 * clients} clients: {wall} ms, {cpu} ms of CPU; {whole:.2f} "
                    f"ms of CPU with what follows; PSS {memory[which][0]:.1f}, at last {memory[which][-1]:.1f} MiB"
                )
            for index, name in enumerate(("clock", "CPU")):
                middle = {which: statistics.median(one[index] for one in took) for which, took in found.items()}
                print(f"   ratio of the medians by the {name}: {middle['with'] / middle['without']:.3f}")
        finally:
            pod.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--restarts", type=int, default=40)
    parser.add_argument("--lines", type=float, default=20, help="lines a second that the followed container writes")
    parser.add_argument("--attend", metavar="SOCKET", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.attend:
        attend(given.attend, given.clients)
    else:
        main(given.clients, given.rounds, given.restarts, given.lines)

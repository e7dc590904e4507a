"""How fast the pump is: writers of 100-byte lines, their pipes, stamped log files that rotate. Not a test.

    python tests/bench/bench_logs.py [rounds] [MiB] [console form]

One writer of so many MiB, then 50 of 20 MiB each; the median and the best, CPU seconds of the pump a GiB, lines lost.
LOGS_DIR (/dev/shm) is where the logs go.
"""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import sys
import tempfile
import time

from initsup.node.console import Console
from initsup.node.logs import Pump

LINE = 100
BLOCK = 655  # lines in a write: just under 64 KiB
WRITER = f"""
import os, sys
blocks, block = int(sys.argv[1]), (b"x" * {LINE - 1} + b"\\n") * {BLOCK}
for _ in range(blocks):
    os.write(1, block)
"""


def measure(writers: int, mebibytes: int, form: str) -> tuple[float, float, int]:
    """MB/s, CPU seconds a GiB, lines lost."""
    blocks = mebibytes * 2**20 // (LINE * BLOCK)
    with tempfile.TemporaryDirectory(dir=os.environ.get("LOGS_DIR", "/dev/shm")) as directory:
        poll = select.epoll()
        with open("/dev/null", "wb") as null:
            console = Console(poll, (), form, stdout=null.fileno(), stderr=2)
            pump = Pump(directory, poll, console, max_size=16_000_000, max_files=1000)
            children, reading = [], set()
            for index in range(writers):
                writer = pump.pipe(f"c{index}", 0, "stdout")
                children.append(subprocess.Popen([sys.executable, "-ISc", WRITER, str(blocks)], stdout=writer))
                os.close(writer)
                reading = {fd for fd in range(1000) if fd in pump}
            poll.poll()
            begin, used = time.monotonic(), time.process_time()
            while reading:
                for fd, _ in poll.poll():
                    pump.ready(fd)
                    if fd not in pump:
                        reading.discard(fd)
            took, cpu = time.monotonic() - begin, time.process_time() - used
            pump.close()
            for child in children:
                child.wait()
        size = writers * blocks * BLOCK * LINE
        lines = 0
        for folder, _, names in os.walk(directory):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    lines += sum(data.count(b"\n") for data in iter(lambda file=file: file.read(2**20), b""))
    return size / took / 1e6, cpu * 2**30 / size, size // LINE - lines


def main(rounds: int = 5, mebibytes: int = 1024, form: str = "none") -> None:
    for label, writers, each in (("1 writer", 1, mebibytes), ("50 writers of 20 MiB", 50, 20)):
        rates, cpus, lost = zip(*(measure(writers, each, form) for _ in range(rounds)), strict=True)
        print(
            f"{label}: {statistics.median(rates):.0f} MB/s (best {max(rates):.0f}), "
            f"{statistics.median(cpus):.2f} CPU s/GiB (best {min(cpus):.2f}), {sum(lost)} lines lost"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])

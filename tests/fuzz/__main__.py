"""Feed made-up input to everything in initsup that reads what others have written.

    python -m tests.fuzz --minutes 60 [--target NAME]…

The time is CPU time, shared out evenly among the targets, one after the other, each in a process of its own. Where
atheris is installed the input is made after what it covers, else by chance. A finding is an exception that the target
does not announce, or an input that takes more than `PATIENCE`; it is printed once for each place, with its input.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from typing import Any

from tests.fuzz.hunt import hunt
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="of CPU, for all targets together")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="may be given several times")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    names = asked.target or sorted(TARGETS)
    worst = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as room:
        os.environ["TMPDIR"] = room
        for name in names:
            result = _apart(name, asked.minutes * 60 / len(names), asked.seed)
            print(f"{name:<12} {result['executions']:>9} executions {result['cpu']:>7.0f} s CPU "
                  f"{len(result['findings'])} findings", flush=True)  # fmt: skip
            for place, finding in sorted(result["findings"].items()):
                worst = 1
                print(f"  {place}\n    {finding['what']}\n    input {finding['input']}", flush=True)
    return worst


def _apart(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """What comes of one target in a process of its own; one that is torn down is followed by another."""
    total: dict[str, Any] = {"executions": 0, "cpu": 0.0, "findings": {}}
    context = multiprocessing.get_context("spawn")
    while total["cpu"] < seconds:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=hunt, args=(name, seconds - total["cpu"], seed, theirs))
        child.start()
        theirs.close()
        last: dict[str, Any] = {"executions": 0, "cpu": 0.0, "findings": {}}
        try:
            while True:
                last = json.loads(ours.recv_bytes())
        except EOFError:
            child.join()
        total["findings"] |= last["findings"]
        total["executions"] += last["executions"]
        total["cpu"] += last["cpu"]
        seed += 1
        if not last["executions"]:
            total["findings"]["the process"] = {"what": f"ended with {child.exitcode}", "input": ""}
            break
    return total


if __name__ == "__main__":
    raise SystemExit(main())

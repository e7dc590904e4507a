"""initsup beside other supervisors: `python -m tests.bench`, as root or as anyone; the README says more.

Each round takes one sample of every peer that is installed, in turn, the floors first, so that a neighbour on the
machine disturbs all alike. The results go to `bench.json`, `bench.md` (medians) and `bench.svg` in the directory of
`--out`. A C compiler is needed.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import report
from tests.bench.peers import HERE, PEERS, FloorAnyio, Peer
from tests.bench.rows import GOALS, ROWS, Row


def compiled(work: Path) -> None:
    """The programs in C."""
    for name in ("child", "floor"):
        subprocess.run(["cc", "-O2", "-o", str(work / name), str(HERE / f"{name}.c")], check=True)


def sample(row: str, peer: type[Peer], work: Path) -> dict[str, float]:
    """One sample; none, with a line that says why, when it cannot be had."""
    try:
        return ROWS[row].measure(peer, work)
    except (TimeoutError, OSError, RuntimeError) as problem:
        print(f"{row}: {peer.name}: none: {problem!r}", flush=True)
        return {}


def takes(row: str, peer: type[Peer]) -> bool:
    return row not in peer.cannot and ROWS[row].services <= peer.most


def measured(rows: list[str], peers: list[type[Peer]], rounds: int | None, work: Path) -> report.Results:
    """All figures, in interleaved rounds."""
    results: report.Results = {}
    for name in rows:
        row: Row = ROWS[name]
        began = time.monotonic()
        for _ in range(rounds or row.rounds):
            for peer in peers:
                if takes(name, peer):
                    for figure, value in sample(name, peer, work).items():
                        results.setdefault(figure, {}).setdefault(peer.name, []).append(value)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return results


def main() -> int:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--peers", help="names, separated by commas (default: all that are installed)")
    parser.add_argument("--rounds", type=int, help="of each row (default: what it is worth)")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="a directory")
    args = parser.parse_args()
    if not shutil.which("cc"):
        print("a C compiler (cc) is needed", file=sys.stderr)
        return 2
    peers = [peer for peer in PEERS if not args.peers or peer.name in args.peers.split(",")]
    for peer in peers:
        if why := peer.missing():
            print(f"{peer.name}: left out: {why}")
    peers = [peer for peer in peers if not peer.missing()]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="bench.", dir=memory if memory.is_dir() else None) as place:
        compiled(Path(place))
        results = measured(args.rows.split(","), peers, args.rounds, Path(place))
    names = [peer.name for peer in peers]
    versions = "; ".join(f"{peer.name} {text}" for peer in peers if (text := peer.version()))
    table = report.table(results, names, GOALS, FloorAnyio.name)
    about = f"{report.machine()}, {time.strftime('%Y-%m-%d')}.\n{versions}.\n"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "bench.json").write_text(json.dumps({"about": about, "results": results}, indent=1))
    (args.out / "bench.md").write_text(f"{about}\n{table}")
    (args.out / "bench.svg").write_text(report.plot(results, names))
    print(f"\n{about}\n{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

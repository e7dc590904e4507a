"""Soak initsup: minutes of random kills, clients and reexecs, held to the laws of the core through the journal.

    python -m tests.soak --minutes 10 --seed N

Prints what was done and what has happened; ends with a traceback when something is not as it must be.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from initsup.node.syscalls import become_subreaper
from tests.soak.soak import soak


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    become_subreaper()
    home = Path(tempfile.mkdtemp(prefix="initsup-", dir="/tmp"))
    for what, count in soak(home, asked.minutes * 60, asked.seed, print):
        print(f"{count:>9} {what}")
    shutil.rmtree(home)


if __name__ == "__main__":
    main()

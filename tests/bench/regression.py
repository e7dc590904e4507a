"""Whether a start, a container, a log line or an idle initsup costs more than it did.

    python -m tests.bench.regression [--update]

Counted, not timed, so that a busy machine does not matter: instructions by `valgrind --tool=callgrind`, modules, and
private memory. Instructions and memory are told in units of what this very Python needs for `import asyncio`, so that
another build of it does not matter much either. The figures of this project are kept in `regression.json`, for each
minor version of Python; one that is more than a tenth higher is a failure. `--update` keeps the new ones.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_suffix(".json")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
MORE = 1.10
"""How many times the kept figure is still good."""
FLOOR = "import asyncio"
MAIN = "from initsup.cli.main import main; sys.exit(main())"
MODULES = f"""
import os
spawn = os.posix_spawn
def noting(path, argv, *rest, **more):
    if argv[0] == "/bin/true":
        print("modules", len(sys.modules), file=sys.stderr)
    return spawn(path, argv, *rest, **more)
os.posix_spawn = noting
{MAIN}
"""
QUIET: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
FLOOD = """
import os, select
from initsup.node.console import Console
from initsup.node.logs import Pump
poll = select.epoll()
console = Console(poll, (), "none", stdout=1, stderr=2)
pump = Pump(sys.argv[1], poll, console, max_size=16_000_000, max_files=3)
sink = pump.pipe("main", 0, "stdout")
block = (b"x" * 99 + b"\\n") * 655
for _ in range(int(sys.argv[2])):
    os.write(sink, block)
    for fd, _ in poll.poll(0):
        pump.ready(fd)
pump.close()
"""
"""One chunk after the other: how large they are would otherwise depend on who else is busy."""
CONTAINERS = 40
BLOCKS = 400


def python(code: str, *arguments: str) -> list[str]:
    """A Python without `site`, which is another one on each machine, that finds what this one finds."""
    path = [str(ROOT), *sys.path]
    return [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {path!r}\n{code}", *arguments]


def pod(place: Path, *commands: Sequence[str]) -> list[str]:
    """The arguments that run a pod with these containers, once."""
    containers = [{"name": f"c{index}", "command": list(words)} for index, words in enumerate(commands)]
    spec = {"restartPolicy": "Never", "containers": containers, "terminationGracePeriodSeconds": 1}
    settings = {"apiVersion": "initsup.dev/v1alpha1", "kind": "SupervisorConfiguration", "console": {"format": "none"}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    file = place / f"{len(commands)}-{len(str(commands))}.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [manifest, settings]}))
    return ["run", str(file), "--state-dir", str(place / "state")]


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONHASHSEED": "0"}


def instructions(place: Path, command: Sequence[str], until: str = "") -> float:
    """Instructions of a whole program, or until the last call of a C function, in millions."""
    out = place / "callgrind"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    how = [f"--dump-before={until}"] if until else []
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}/out", *how, *command],
        env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    dumps = sorted(out.iterdir(), key=lambda dump: (dump.suffix == "", dump.name))  # the last has no number
    counts = [re.search(r"^(?:summary|totals): (\d+)", dump.read_text(), re.M) for dump in dumps]
    return sum(int(count[1]) for count in counts[: -1 if until else None] if count) / 1e6


def private_kib(command: Sequence[str], settle: float) -> int:
    """Private memory of a program after so many seconds, in KiB; then it is ended."""
    with subprocess.Popen(command, env=environment(), **QUIET) as process:
        time.sleep(settle)
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        process.terminate()
    return sum(int(kib) for kib in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.M))


def counted(place: Path) -> dict[str, float]:
    """The figures that valgrind gives."""
    one = pod(place, ["/bin/true"])
    for warm in (python(FLOOR), python(MAIN, *one)):  # with all bytecode written
        subprocess.run(warm, env=environment(), check=True, **QUIET)
    floor = instructions(place, python(FLOOR))
    whole = instructions(place, python(MAIN, *one))
    many = instructions(place, python(MAIN, *pod(place, *[["/bin/true"]] * (CONTAINERS + 1))))
    logs = (str(place / "logs"), "10"), (str(place / "logs"), str(10 + BLOCKS))
    few, flood = (instructions(place, python(FLOOD, *words)) for words in logs)
    return {
        "exec to first container": instructions(place, python(MAIN, *one), "posix_spawn@*") / floor,
        "a thousand containers": (many - whole) * 1000 / CONTAINERS / floor,
        "a GiB of log lines": (flood - few) * 2**30 / (BLOCKS * 65500) / floor,
    }


def figures(place: Path) -> dict[str, float]:
    """All figures that can be had here."""
    found: dict[str, float] = {}
    if shutil.which("valgrind"):
        found |= counted(place)
    else:
        print("valgrind is not installed: no instructions are counted", file=sys.stderr)
    done = subprocess.run(
        python(MODULES, *pod(place, ["/bin/true"])), env=environment(), capture_output=True, text=True
    )
    found["modules before the first container"] = int(done.stderr.partition("modules ")[2].partition("\n")[0])
    floor = private_kib(python(f"{FLOOR}, time; time.sleep(60)"), 2.0)
    found["idle memory with one container"] = private_kib(python(MAIN, *pod(place, ["/bin/sleep", "60"])), 3.0) / floor
    return {name: round(value, 3) for name, value in found.items()}


def main(arguments: Sequence[str]) -> int:
    """Print the figures beside the kept ones; 1 if one is too high."""
    every: dict[str, dict[str, float]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = every.get(VERSION, {})
    if not kept and "--update" not in arguments:
        print(f"skipped: no figures are kept for Python {VERSION}")
        return 0
    with tempfile.TemporaryDirectory() as place:
        found = figures(Path(place))
    worse = 0
    for name, value in found.items():
        before = kept.get(name, value)
        worse += value > before * MORE
        verdict = "TOO HIGH" if value > before * MORE else "lower: --update" if value * MORE < before else "good"
        print(f"{name:<36} {value:>9.3f} {before:>9.3f} {verdict}")
    if "--update" in arguments:
        KEPT.write_text(json.dumps({**every, VERSION: kept | found}, indent=1, sort_keys=True) + "\n")
        return 0
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

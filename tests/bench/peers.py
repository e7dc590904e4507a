"""How each supervisor is told what to run, asked what runs, and ended. One small class each; those not installed are
left out.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).parent
ROTATE = 16_000_000
"""Bytes of a log file before the next one is begun, where the supervisor can."""


class Service:
    """One thing to supervise. `step`: it ends, and the others come after it. `logged`: its output is to be kept."""

    def __init__(self, name: str, argv: list[str], *, step: bool = False, logged: bool = False) -> None:
        self.name, self.argv, self.step, self.logged = name, argv, step, logged


class Peer:
    """A supervisor in a directory of its own. `most`: how many services it takes; `cannot`: rows it has none of."""

    name = ""
    program = ""
    most: ClassVar[int] = 10_000
    cannot: ClassVar[frozenset[str]] = frozenset()
    stop_signal = signal.SIGTERM

    def __init__(self, place: Path) -> None:
        self.place = place

    @classmethod
    def missing(cls) -> str:
        """Why it is not measured; empty: it is."""
        return "" if shutil.which(cls.program) else f"{cls.program} is not installed"

    @classmethod
    def version(cls) -> str:
        """What it says of itself, in a few words."""
        return ""

    def command(self, services: list[Service]) -> list[str]:
        """Write the configuration; how it is started."""
        raise NotImplementedError

    def pids(self) -> dict[str, int]:
        """What runs, asked for in the cheapest way there is. Raises NotImplementedError when there is none."""
        raise NotImplementedError

    def asking(self) -> list[str] | None:
        """The command with which a person asks that."""
        return None

    def logs(self, name: str) -> list[Path]:
        """The files with the output of a service."""
        raise NotImplementedError

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path


def said(*command: str) -> str:
    """What a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def over_socket(path: Path, request: bytes) -> bytes:
    """One question over a Unix socket, to the end of the answer's first line or of the answer."""
    directory = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(f"/proc/self/fd/{directory}/{path.name}")
            asking.sendall(request)
            answer = b""
            while not answer.endswith(b"\n") and (part := asking.recv(1 << 20)):
                answer += part
            return answer
    finally:
        os.close(directory)


class Initsup(Peer):
    name = "initsup"

    @classmethod
    def missing(cls) -> str:
        return "" if initsup() else "initsup is not installed beside this Python"

    @classmethod
    def version(cls) -> str:
        return said(initsup(), "--version").split()[-1] + ", " + said(sys.executable, "-V")

    def command(self, services: list[Service]) -> list[str]:
        def container(one: Service) -> dict[str, object]:
            return {"name": one.name, "command": one.argv}

        spec = {
            "restartPolicy": "Always",
            "initContainers": [container(one) for one in services if one.step],
            "containers": [container(one) for one in services if not one.step],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bench"}, "spec": spec}
        settings = {
            "apiVersion": "initsup.dev/v1alpha1",
            "kind": "SupervisorConfiguration",
            "crashLoopBackOff": {"initialPeriod": "0s", "maxPeriod": "0s"},
            "containerLogMaxSize": ROTATE,
            "containerLogMaxFiles": 100,
            "console": {"format": "none"},
        }
        file = self.write("pod.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, settings]}))
        return [initsup(), "run", str(file), "--state-dir", str(self.place / "state")]

    def pids(self) -> dict[str, int]:
        answer = json.loads(over_socket(self.place / "state/control.sock", b'{"verb":"processes"}\n'))
        return {name: one["pid"] for name, one in answer.items()}

    def asking(self) -> list[str]:
        return [initsup(), "get", "--state-dir", str(self.place / "state")]

    def logs(self, name: str) -> list[Path]:
        return list((self.place / "state/logs" / name).glob("*.log*"))


def initsup() -> str:
    """The program that was installed with this Python, else the first one there is."""
    beside = Path(sys.executable).parent / "initsup"
    return str(beside) if beside.exists() else shutil.which("initsup") or ""


class FloorC(Peer):
    name = "floor: C"
    program = "cc"
    cannot = frozenset({"notice", "state", "log", "log50", "init"})

    def command(self, services: list[Service]) -> list[str]:
        lines = "".join("\t".join(["restart", *one.argv]) + "\n" for one in services)
        return [str(self.place.parent / "floor"), str(self.write("floor.tsv", lines))]


class FloorPython(Peer):
    name = "floor: Python"
    program = sys.executable
    cannot = frozenset({"init"})
    options: ClassVar[tuple[str, ...]] = ()

    def command(self, services: list[Service]) -> list[str]:
        listed = [
            {
                "name": one.name,
                "argv": one.argv,
                "restart": True,
                "log": str(self.place / one.name) if one.logged else "",
            }
            for one in services
        ]
        file = self.write("floor.json", json.dumps(listed))
        return [sys.executable, str(HERE / "floor.py"), *self.options, str(file)]

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(over_socket(self.place / "floor.json.sock", b"\n"))
        return found

    def logs(self, name: str) -> list[Path]:
        return [self.place / name]


class FloorAnyio(FloorPython):
    name = "floor: Python + anyio"
    options = ("--anyio",)

    @classmethod
    def version(cls) -> str:
        from importlib.metadata import version

        return f"anyio {version('anyio')}"


class Supervisord(Peer):
    name = "supervisord"
    program = "supervisord"
    cannot = frozenset({"init"})

    @classmethod
    def version(cls) -> str:
        return said("supervisord", "--version")

    def command(self, services: list[Service]) -> list[str]:
        text = (
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\nminfds=8000\n"
            f"pidfile={self.place}/pid\n"
            f"[unix_http_server]\nfile={self.place}/sock\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{self.place}/sock\n"
        )
        for one in services:
            log = f"{self.place}/{one.name}.log" if one.logged else "NONE"
            text += (
                f"[program:{one.name}]\ncommand={' '.join(one.argv)}\nstartsecs=0\nautorestart=true\n"
                f"stdout_logfile={log}\nstdout_logfile_maxbytes={ROTATE}\nstdout_logfile_backups=100\n"
                "stderr_logfile=NONE\n"
            )
        return ["supervisord", "-c", str(self.write("supervisord.conf", text))]

    def pids(self) -> dict[str, int]:
        from xmlrpc.client import dumps, loads

        body = dumps((), "supervisor.getAllProcessInfo").encode()
        head = b"POST /RPC2 HTTP/1.0\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
        answer = b""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.place / "sock"))
            asking.sendall(head + body)
            while part := asking.recv(1 << 20):
                answer += part
        (rows,), _ = loads(answer.partition(b"\r\n\r\n")[2].decode())
        return {row["name"]: row["pid"] for row in rows if row["pid"]}  # type: ignore[index,union-attr]

    def asking(self) -> list[str]:
        return ["supervisorctl", "-c", str(self.place / "supervisord.conf"), "status"]

    def logs(self, name: str) -> list[Path]:
        return list(self.place.glob(f"{name}.log*"))


class Circus(Peer):
    name = "circus"
    program = "circusd"
    cannot = frozenset({"init", "notice", "state", "log", "log50"})

    @classmethod
    def version(cls) -> str:
        return said("circusd", "--version")

    def command(self, services: list[Service]) -> list[str]:
        text = (
            "[circus]\ncheck_delay = 0.05\n"  # it polls for dead children, every 5 s as it comes
            f"endpoint = ipc://{self.place}/e\npubsub_endpoint = ipc://{self.place}/p\n"
        )
        for one in services:
            text += f"[watcher:{one.name}]\ncmd = {' '.join(one.argv)}\nnumprocesses = 1\n"
        return ["circusd", "--log-level", "critical", str(self.write("circus.ini", text))]


class Honcho(Peer):
    name = "honcho"
    program = "honcho"
    most = 100  # it forks a Python for each
    cannot = frozenset(
        {"init", "restart", "crash", "notice", "state", "log", "log50", "orphans"}
    )  # it restarts nothing

    @classmethod
    def version(cls) -> str:
        return said("honcho", "version")

    def command(self, services: list[Service]) -> list[str]:
        lines = "".join(f"{one.name}: exec {' '.join(one.argv)}\n" for one in services)
        return ["honcho", "-f", str(self.write("Procfile", lines)), "start"]


class Directories(Peer):
    """One directory for each service, with a run script."""

    cannot = frozenset({"init"})
    script: ClassVar[str] = "#!/bin/sh\nexec {}\n"
    logger: ClassVar[str] = ""

    def command(self, services: list[Service]) -> list[str]:
        for one in services:
            self.write(f"scan/{one.name}/run", self.script.format(" ".join(one.argv)), 0o755)
            if one.logged:
                target = self.place / "logs" / one.name
                target.mkdir(parents=True)
                (target / "config").write_text(f"s{ROTATE}\nn100\n")
                self.write(f"scan/{one.name}/log/run", self.script.format(self.logger.format(target)), 0o755)
        os.utime(self.place / "scan", (0, 0))  # runsvdir waits while its directory is of this very second
        return self.scanner()

    def scanner(self) -> list[str]:
        raise NotImplementedError

    def pid(self, state: Path) -> int:
        raise NotImplementedError

    def pids(self) -> dict[str, int]:
        found = {}
        for service in (self.place / "scan").iterdir():
            try:
                pid = self.pid(service / "supervise")
            except (OSError, ValueError, struct.error):
                continue
            if pid:
                found[service.name] = pid
        return found

    def logs(self, name: str) -> list[Path]:
        directory = self.place / "logs" / name
        return [path for path in directory.iterdir() if path.name == "current" or path.name.startswith("@")]


class S6(Directories):
    name = "s6"
    program = "s6-svscan"
    script = "#!/bin/execlineb -P\n{}\n"
    logger = f"s6-log n100 s{ROTATE} {{}}"

    @classmethod
    def version(cls) -> str:
        return said("dpkg-query", "-W", "-f", "${Version}", "s6")

    def scanner(self) -> list[str]:
        return ["s6-svscan", "-c", "2001", str(self.place / "scan")]

    def pid(self, state: Path) -> int:
        pid: int = struct.unpack_from(">Q", (state / "status").read_bytes(), 24)[0]
        return pid

    def asking(self) -> list[str]:
        return ["sh", "-c", f"for service in {self.place}/scan/*; do s6-svstat $service; done"]


class Runit(Directories):
    name = "runit"
    program = "runsvdir"
    logger = "svlogd {}"
    stop_signal = signal.SIGHUP

    @classmethod
    def version(cls) -> str:
        return said("dpkg-query", "-W", "-f", "${Version}", "runit")

    def scanner(self) -> list[str]:
        return ["runsvdir", "-P", str(self.place / "scan")]

    def pid(self, state: Path) -> int:
        return int((state / "pid").read_text() or 0)

    def asking(self) -> list[str]:
        return ["sh", "-c", f"sv status {self.place}/scan/*"]


class Init(Peer):
    """A bare init: one program, nothing more."""

    most = 1
    cannot = frozenset({"init", "restart", "crash", "notice", "state", "log", "log50", "idle"})

    def command(self, services: list[Service]) -> list[str]:
        return [self.program, "--", *services[0].argv]


class Tini(Init):
    name = program = "tini"

    @classmethod
    def version(cls) -> str:
        return said("tini", "--version")


class DumbInit(Init):
    name = program = "dumb-init"

    @classmethod
    def version(cls) -> str:
        return said("dumb-init", "--version")


PEERS: tuple[type[Peer], ...] = (
    FloorC, FloorPython, FloorAnyio, Initsup, Supervisord, Circus, Honcho, S6, Runit, Tini, DumbInit,
)  # fmt: skip

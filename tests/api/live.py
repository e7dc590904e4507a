"""A pod that runs, and raw HTTP over its two ways in."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POD = """\
metadata = {name = "live", labels = {app = "web"}}
terminationGracePeriodSeconds = 2

[[containers]]
name = "app"
command = ["sh", "-c", "trap 'exit 0' TERM; echo one; echo two >&2; while :; do sleep 0.1; done"]
env = {GREETING = "hello"}

[[containers]]
name = "talk"
stdin = true
command = ["sh", "-c", "while read line; do echo got $line; done"]

[configMaps.settings.data]
a = "b"

[secrets.password]
stringData = {word = "s3cret"}
"""


class Live:
    """One run. `imported` is what it has imported so far."""

    def __init__(self, home: Path, pod: str = POD) -> None:
        self.state = home / "s"
        (home / "live.toml").write_text(pod)
        words = ["run", str(home / "live.toml"), "--state-dir", str(self.state), "--listen", "127.0.0.1:0"]
        self._log = home / "run.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "importtime", "-m", "initsup", *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        self.until(lambda: (self.state / "kubeconfig").exists() and self._listens())

    def _listens(self) -> bool:
        """A socket is there a moment before it can be connected to."""
        try:
            self.unix().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    @property
    def imported(self) -> set[str]:
        lines = self._log.read_text().splitlines()
        return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}

    @property
    def faults(self) -> str:
        """What was printed that is no import."""
        return "\n".join(x for x in self._log.read_text().splitlines() if "Traceback" in x or "Error" in x)

    def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self._log.read_text()[-2000:]
            select.select([], [], [], 0.02)

    def unix(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        try:
            connection.connect(str(self.state / "api.sock"))
        except OSError:
            connection.close()
            raise
        return connection

    def tcp(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=20)
        return self.context.wrap_socket(connection, server_hostname=self.address[0])

    @property
    def kubeconfig(self) -> Any:
        return json.loads((self.state / "kubeconfig").read_text())

    @property
    def token(self) -> str:
        return str(self.kubeconfig["users"][0]["user"]["token"])

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.kubeconfig["clusters"][0]["cluster"]["server"].removeprefix("https://").partition(":")
        return host, int(port)

    @property
    def context(self) -> ssl.SSLContext:
        import base64

        authority = self.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
        return ssl.create_default_context(cadata=base64.b64decode(authority).decode())

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
        """Code and body of an answer, JSON decoded."""
        data = b"" if body is None else json.dumps(body).encode()
        words = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(data))}
        if body is not None:
            words["Content-Type"] = "application/json"
        words |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in words.items())
        code, raw = exchange(self.unix(), f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        try:
            return code, json.loads(raw)
        except ValueError:
            return code, raw.decode()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def send(connection: socket.socket, data: bytes) -> None:
    """Send as much as the other side wants to hear; what it has answered is there to be read in any case."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def exchange(connection: socket.socket, data: bytes) -> tuple[int, bytes]:
    """Send, and read to the end; the answer's code and body."""
    answer = b""
    with connection:
        send(connection, data)
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    return int(head.split()[1]) if head else 0, body


def unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return out


def proc(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}") as file:
        return file.read()


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))

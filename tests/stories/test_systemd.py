"""initsup as the main process of a unit of Type=notify: what systemd hears, and when."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stories.driver import Story

POD = """
[[initContainers]]
name = "first"
command = ["sh", "-c", "until test -e {home}/go; do sleep 0.1; done"]

[[containers]]
name = "main"
command = ["sleep", "1000"]
readinessProbe = {{ exec = {{ command = ["test", "-e", "{home}/well"] }}, periodSeconds = 1 }}
"""

pytestmark = pytest.mark.real


class Systemd:
    """The socket of $NOTIFY_SOCKET, and every line that came in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def heard(self, line: str, times: int = 1) -> bool:
        """Whether a line has come in so far, and so often."""
        while True:
            try:
                self.lines += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.lines.count(line) >= times


@pytest.fixture
def systemd(home: Path) -> Iterator[Systemd]:
    systemd = Systemd(home / "notify")
    yield systemd
    systemd.socket.close()


def test_what_systemd_hears(home: Path, run: Callable[..., Story], systemd: Systemd) -> None:
    (home / "pod.toml").write_text(POD.format(home=home))
    story = run(home / "pod.toml", env={"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "500000"})
    story.until(lambda: systemd.heard("STATUS=Init:0/1"), "the status while the init container runs")
    story.until(lambda: systemd.heard("EXTEND_TIMEOUT_USEC=60000000"), "a wish for more time")
    story.until(lambda: systemd.heard("WATCHDOG=1", times=2), "two signs of life")
    (home / "go").touch()
    story.until(lambda: systemd.heard("STATUS=Running"), "the status when the main container runs")
    assert not systemd.heard("READY=1")
    (home / "well").touch()
    story.until(lambda: systemd.heard("READY=1"), "the pod is Ready")
    assert not systemd.heard("STOPPING=1")
    story.signal()
    story.until(lambda: systemd.heard("STOPPING=1"), "the end")
    assert story.ended() == 0

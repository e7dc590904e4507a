"""What is done to a run, by chance: kills of all but initsup and its sentinel, clients that come and go, reexecs."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.soak.pod import STAYING
from tests.stories.driver import INITSUP, Story, is_sentinel

MOST_CLIENTS = 6


class Chaos:
    """Does one thing after the other. `counts` says how often each was done."""

    def __init__(self, story: Story, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._story = story
        self._chance = random.Random(seed)
        self._clients: list[subprocess.Popen[bytes]] = []
        self._stopped: list[psutil.Process] = []
        self._deeds: dict[Callable[[], str], int] = {
            self._kill_container: 6, self._kill_something: 4, self._client: 6, self._kill_client: 4, self.drop: 3,
            self._reexec: 2, self._restart: 2, self._reload: 1, self._stop_initsup: 1, self._go_on: 4, self._sicken: 2,
        }  # fmt: skip

    def act(self) -> None:
        """Do something."""
        (deed,) = self._chance.choices(list(self._deeds), list(self._deeds.values()))
        with suppress(psutil.Error, ProcessLookupError):
            if said := deed():
                self.counts[said] += 1

    def calm(self) -> None:
        """Let all clients go, and everything that was stopped or sick go on."""
        while self._clients:
            self._end(self._clients.pop())
        while self._stopped:
            self._go_on()
        (self._story.state.parent / "sick").unlink(missing_ok=True)

    # on containers

    def _mains(self) -> list[psutil.Process]:
        found = self._story.supervisor.children()
        return [one for one in found if not is_sentinel(one)]

    def _kill_container(self) -> str:
        mains = self._mains()
        if not mains:  # all wait to be started again
            return ""
        one = self._chance.choice(mains)
        number = self._chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGSTOP))
        one.send_signal(number)
        if number == signal.SIGSTOP:
            self._stopped.append(one)
            if "initsup" in one.cmdline():  # the next program, which is being tried: it would be waited for
                return self._go_on()
        return f"{number.name} to a child (container, probe, hook or exec)"

    def _kill_something(self) -> str:
        known = {one.pid for one in self._story.supervisor.children()}
        deeper = [one for one in self._story.supervisor.children(recursive=True) if one.pid not in known]
        if not deeper:
            return ""
        self._chance.choice(deeper).kill()
        return "SIGKILL to something further down"

    def _go_on(self) -> str:
        if not self._stopped:
            return ""
        with suppress(psutil.NoSuchProcess):
            self._stopped.pop().resume()
        return "SIGCONT"

    def _sicken(self) -> str:
        sick = self._story.state.parent / "sick"
        sick.unlink() if sick.exists() else sick.touch()
        return "liveness changes its mind"

    # on initsup

    def _stop_initsup(self) -> str:
        self._story.supervisor.suspend()
        with suppress(subprocess.TimeoutExpired):
            self._story.process.wait(self._chance.uniform(0.1, 1.0))
        self._story.supervisor.resume()
        return "SIGSTOP of initsup for a while"

    def _reexec(self) -> str:
        if self._chance.random() < 0.5:
            self._story.signal(signal.SIGUSR2)
            return "reexec by signal"
        done = self._story.ask("reexec")
        assert done.returncode == 0 or "when it was tried" in done.stderr, done.stderr
        return "reexec by verb"

    def _restart(self) -> str:
        self._story.ask("restart", self._chance.choice(STAYING))
        return "restart"

    def _reload(self) -> str:
        self._story.signal(signal.SIGHUP)
        return "SIGHUP"

    # clients

    def _client(self) -> str:
        if len(self._clients) >= MOST_CLIENTS:
            return ""
        name = self._chance.choice(STAYING)
        words = self._chance.choice((
            ["get"], ["get", "-w"], ["describe"], ["events", "-w"], ["logs", "-f", "-c", name], ["logs", "-c", "crash"],
            ["exec", "-c", name, "--", "sleep", "3"], ["exec", "-c", name, "--", "sh", "-c", "setsid sleep 9 & yes"],
            ["attach", "-i", "-c", "stays"], ["top"], ["wait", "--for=condition=Ready", "--timeout=2s"],
        ))  # fmt: skip
        null = subprocess.DEVNULL
        command = [*INITSUP, words[0], "--state-dir", str(self._story.state), *words[1:]]
        self._clients.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null))
        return f"client {words[0]}"

    def _kill_client(self) -> str:
        if not self._clients:
            return ""
        self._end(self._clients.pop(self._chance.randrange(len(self._clients))))
        return "SIGKILL to a client"

    @staticmethod
    def _end(client: subprocess.Popen[bytes]) -> None:
        client.kill()
        client.communicate()

    def drop(self) -> str:
        """A client of the API that goes in the middle of what it asked for."""
        words = self._chance.choice((
            b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /api/v1/po",
            b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab",
        ))  # fmt: skip
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(2)
            connection.connect(str(self._story.state / "api.sock"))
            connection.sendall(words)
            connection.recv(100)
        return "client of the API that goes"

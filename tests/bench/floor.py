"""The least that a supervisor in Python can be: starts, restarts, copies output, lists pids, ends. `floor.py FILE`.

With `--anyio` the same on anyio. What initsup costs is told in ratio to this, measured in the same run.
"""

import json
import os
import select
import signal
import socket
import sys


class Floor:
    """All children of one file, a JSON list of {name, argv, restart, log}."""

    def __init__(self, path: str) -> None:
        with open(path) as file:
            self.services = {one["name"]: one for one in json.load(file)}
        self.pids: dict[int, str] = {}
        self.logs: dict[int, int] = {}
        self.ending = False
        self.wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, self._caught)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path + ".sock")
        self.server.listen(128)
        self.server.setblocking(False)
        self.poll = select.epoll()
        for fd in (self.wake, self.server.fileno()):
            self.poll.register(fd, select.EPOLLIN)

    def _caught(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self.ending = True
            for pid in self.pids:
                os.kill(pid, signal.SIGTERM)

    def start(self, name: str) -> None:
        """Start one, with its output in a pipe when it has a log."""
        service = self.services[name]
        actions, sink = [], -1
        if service["log"]:
            source, sink = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(source, False)
            self.logs[source] = os.open(service["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
            self.poll.register(source, select.EPOLLIN)
            actions.append((os.POSIX_SPAWN_DUP2, sink, 1))
        argv = service["argv"]
        self.pids[os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsigmask=())] = name
        if sink >= 0:
            os.close(sink)

    def ready(self, fd: int) -> None:
        """One descriptor can be read."""
        if fd == self.wake:
            os.read(fd, 4096)
            self._reap()
        elif fd == self.server.fileno():
            connection, _ = self.server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(json.dumps({name: pid for pid, name in self.pids.items()}).encode() + b"\n")
        elif data := os.read(fd, 65536):
            os.write(self.logs[fd], data)
        else:
            self.poll.unregister(fd)
            os.close(self.logs.pop(fd))
            os.close(fd)

    def _reap(self) -> None:
        try:
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)) is not None:
                name = self.pids.pop(ended.si_pid, None)
                if name is not None and self.services[name]["restart"] and not self.ending:
                    self.start(name)
        except ChildProcessError:
            pass

    @property
    def over(self) -> bool:
        """Whether it was told to end and nothing is left."""
        return self.ending and not self.pids

    def turn(self, patience: float = -1) -> None:
        """Wait, and do what there is to do."""
        for fd, _ in self.poll.poll(patience):
            self.ready(fd)


def main(path: str, on_anyio: bool) -> None:
    """Run until SIGTERM."""
    if on_anyio:
        import anyio

        async def run() -> None:
            floor = Floor(path)
            for name in floor.services:
                floor.start(name)
            while not floor.over:
                await anyio.wait_readable(floor.poll.fileno())
                floor.turn(0)

        anyio.run(run)
    else:
        floor = Floor(path)
        for name in floor.services:
            floor.start(name)
        while not floor.over:
            floor.turn()


if __name__ == "__main__":
    main(sys.argv[-1], "--anyio" in sys.argv)

"""Where initsup runs: signals in, and word out to systemd.

Signals end up in a list, and a byte in a pipe wakes the loop (`signal.set_wakeup_fd`). Nothing else in the program
installs a handler.

| signal                    | what it does                                                      |
| ------------------------- | ----------------------------------------------------------------- |
| SIGTERM, SIGINT           | end the pod gracefully; the second one ends it at once (SIGKILL)  |
| SIGQUIT                   | end the pod at once                                               |
| SIGPWR, SIGRTMIN+3, +4    | end the pod gracefully (how a PID 1 is asked to power off)        |
| SIGHUP                    | read the files again and apply them; when a terminal is stdin,    |
|                           | it is gone: end the pod gracefully                                |
| SIGUSR1                   | print the facts on stderr                                         |
| SIGUSR2                   | replace the program by what is installed now (`initsup reexec`)   |
| SIGCHLD                   | reap                                                              |
"""

from __future__ import annotations

import os
import signal
from typing import Any

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGRTMIN + 4)
HANGUP = signal.SIGHUP
HANDLED = (*STOPS, signal.SIGQUIT, HANGUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
IGNORED = (signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU)


class Signals:
    """Catches signals for the loop."""

    def __init__(self) -> None:
        self._caught: list[int] = []
        self.on_terminal = os.isatty(0)
        """Whether there was a terminal at the start: one that has hung up does not say so any longer."""
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._catch)
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        self.release()  # those held over an exec come in now

    def _catch(self, number: int, _frame: Any) -> None:
        self._caught.append(number)

    def fileno(self) -> int:
        """Readable when a signal has come in."""
        return self._read

    @property
    def has_caught(self) -> bool:
        """Whether a signal has come in since the last `take`."""
        return bool(self._caught)

    def wake(self) -> None:
        """Make it readable without a signal."""
        try:
            os.write(self._write, b"\0")
        except BlockingIOError:
            pass  # full, so it is readable anyway

    def take(self) -> list[int]:
        """The signals since the last call, in order."""
        try:
            while len(os.read(self._read, 65536)) == 65536:
                pass
        except BlockingIOError:
            pass
        caught, self._caught = self._caught, []
        return caught

    def hold(self) -> None:
        """Leave signals with the kernel, which keeps them over an exec."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)

    def release(self) -> None:
        """Let them come in again."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def handed_over(self) -> tuple[int, ...]:
        """The signals that have come in and were not taken."""
        return tuple(self._caught)

    def resume(self, caught: tuple[int, ...]) -> None:
        """Have these to take, and look in any case."""
        self._caught[:0] = caught
        self.wake()


class Systemd:
    """sd_notify(3): a datagram to the socket that systemd named, if it did."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(usec) / 2e6 if usec.isdigit() and mine else 0.0
        """Seconds between two signs of life, 0.0: none are wanted (half of what systemd allows)."""

    def __bool__(self) -> bool:
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Send lines such as `READY=1`. Nobody there is no error."""
        if not self._address:
            return
        import socket

        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, address)
            except OSError:
                return

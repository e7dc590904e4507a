"""A terminal for `exec -t`: a pseudo-terminal whose other end is joined to ours."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

_SIZE = b"\0" * 8


@contextmanager
def raw() -> Iterator[None]:
    """Every key of our terminal goes through as it is, Ctrl-C too."""
    saved = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def sizes_to(tell: Callable[[int, int], None]) -> None:
    """Tell the columns and rows of our terminal, now and whenever they change."""

    def told(*_signal: object) -> None:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, _SIZE))
        try:
            tell(columns, rows)
        except OSError:
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)  # nobody wants to know any more

    signal.signal(signal.SIGWINCH, told)
    told()


def on_a_terminal(run: Callable[[tuple[int, int, int]], int], with_input: bool) -> int:
    """Call `run` with the descriptors of a new terminal and join that to ours until it returns; give its result.

    Our terminal is in raw mode meanwhile, so Ctrl-C goes to the command, and the new terminal follows our size.
    """
    master, slave = os.openpty()
    _copy_size(slave)
    before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(slave))
    pump = threading.Thread(target=_join, args=(master, 0 if with_input else None), daemon=True)
    with raw() if with_input else nullcontext():
        try:
            pump.start()
            return run((slave, slave, slave))
        finally:
            signal.signal(signal.SIGWINCH, before)
            os.close(slave)  # the last one, unless the command left something behind: then we do not wait for that
            pump.join(timeout=1.0)


def _copy_size(terminal: int) -> None:
    """Give a terminal the size of ours."""
    for ours in (0, 1, 2):
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(ours, termios.TIOCGWINSZ, _SIZE))
        except OSError:
            continue
        return


def _join(master: int, source: int | None) -> None:
    """Carry bytes between the terminal's other end and ours until nobody holds the terminal any more."""
    waiting_for = [master] if source is None else [master, source]
    while True:
        ready = select.select(waiting_for, [], [])[0]
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:  # EIO: the terminal has no holder left
                return
            _write(1, data)
        elif source is not None:
            data = os.read(source, 65536)
            if not data:
                waiting_for.remove(source)
            _write(master, data or b"\4")  # the end of our input is the Ctrl-D of a terminal


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]

"""A client that has joined the streams of a container (`engine.Attachment`)."""

from __future__ import annotations

from collections.abc import Callable

from initsup.node.box import Instance


class Joined:
    """It has done so with this instance, and with none that comes after it. `let_go` ends what it hears."""

    def __init__(self, instance: Instance, let_go: Callable[[], None]) -> None:
        self._instance = instance
        self._let_go = let_go

    @property
    def input(self) -> int:
        """Where to write, -1 when the container reads nothing."""
        return -1 if self._instance.process.ended else self._instance.box.input

    def close(self, *, with_input: bool) -> None:
        """Let go; the first one who did with input ends that where stdinOnce is set."""
        self._let_go()
        box = self._instance.box
        if with_input and box.spec.stdin_once and not box.spec.tty and not self._instance.process.ended:
            box.close_input()

"""Says whether a target has stood an input: it may refuse it in the way that it announces, and must not take long."""

from __future__ import annotations

import re
import signal
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

PATIENCE = 10.0
"""Seconds of CPU that one input may take."""


class Target(NamedTuple):
    """Something that reads. `run` raises nothing but what is a finding; `seeds` are inputs that it understands."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


class Hang(BaseException):
    """An input takes too long; no `except Exception` keeps it back."""


class Judge:
    """Runs inputs. `findings` has one input for each place in which something went wrong."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.executions = 0
        self.findings: dict[str, dict[str, str]] = {}
        signal.signal(signal.SIGVTALRM, _too_long)

    def __call__(self, data: bytes) -> None:
        self.executions += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
        try:
            self.target.run(data)
        except (Exception, Hang) as problem:
            what = f"{type(problem).__name__}: {str(problem)[-300:]}"
            self.findings.setdefault(_place(problem), {"what": what, "input": repr(data[:2000])})
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _too_long(_number: int, _frame: FrameType | None) -> Any:
    raise Hang(f"more than {PATIENCE} s")


def _place(problem: BaseException) -> str:
    """Where in initsup it happened, and what."""
    text = str(problem) if "Traceback" in str(problem) else "".join(traceback.format_exception(problem))
    places = re.findall(r'File ".*/initsup/([^"]+)", line (\d+), in (\S+)', text) or [("tests", "", "")]
    return ":".join((*places[-1], text.rstrip().rpartition("\n")[2][:40]))

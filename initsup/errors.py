"""Every exception that initsup raises on purpose.

    InitsupError            1  a fault of initsup or of the place it runs in
    ├── UsageError          2  the command line makes no sense
    └── InvalidManifest     2  the input cannot be used; holds every problem found

The number is the exit code of the command line. Expected failures of containers are events, not exceptions.

Verbs that only ask a running pod import this module too: it stays free of msgspec, which costs them 20 ms.
"""

from typing import NamedTuple


class InitsupError(Exception):
    """The base of all; the message is one line that the user may read as it stands."""

    exit_code = 1


BEST_EFFORT = "--best-effort does without it"
"""The hint about a promise of isolation or safety that cannot be kept."""


class UsageError(InitsupError):
    """A verb, an option or an argument is wrong."""

    exit_code = 2


class Problem(NamedTuple):
    """One thing that is wrong with the input.

    `path` is the field as Kubernetes writes it (`spec.containers[0].image`), empty when the whole file is meant.
    `message` says what is wrong, `hint` what to do (empty when the message says it all). `file` is the path as the
    user gave it, `-` for stdin; `line` counts from 1 and is 0 when it is not known.
    """

    path: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = self.file + (f":{self.line}" if self.file and self.line else "")
        text = self.message + (f", {self.hint}" if self.hint else "")
        return ": ".join(part for part in (place, self.path, text) if part)


class InvalidManifest(InitsupError):
    """The input has problems; `problems` holds all that could be found in one pass, in the order of the input."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

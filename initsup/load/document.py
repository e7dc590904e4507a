"""One object of the input, and where each of its fields stands in the file."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from initsup.errors import InvalidManifest, Problem
from initsup.spec.units import whole_number

from .findings import Finding

MOST_VALUES = 200_000
"""How many values a document may have: a pod of a thousand containers has 30,000."""

Path = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""
Lines = dict[Path, int]
"""Line of each value of one document; its key's line where it has a key."""


class Source:
    """One file: its name as the user gave it, and how to find the lines of its documents when they are wanted."""

    def __init__(self, file: str, find_lines: Callable[[], list[Lines]]) -> None:
        self.file = file
        self._find_lines = find_lines
        self._lines: list[Lines] | None = None

    def lines(self, index: int) -> Lines:
        """The lines of the document at `index`; the file is scanned for them once, when the first is asked for."""
        if self._lines is None:
            self._lines = self._find_lines()
        return self._lines[index] if index < len(self._lines) else {}


class Document(msgspec.Struct):
    """One object, as builtins.

    `moves` tells where parts of the object stand in the file: `(("spec",), ())` for a TOML file, whose top level is the
    pod's spec; the first that fits is used. `prefix` is shown before paths: the way to the pod of a workload (whose
    name is the workload's), the table of a TOML file. `lost` are the paths of what could not be read, of which no more
    is to be said than that. `overrides` are the fields that the command line gives, in the place of the file.
    """

    source: Source
    index: int
    body: dict[str, Any]
    moves: tuple[tuple[Path, Path], ...] = ()
    prefix: str = ""
    lost: list[str] = []
    overrides: tuple[Path, ...] = ()

    @property
    def is_toml(self) -> bool:
        """Whether it is a pod whose spec is the top level of a file."""
        return (("spec",), ()) in self.moves

    @property
    def kind(self) -> str:
        """The object's kind, empty if it has none."""
        kind = self.body.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def name(self) -> str:
        """The object's name, empty if it has none."""
        metadata = self.body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        return name if isinstance(name, str) else ""

    def line(self, path: str) -> int:
        """The line of a field, or of the nearest thing around it that is there; 0 if nothing is known."""
        steps = self.outside(_steps(path))
        lines = self.source.lines(self.index)
        while steps and steps not in lines:
            steps = steps[:-1]
        return lines.get(steps, 0)

    def outside(self, steps: Path) -> Path:
        """Where a part of the object stands in the file."""
        for inside, outside in self.moves:
            if steps[: len(inside)] == inside:
                return outside + steps[len(inside) :]
        return steps

    def problem(self, path: str, message: str, hint: str = "", at: str = "") -> Problem:
        """A problem of this object, with its place."""
        if any(_steps(path)[: len(given)] == given for given in self.overrides):
            return Problem(path=f"--set {path}", message=message, hint=hint)
        is_name_of_workload = self.prefix.startswith("spec.") and path.startswith("metadata.name")
        shown = path if is_name_of_workload else self.prefix + path
        return Problem(path=shown, message=message, hint=hint, file=self.source.file, line=self.line(at or path))

    def problems(self, findings: Iterable[Finding]) -> list[Problem]:
        """Findings of this object, with their places; without those that only follow from what was lost."""
        return [
            self.problem(found.path, found.message, found.hint, found.at)
            for found in findings
            if not any(found.follows_from(lost) for lost in self.lost)
        ]

    def rename(self, written: str, meant: str) -> None:
        """Show what is said about one path at the line of another."""
        self.moves = ((_steps(meant), self.outside(_steps(written))), *self.moves)


def malformed(message: str, hint: str = "", line: int = 0) -> InvalidManifest:
    """What a parser raises about text that it cannot read; whoever knows the file's name adds it."""
    return InvalidManifest([Problem(path="", message=message, hint=hint, line=line)])


def _steps(path: str) -> Path:
    """`spec.containers[0].labels[a.b/c]` → `("spec", "containers", 0, "labels", "a.b/c")`."""
    steps: list[str | int] = []
    while path:
        if path.startswith("["):
            inner, _, path = path[1:].partition("]")
            index = whole_number(inner)
            steps.append(inner if index is None else index)
        else:
            end = min((at for at in (path.find("."), path.find("[")) if at >= 0), default=len(path))
            steps.append(path[:end])
            path = path[end:]
        path = path.removeprefix(".")
    return tuple(steps)

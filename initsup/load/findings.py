"""How Kubernetes words a validation error (apimachinery `pkg/util/validation/field`).

PATH: TYPE[: VALUE][: DETAIL]
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from initsup.errors import BEST_EFFORT
from initsup.spec.base import Base, to_dict


class Finding(msgspec.Struct, frozen=True):
    """Something wrong in one object.

    `path` is as Kubernetes writes it; `at` is the path of the line where it differs. `among` is the list in which a
    name was looked for.
    """

    path: str
    message: str
    hint: str = ""
    at: str = ""
    among: str = ""

    def follows_from(self, lost: str) -> bool:
        """Whether it may be wrong only because the value at the path `lost` could not be read."""
        path = self.at or self.path
        if path == lost or path.startswith((f"{lost}.", f"{lost}[")):
            return True
        if self.message.startswith("Required value"):
            return path.rpartition(".")[0] == lost.rpartition(".")[0]
        named = lost.removesuffix(".name")
        return bool(self.among) and self.among in (named, named.rpartition("[")[0])


NOT_HERE = "cannot be given here"


class Findings(list[Finding]):
    """What the checks of one object have found so far. `best_effort`: promises that cannot be kept are none."""

    def __init__(self, best_effort: bool = False) -> None:
        super().__init__()
        self.best_effort = best_effort

    def refused(self, path: str, kind: str) -> None:
        """A field of the type `kind` promises isolation or safety that nobody has here, unless that is accepted."""
        if not self.best_effort:
            self.append(Finding(path, _join(NOT_HERE, _why_not(path, kind)), BEST_EFFORT))

    def unavailable(self, path: str, kind: str) -> None:
        """A field of the type `kind` asks for something that containers wait for, and that never comes here."""
        self.append(Finding(path, _join(NOT_HERE, _why_not(path, kind))))

    def required(self, path: str, detail: str = "", hint: str = "") -> None:
        """A field that must be there is not."""
        self.append(Finding(path, _join("Required value", detail), hint))

    def invalid(self, path: str, value: Any, detail: str, at: str = "", hint: str = "") -> None:
        """A value breaks a rule."""
        self.append(Finding(path, _join("Invalid value", show(value), detail), hint, at))

    def each_invalid(self, path: str, value: Any, details: Iterable[str], at: str = "") -> None:
        """A value breaks several rules."""
        for detail in details:
            self.invalid(path, value, detail, at)

    def forbidden(self, path: str, detail: str, at: str = "") -> None:
        """A field must not be set here."""
        self.append(Finding(path, _join("Forbidden", detail), "", at))

    def unsupported(
        self, path: str, value: Any, supported: Iterable[str], in_order: bool = False, at: str = ""
    ) -> None:
        """A word is not one of a list, which is shown sorted unless it is `in_order`."""
        words = ", ".join(show(word) for word in (supported if in_order else sorted(supported)))
        self.append(Finding(path, _join("Unsupported value", show(value), f"supported values: {words}"), "", at))

    def duplicate(self, path: str, value: Any) -> None:
        """A value that must be unique is there twice."""
        self.append(Finding(path, _join("Duplicate value", show(value))))

    def not_found(self, path: str, value: Any, among: str, hint: str = "") -> None:
        """A name refers to nothing in the list `among`."""
        self.append(Finding(path, _join("Not found", show(value)), hint, among=among))

    def too_long(self, path: str, most: int) -> None:
        """A value has more than `most` bytes."""
        self.append(Finding(path, _join("Too long", f"may not be more than {most} bytes")))

    def too_many(self, path: str, count: int, most: int) -> None:
        """A list has more than `most` items."""
        self.append(Finding(path, _join("Too many", str(count), f"must have at most {most} items")))


def _why_not(path: str, kind: str) -> str:
    from .support import table

    return table()[kind][path.rpartition(".")[2]].note


def show(value: Any) -> str:
    """A value as it stands in an error: strings quoted, numbers and truth values plain, everything else as JSON."""
    if isinstance(value, Base):
        value = to_dict(value, defaults=False)
    return msgspec.json.encode(value).decode()


def _join(*parts: str) -> str:
    return ": ".join(part for part in parts if part)

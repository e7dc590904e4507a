"""Builtins → objects, strictly: an unknown field or a wrong type is an error, and all of them are found at once.

The fast way is msgspec, which stops at its first error. Only when it does not get through, a slower walk over the same
types (`walk`) finds every error with its path and turns what Kubernetes accepts beside the types (numbers as
quantities, `null` for "not set"), and units, into what the types say.
"""

from typing import TypeVar

import msgspec

from initsup.errors import Problem
from initsup.spec.base import Base

from .document import Document

T = TypeVar("T", bound=Base)


def decode(kind: type[T], document: Document, problems: list[Problem]) -> T | None:
    """`document` as an object of `kind`, after adding to `problems` what is wrong with it, without what was lost."""
    try:
        return msgspec.convert(document.body, kind)
    except msgspec.ValidationError:
        pass
    from .walk import Walk

    walk = Walk(document)
    clean = walk.struct(document.body, kind, "")
    problems += walk.problems
    try:
        return msgspec.convert(clean, kind)
    except msgspec.ValidationError as error:
        problems.append(document.problem("", str(error)))
        return None


def unknown_field(name: str, known: list[str]) -> tuple[str, str]:
    """What to say about a field that does not exist: message and hint."""
    meant = meant_field(name, known)
    return "unknown field", f"did you mean {meant}?" if meant else ""


def meant_field(name: str, known: list[str]) -> str:
    """The field that a misspelt name most likely stands for; "" if there is none like it."""
    for candidate in known:
        if candidate.lower() == name.replace("_", "").replace("-", "").lower():
            return candidate
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1)), "")

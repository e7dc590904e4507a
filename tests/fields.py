"""The table of fields in README.md, made from what `initsup explain` knows.

`python -m tests.fields` writes it into README.md; `tests/test_shape.py` fails where it is not up to date.
"""

from __future__ import annotations

import re
from pathlib import Path

from initsup.load.support import table

README = Path(__file__).parent.parent / "README.md"
MARKS = re.compile(r"(?<=<!-- fields:begin -->\n).*(?=<!-- fields:end -->)", re.S)
LEFT_OUT = {"SupervisorConfiguration", "CrashLoopBackOff", "ImageMapping", "Console", "Volumes", "EphemeralContainer"}
"""The settings, which are not Kubernetes' own; and what cannot be in a manifest."""


def text() -> str:
    """The table: for each type its fields as they are, and why. Uniform types share a row."""
    rows = ["| type | field | here |", "| --- | --- | --- |"]
    uniform: dict[str, list[str]] = {"same": [], "no effect": [], "refused": []}
    for kind, fields in table().items():
        effects = {field.effect for field in fields.values()}
        if kind in LEFT_OUT:
            continue
        if len(effects) == 1 and effects <= set(uniform):
            uniform[effects.pop()].append(kind)
            continue
        by_note: dict[str, list[str]] = {}
        for name, field in sorted(
            fields.items(), key=lambda item: ["same", "differs", "no effect", "refused"].index(item[1].effect)
        ):
            here = f"{field.effect}: {field.note}" if field.note else field.effect
            by_note.setdefault(here, []).append(name)
        for number, (here, names) in enumerate(by_note.items()):
            rows.append(f"| {'' if number else f'`{kind}`'} | {_list(names)} | {here} |")
    rows += [f"| {_list(kinds)} | all | {effect} |" for effect, kinds in uniform.items()]
    return "\n".join(rows) + "\n"


def _list(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    README.write_text(MARKS.sub(lambda _: f"\n{text()}\n", README.read_text()))

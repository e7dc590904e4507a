"""A few inputs made by chance for each target of `python -m tests.fuzz`, so that all of them are fit to be fuzzed."""

from __future__ import annotations

from random import Random

import pytest

from initsup.load import json_form
from tests.fuzz.judge import Judge, Target
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS

INPUTS = 40


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_is_announced_is_all_that_happens(name: str) -> None:
    judge, chance = Judge(TARGETS[name]), Random(name)
    for data in (*judge.target.seeds, b"", *(mutated(chance, judge.target.seeds) for _ in range(INPUTS))):
        judge(data)
    assert not judge.findings


def test_what_is_not_announced_is_found_once() -> None:
    judge = Judge(Target(lambda data: json_form.parse(data.decode()) and None, []))
    judge(b"one")
    judge(b"two")
    assert [finding["input"] for finding in judge.findings.values()] == ["b'one'"]

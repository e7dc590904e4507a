from __future__ import annotations

import os
from pathlib import Path

import pytest

from initsup.node import memory_place
from initsup.node.memory_place import MemoryPlace

pytestmark = pytest.mark.real


def test_two_pods_that_say_the_same_uid_have_a_place_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_place, "file_system", lambda _: "ext4")  # tmp_path may be in memory itself
    monkeypatch.setattr(memory_place, "usable", lambda: str(tmp_path))
    places = [MemoryPlace("0b64"), MemoryPlace("0b64")]
    for number, place in enumerate(places):
        assert place.link(str(tmp_path / f"volume-{number}"))
    assert places[0].directory != places[1].directory
    for number, place in enumerate(places):
        assert os.path.realpath(tmp_path / f"volume-{number}").startswith(f"{place.directory}/")
        place.remove()

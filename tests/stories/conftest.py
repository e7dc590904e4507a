"""Fixtures of the stories: a home directory, and `run`, which starts initsup and cleans up after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from initsup.node.syscalls import become_subreaper
from tests.stories import trees
from tests.stories.driver import Story


@pytest.fixture(autouse=True, scope="session")
def adopt_orphans() -> None:
    """Whatever a run leaves behind becomes a child of this process, where it is seen."""
    become_subreaper()


@pytest.fixture
def home() -> Iterator[Path]:
    """A private directory with a short path (for sockets) that every user may enter (for databases)."""
    path = Path(tempfile.mkdtemp(prefix="initsup-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian, see `trees`."""
    return trees.debian(tmp_path_factory.mktemp("debian") / "debian.tar")


@pytest.fixture
def run(home: Path) -> Iterator[Callable[..., Story]]:
    """Start `initsup run FILE…`; the arguments are those of `Story`."""
    stories: list[Story] = []

    def start(*files: Path | str, **arguments: object) -> Story:
        place = home / f"run{len(stories)}"
        place.mkdir()
        stories.append(Story(place, *files, **arguments))  # type: ignore[arg-type]
        return stories[-1]

    yield start
    for story in stories:
        story.close()

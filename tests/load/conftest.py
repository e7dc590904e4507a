"""Files to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from initsup.errors import InvalidManifest
from initsup.load.read import load
from initsup.spec.manifest import Manifest

Write = Callable[[str, str | bytes], str]
Errors = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file; gives its path."""

    def to_file(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return to_file


@pytest.fixture
def loaded(write: Write) -> Callable[..., Manifest]:
    """Load objects that are written to a file as YAML."""

    def of_objects(*objects: Any) -> Manifest:
        return load([write("pod.yaml", yaml.safe_dump_all(objects, sort_keys=False))])

    return of_objects


@pytest.fixture
def errors(write: Write) -> Errors:
    """What is said about objects that are written to a file as YAML: `path: message`, empty if they are valid."""

    def of_objects(*objects: Any) -> list[str]:
        try:
            load([write("pod.yaml", yaml.safe_dump_all(objects, sort_keys=False))])
        except InvalidManifest as error:
            return [f"{problem.path}: {problem.message}" for problem in error.problems if problem.line > 0]
        return []

    return of_objects

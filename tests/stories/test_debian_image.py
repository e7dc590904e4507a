"""Images of a Debian, made by the tools that people use, run as they are and with a manifest's own words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories import trees
from tests.stories.driver import Story, private

pytestmark = pytest.mark.real

SETTINGS = """\
apiVersion: initsup.dev/v1alpha1
kind: SupervisorConfiguration
imageCache: {cache}
images:
  example.org/tool:
    archive: {archive}
    {more}
"""

POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: tool}}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: example.org/tool:1
      {more}
"""

MAKERS = [
    pytest.param(trees.by_umoci, id="a layout by umoci"),
    pytest.param(trees.by_buildah, id="a layout by buildah"),
    pytest.param(trees.saved(trees.by_umoci), id="docker save by skopeo"),
]
ITSELF = ["Hello, world!", "4321", "/srv", "in the image"]

OVERRIDES = [
    pytest.param("args: ['id -u; pwd']", "", ["4321", "/srv"], id="args in place of Cmd"),
    pytest.param("command: [/bin/pwd]", "", ["/srv"], id="a command in place of Entrypoint and Cmd"),
    pytest.param("workingDir: /usr", "", ["Hello, world!", "4321", "/usr", "in the image"], id="workingDir"),
    pytest.param("env: [{name: WHERE, value: the pod}]", "", [*ITSELF[:3], "the pod"], id="env"),
    pytest.param("securityContext: {runAsUser: 7}", "", ["Hello, world!", "7", *ITSELF[2:]], id="runAsUser"),
    pytest.param("", "user: games", ["Hello, world!", "5", *ITSELF[2:]], id="the settings' user, by the image's name"),
    pytest.param("", "env: {WHERE: settings}", [*ITSELF[:3], "settings"], id="the settings' env"),
    pytest.param("", "command: [sh, -c, pwd]", ["/srv"], id="the settings' command, without the image's Cmd"),
    pytest.param(
        "env: [{name: WHERE, value: the pod}]", "env: {WHERE: settings}", [*ITSELF[:3], "the pod"], id="the pod's first"
    ),
]


@pytest.fixture(scope="session")
def archive(debian: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image of it."""
    return trees.by_umoci(debian, tmp_path_factory.mktemp("image") / "image")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it is unpacked to."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("pod", "settings", "expected"), OVERRIDES)
def test_an_image_says_what_nobody_else_says(
    home: Path, run: Callable[..., Story], archive: str, cache: Path, pod: str, settings: str, expected: list[str]
) -> None:
    private("--mount")
    (home / "pod.yaml").write_text(POD.format(more=pod))
    (home / "host.yaml").write_text(SETTINGS.format(archive=archive, cache=cache, more=settings))
    story = run(home / "pod.yaml", home / "host.yaml")
    assert story.ended(timeout=120) == 0, story.said()
    assert story.logs("main").splitlines() == expected


@pytest.mark.parametrize("make", MAKERS)
def test_an_image_runs_as_it_says_and_the_second_start_finds_it_unpacked(
    home: Path, run: Callable[..., Story], debian: Path, make: Callable[[Path, Path], str]
) -> None:
    """So that one costs next to nothing: the CPU time of initsup and all that it has waited for."""
    private("--mount")
    archive = make(debian, home / "image")
    (home / "pod.yaml").write_text(POD.format(more=""))
    (home / "host.yaml").write_text(SETTINGS.format(archive=archive, cache=home / "cache", more=""))
    costs = []
    for _ in range(2):
        before = sum(os.times()[2:4])
        story = run(home / "pod.yaml", home / "host.yaml")
        assert story.ended(timeout=120) == 0, story.said()
        costs.append(sum(os.times()[2:4]) - before)
        assert story.logs("main").splitlines() == ITSELF
        assert "without" not in story.said()  # nothing of the image was left out
    assert costs[1] < costs[0] / 2, costs
    assert len(list((home / "cache/sha256").glob("*/rootfs"))) == 1

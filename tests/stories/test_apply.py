"""A pod changes while it runs: `apply`, SIGHUP, and what only a new pod can have."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.driver import Story

pytestmark = pytest.mark.real

POD = """
    terminationGracePeriodSeconds = 1
    [metadata.labels]
    version = "LABEL"
    [[containers]]
    name = "web"
    command = ["sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"]
    env = {FIRST = {valueFrom = {configMapKeyRef = {name = "config", key = "greeting"}}}}
    volumeMounts = [{name = "all", mountPath = "/initsup-apply"}]
    [[volumes]]
    name = "all"
    projected.sources = [
      {configMap = {name = "config"}},
      {secret = {name = "password"}},
      {downwardAPI = {items = [{path = "labels", fieldRef = {fieldPath = "metadata.labels"}}]}},
    ]
    [configMaps.config]
    greeting = "GREETING"
    [secrets.password]
    password = "SECRET"
    """
SHOWN = ["labels", "greeting", "password"]

Write = Callable[..., Path]


@pytest.fixture
def write(home: Path) -> Write:
    """Write the pod with other words in it."""

    def to_file(text: str = POD, **words: str) -> Path:
        for word in ("LABEL", "GREETING", "SECRET"):
            text = text.replace(word, words.get(word.lower(), "one"))
        (home / "pod.toml").write_text(textwrap.dedent(text))
        return home / "pod.toml"

    return to_file


@pytest.fixture
def story(write: Write, run: Callable[..., Story]) -> Story:
    """The pod, ready."""
    started = run(write())
    started.until_ready()
    return started


def seen(story: Story) -> list[str]:
    """What the container sees in its volume, and the variable that it started with."""
    script = f"cd /initsup-apply && cat {' '.join(SHOWN)} && echo && echo $FIRST"
    return story.exec("web", "sh", "-c", script).stdout.split()


def test_volumes_show_what_is_applied_and_environments_do_not(story: Story, write: Write) -> None:
    assert seen(story) == ['version="one"oneone', "one"]
    file = write(label="two", greeting="two", secret="two")
    assert story.ask("apply", str(file)).stdout == "pod/pod configured\n"
    assert seen(story) == ['version="two"twotwo', "one"]
    assert story.ask("apply", str(file)).stdout == "pod/pod unchanged\n"
    assert story.container("web")["restartCount"] == 0


def test_hangup_reads_the_files_again(story: Story, write: Write) -> None:
    write(greeting="two")
    story.signal(signal.SIGHUP)
    story.until(lambda: "initsup: reloaded\n" in story.said(), "the pod is reloaded")
    assert seen(story) == ['version="one"twoone', "one"]


def test_a_file_that_is_wrong_changes_nothing(story: Story, write: Write) -> None:
    file = write(POD.replace("[[volumes]]", "comand = []\n[[volumes]]"), greeting="two")
    story.signal(signal.SIGHUP)
    story.until(lambda: "initsup: cannot reload: " in story.said(), "the file is refused")
    assert f"{file}:10: spec.containers[0].comand: unknown field, did you mean command?" in story.said()
    assert story.ask("apply", str(file)).returncode == 2
    assert seen(story) == ['version="one"oneone', "one"]


def test_a_volume_whose_source_is_gone_keeps_what_it_has_until_it_is_back(story: Story, write: Write) -> None:
    without = POD.partition("[secrets.password]")[0]
    done = story.ask("apply", str(write(without, greeting="two")))
    assert done.returncode == 0
    assert 'volume all: secret "password" not found' in story.ask("get").stderr
    event = 'FailedMount   Pod/pod   MountVolume.SetUp failed for volume "all" : secret "password" not found'
    assert event in story.ask("events", "--types=Warning").stdout
    assert seen(story) == ['version="one"oneone', "one"]
    story.ask("apply", str(write(greeting="two", secret="three")))
    assert "volume all" not in story.ask("get").stderr
    assert seen(story) == ['version="one"twothree', "one"]
    story.ask("delete")
    assert story.ended() == 0


def test_what_cannot_change_is_said_in_the_words_of_kubernetes(story: Story, write: Write) -> None:
    file = write(POD.replace("PeriodSeconds = 1", "PeriodSeconds = 2").replace("FIRST", "OTHER"))
    done = story.ask("apply", str(file))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith(
        "initsup: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    )
    assert lines[1:] == [
        'spec.containers[0].env[0].name: "FIRST" → "OTHER"',
        "spec.terminationGracePeriodSeconds: 1 → 2",
        "(`--replace` ends the pod and starts the new one)",
    ]


def test_a_replacement_runs_under_the_same_initsup(story: Story, write: Write) -> None:
    pid = story.process.pid
    file = write(POD.replace("FIRST", "OTHER"), greeting="two")
    assert story.ask("apply", "--replace", str(file)).stdout == "pod/pod replaced\n"
    story.until_ready()
    assert seen(story) == ['version="one"twoone']
    assert (story.process.pid, story.process.poll()) == (pid, None)


def test_a_replacement_that_this_place_cannot_give_ends_nothing(story: Story, write: Write) -> None:
    file = write("hostUsers = false\n" + textwrap.dedent(POD))
    done = story.ask("apply", "--replace", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith(f"{file}:1: spec.hostUsers: cannot be given here: ")
    read_only = 'securityContext.readOnlyRootFilesystem = true\n[[volumes]]\nname = "all"'
    text = textwrap.dedent(POD).replace('[[volumes]]\nname = "all"', read_only)
    file = write(f'{text}[supervisor.volumes]\nmode = "link"\n')
    for how in (["--replace"], []):
        done = story.ask("apply", *how, str(file))
        assert (done.returncode, "readOnlyRootFilesystem: needs mounts" in done.stderr) == (2, True)
    assert seen(story) == ['version="one"oneone', "one"]

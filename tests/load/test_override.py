"""`--set KEY=VALUE`."""

from __future__ import annotations

from typing import Any

import pytest

from initsup.errors import InvalidManifest
from initsup.load.read import load
from initsup.spec.settings import Console, CrashLoopBackOff, ImageMapping

from .conftest import Write

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    command: [a]\n"
SETTINGS = """\
---
apiVersion: initsup.dev/v1alpha1
kind: SupervisorConfiguration
crashLoopBackOff: {maxPeriod: 1m}
console: {format: json}
"""


@pytest.mark.parametrize(
    ("override", "attribute", "expected"),
    [
        pytest.param(
            "crashLoopBackOff.initialPeriod=500ms",
            "crash_loop_back_off",
            CrashLoopBackOff(initial_period=0.5, max_period=60),
            id="a duration; its neighbour from the file stays",
        ),
        pytest.param(
            "crashLoopBackOff.maxPeriod=20", "crash_loop_back_off", CrashLoopBackOff(max_period=20), id="seconds"
        ),
        pytest.param("containerLogMaxSize=1Ki", "container_log_max_size", 1024, id="a size"),
        pytest.param("containerLogMaxFiles=3", "container_log_max_files", 3, id="a number"),
        pytest.param("bestEffort=true", "best_effort", True, id="a truth value"),
        pytest.param("console.format=raw", "console", Console(format="raw"), id="a word wins over the file's"),
        pytest.param("inheritEnv=A, B", "inherit_env", ("A", "B"), id="a list of words"),
        pytest.param('inheritEnv=["A"]', "inherit_env", ("A",), id="a list as JSON"),
        pytest.param(
            'images."a:1.2".command=x',
            "images",
            {"a:1.2": ImageMapping(command=("x",))},
            id="a key with dots in quotes",
        ),
        pytest.param("images.a.user=5", "images", {"a": ImageMapping(user=5)}, id="a user by id"),
        pytest.param("images.a.user=www", "images", {"a": ImageMapping(user="www")}, id="a user by name"),
        pytest.param('images.a={"args":["x"]}', "images", {"a": ImageMapping(args=("x",))}, id="an object as JSON"),
        pytest.param("images.a.env.K=v=w", "images", {"a": ImageMapping(env={"K": "v=w"})}, id="a value with ="),
    ],
)
def test_override(write: Write, override: str, attribute: str, expected: Any) -> None:
    settings = load([write("a.yaml", POD + SETTINGS)], [override]).settings
    assert getattr(settings, attribute) == expected


@pytest.mark.parametrize(
    ("override", "said"),
    [
        pytest.param("bestEfort=true", "--set bestEfort: unknown field, did you mean bestEffort?", id="a slip"),
        pytest.param(
            "console.fromat=raw", "--set console.fromat: unknown field, did you mean format?", id="a slip inside"
        ),
        pytest.param("bestEffort", "--set bestEffort: must be KEY=VALUE", id="no value"),
        pytest.param("bestEffort=yes", "--set bestEffort: must be true or false", id="no truth value"),
        pytest.param(
            "containerLogMaxFiles=\u00b2", "--set containerLogMaxFiles: must be a whole number", id="no digit"
        ),
        pytest.param("containerLogMaxFiles=x", "--set containerLogMaxFiles: must be a whole number", id="no number"),
        pytest.param("bestEffort.x=1", "--set bestEffort.x: bestEffort has no fields", id="too deep"),
        pytest.param("images.a.env.\udccb=v", r"--set 'images.a.env.\udccb': must be UTF-8", id="no text"),
        pytest.param("images={", "--set images: must be JSON", id="no JSON"),
        pytest.param(
            "crashLoopBackOff.maxPeriod=x", "--set crashLoopBackOff.maxPeriod: must be a duration", id="no duration"
        ),
        pytest.param("containerLogMaxFiles=0", "--set containerLogMaxFiles: Invalid value: 0", id="a rule"),
        pytest.param("volumes=1", "--set volumes: must be an object", id="no object"),
        pytest.param('images."a:1".rootfs=x', "--set images[a:1].rootfs: Invalid value", id="a rule, a quoted key"),
        pytest.param("=x", "--set =x: must be KEY=VALUE", id="no key"),
    ],
)
def test_override_that_is_wrong(write: Write, override: str, said: str) -> None:
    for file in (write("a.yaml", POD), write("b.yaml", POD + SETTINGS)):
        with pytest.raises(InvalidManifest) as caught:
            load([file], [override])
        assert str(caught.value).startswith(said)


def test_what_an_override_does_not_say_is_the_files(write: Write) -> None:
    with pytest.raises(InvalidManifest) as caught:
        load([write("a.yaml", POD + SETTINGS)], ["crashLoopBackOff.initialPeriod=2m"])
    assert "a.yaml:11: crashLoopBackOff.maxPeriod: Invalid value" in str(caught.value)

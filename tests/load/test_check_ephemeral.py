"""Validation: what may be added to a pod that runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from initsup.load.check_ephemeral import added
from initsup.spec.manifest import Manifest
from initsup.spec.pod import EphemeralContainer, Pod

from .given import ONE_ACTION, c, pod

PATH = "spec.ephemeralContainers"
BARRED = "cannot be set for an Ephemeral Container"
E: dict[str, Any] = {"name": "e"}


def running(*has: dict[str, Any]) -> Manifest:
    """A pod with an init container, a volume, and these ephemeral containers."""
    given = pod(initContainers=[c("i")], volumes=[{"name": "v", "emptyDir": {}}], ephemeralContainers=list(has))
    asked = Manifest(pod=msgspec.convert(given, Pod))
    spec = msgspec.structs.replace(asked.pod.spec, ephemeral_containers=())
    before = msgspec.structs.replace(asked, pod=msgspec.structs.replace(asked.pod, spec=spec))
    complete, problems = added(before, asked.pod.spec.ephemeral_containers)
    assert not problems
    spec = msgspec.structs.replace(spec, ephemeral_containers=tuple(complete))
    return msgspec.structs.replace(asked, pod=msgspec.structs.replace(asked.pod, spec=spec))


def read(*containers: dict[str, Any]) -> tuple[EphemeralContainer, ...]:
    return tuple(msgspec.convert(one, EphemeralContainer) for one in containers)


@pytest.mark.parametrize(
    ("has", "wanted", "names"),
    [
        pytest.param([], [E], ["e"], id="it needs no more than a name"),
        pytest.param([], [{**E, "image": "busybox"}], ["e"], id="its image may be one that nobody knows"),
        pytest.param([], [{**E, "targetContainerName": "i"}], ["e"], id="its target may be an init container"),
        pytest.param([], [{**E, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}], ["e"], id="it may mount volumes"),
        pytest.param([], [{**E, "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}], ["e"],
                     id="it may have what kubectl asks for by itself"),
        pytest.param([E], [E], [], id="what is there is no news"),
        pytest.param([E], [{"name": "f"}, E], ["f"], id="the order says nothing"),
    ],
)  # fmt: skip
def test_what_is_added(has: list[dict[str, Any]], wanted: list[dict[str, Any]], names: list[str]) -> None:
    new, problems = added(running(*has), read(*wanted))
    assert ([one.name for one in new], problems) == (names, [])


def test_defaults_are_filled_in() -> None:
    (one,), _ = added(running(), read({**E, "image": "busybox:1"}))
    assert (one.image_pull_policy, one.termination_message_policy) == ("IfNotPresent", "File")


@pytest.mark.parametrize(
    ("has", "wanted", "said"),
    [
        pytest.param([], [{}], [f"{PATH}[0].name: Required value"], id="it has a name"),
        pytest.param([], [{"name": "c"}], [f'{PATH}[0].name: Duplicate value: "c"'],
                     id="which no container of the pod has"),
        pytest.param([], [{"name": "i"}], [f'{PATH}[0].name: Duplicate value: "i"'], id="nor an init container"),
        pytest.param([], [E, E], [f'{PATH}[1].name: Duplicate value: "e"'], id="nor another one of its kind"),
        pytest.param([], [{**E, "targetContainerName": "x"}], [f'{PATH}[0].targetContainerName: Not found: "x"'],
                     id="its target is there"),
        pytest.param([E], [E, {"name": "f", "targetContainerName": "e"}],
                     [f'{PATH}[1].targetContainerName: Not found: "e"'], id="and is none of its own kind"),
        *(pytest.param([], [{**E, field: value}], [f"{PATH}[0].{field}: Forbidden: {BARRED}"], id=f"it has no {field}")
          for field, value in (
              ("ports", [{"containerPort": 80}]),
              ("resources", {"limits": {"cpu": "1"}}),
              ("livenessProbe", ONE_ACTION),
              ("readinessProbe", ONE_ACTION),
              ("startupProbe", ONE_ACTION),
              ("lifecycle", {"preStop": ONE_ACTION}),
              ("restartPolicy", "Always"),
              ("resizePolicy", [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]),
          )),
        pytest.param([], [{**E, "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a"}]}],
                     [f"{PATH}[0].volumeMounts[0].subPath: Forbidden: {BARRED}"], id="it mounts whole volumes"),
        pytest.param([E], [], [f'{PATH}: Forbidden: existing ephemeral containers "e" may not be removed\n'],
                     id="what is there stays"),
        pytest.param([E], [{**E, "tty": True}],
                     [f'{PATH}: Forbidden: existing ephemeral containers "e" may not be changed\n'],
                     id="and stays as it is"),
    ],
)  # fmt: skip
def test_what_is_refused(has: list[dict[str, Any]], wanted: list[dict[str, Any]], said: list[str]) -> None:
    _, problems = added(running(*has), read(*wanted))
    assert [f"{one.path}: {one.message}" for one in problems] == said

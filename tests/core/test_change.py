"""What a new manifest may change in a running pod, and which containers start again for that."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from initsup.core.change import Change, compare, same
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod, Toleration
from initsup.spec.settings import ImageMapping, SupervisorConfiguration
from tests.build import container, pod, sidecar

IMAGES = {"one": ImageMapping(command=("a",)), "two": ImageMapping(command=("b",))}


def asked(what: Pod, images: dict[str, ImageMapping] = IMAGES, **fields: Any) -> Manifest:
    return Manifest(pod=what, settings=SupervisorConfiguration(images=images), **fields)


def of(image: str = "one", side: str = "one", **spec: Any) -> Pod:
    """A pod with a main container and a sidecar of these images."""
    return pod(container(image=image), inits=(sidecar(image=side),), **spec)


@pytest.mark.parametrize(
    ("old", "new", "restart"),
    [
        pytest.param(of(), of(), [], id="nothing has changed"),
        pytest.param(of(), of("two"), ["a"], id="another image: the container starts again"),
        pytest.param(of(), of(side="two"), ["s"], id="so does a sidecar"),
        pytest.param(of(), of("two", "two"), ["s", "a"], id="or both"),
        pytest.param(
            pod(container(image="one", image_pull_policy="Always")),
            pod(container(image="one", image_pull_policy="Never")),
            [],
            id="the pull policy may change",
        ),
        pytest.param(of(), of(active_deadline_seconds=9), [], id="a deadline may be added"),
        pytest.param(of(active_deadline_seconds=9), of(active_deadline_seconds=8), [], id="it may be lowered"),
        pytest.param(of(active_deadline_seconds=9), of(active_deadline_seconds=0), [], id="to 0 even"),
        pytest.param(of(), of(tolerations=(Toleration(key="k"),)), [], id="tolerations may be added"),
    ],
)
def test_what_may_change(old: Pod, new: Pod, restart: list[str]) -> None:
    assert compare(asked(old), asked(new)) == Change(restart=tuple(restart))


@pytest.mark.parametrize("image", ["one", "one:1.2", "one@sha256:0", "one:1.2@sha256:0"])
def test_what_an_image_means_is_a_part_of_it(image: str) -> None:
    """Also where the settings have it without its tag or digest."""
    changed = {"one": ImageMapping(command=("a", "--more"))}
    assert compare(asked(of(image)), asked(of(image), changed)).restart == ("s", "a")


@pytest.mark.parametrize(
    ("old", "new", "forbidden"),
    [
        pytest.param(of(), of(""), 'spec.containers[0].image: "one" → ""', id="an image may not go away"),
        pytest.param(
            of(active_deadline_seconds=8),
            of(active_deadline_seconds=9),
            "spec.activeDeadlineSeconds: 8 → 9",
            id="a deadline may not be raised",
        ),
        pytest.param(
            of(active_deadline_seconds=8), of(), "spec.activeDeadlineSeconds: 8 → null", id="nor may it be taken away"
        ),
        pytest.param(
            of(), of(active_deadline_seconds=-1), "spec.activeDeadlineSeconds: null → -1", id="nor may it be negative"
        ),
        pytest.param(
            pod(container(), container("b")),
            pod(),
            'spec.containers[1]: {"name":"b","command":["run"]} → null',
            id="no container may go away",
        ),
        pytest.param(
            pod(container(), container("b", working_dir="/" + "x" * 57)),
            pod(container(), container("b", working_dir="/y" + "x" * 57)),
            f'spec.containers[1].workingDir: "/{"x" * 57}" → "/y{"x" * 54}...',
            id="values of more than 60 characters are cut",
        ),
        pytest.param(
            pod(container(), container("b", working_dir="/" + "x" * 57 + "/before")),
            pod(container(), container("b", working_dir="/" + "x" * 57 + "/after")),
            'spec.containers[1].workingDir: ...xxxxxxxxx/before" → ...xxxxxxxxx/after"',
            id="long values are shown from where they differ",
        ),
        pytest.param(
            of(tolerations=(Toleration(key="k"),)),
            of(tolerations=(Toleration(key="l"),)),
            'spec.tolerations[0].key: "k" → "l"',
            id="a toleration may not change",
        ),
        pytest.param(
            of(), of(policy="Never"), 'spec.restartPolicy: "Always" → "Never"', id="the policy may not change"
        ),
        pytest.param(
            pod(),
            pod(container(), container("b")),
            'spec.containers[1]: null → {"name":"b","command":["run"]}',
            id="no container may be added",
        ),
        pytest.param(
            pod(container(working_dir="/a")),
            pod(container(working_dir="/b")),
            'spec.containers[0].workingDir: "/a" → "/b"',
            id="no other field may change",
        ),
        pytest.param(
            pod(container(working_dir="/" + "x" * 70)),
            pod(),
            f'spec.containers[0].workingDir: "/{"x" * 55}... → ""',
            id="long values are cut",
        ),
        pytest.param(
            pod(),
            replace(pod(), metadata=replace(pod().metadata, name="q")),
            'metadata.name: Invalid value: "q": field is immutable',
            id="the name may not change",
        ),
        pytest.param(
            pod(),
            replace(pod(), metadata=replace(pod().metadata, namespace="other")),
            'metadata.namespace: Invalid value: "other": field is immutable',
            id="nor may the namespace",
        ),
    ],
)
def test_what_may_not(old: Pod, new: Pod, forbidden: str) -> None:
    assert compare(asked(old), asked(new)) == Change(forbidden=(forbidden,))


def test_labels_may_change() -> None:
    labelled = replace(pod(), metadata=replace(pod().metadata, labels={"a": "b"}))
    assert compare(asked(pod()), asked(labelled)) == Change()


def test_the_settings_of_an_image_are_its_definition() -> None:
    other = {**IMAGES, "one": ImageMapping(command=("c",))}
    assert compare(asked(of()), asked(of(), other)) == Change(restart=("s", "a"))
    assert compare(asked(of("two", "two")), asked(of("two", "two"), other)) == Change()


def test_nothing_starts_again_for_a_change_that_is_refused() -> None:
    assert compare(asked(of()), asked(of("two", policy="Never"))).restart == ()


def test_where_it_was_read_from_does_not_matter() -> None:
    assert same(asked(pod(), source="a"), asked(pod(), source="b"))
    assert not same(asked(pod()), asked(pod(policy="Never")))

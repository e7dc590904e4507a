"""Which image of several is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initsup.node.image_index import choose
from initsup.node.image_source import opened
from initsup.node.image_tar import BadImage
from tests.node.image_world import INDEX, Layout, entry, layer, named, platform, saved

Listed = list[dict[str, Any]]


def label(text: str) -> dict[str, Any]:
    """A configuration by which an image can be told from others."""
    return {"Cmd": [text]}


def chosen(path: str, name: str = "", machine: str = "x86_64") -> str:
    """The label of the image that is chosen."""
    with opened(path, "/tmp", 2**20) as source:
        found = choose(source, name, machine)
    return str(json.loads(found.raw_config)["config"]["Cmd"][0])


def two_tags(made: Layout) -> Listed:
    first = made.image(config=label("1"), architecture="amd64", **named("1.0"))
    full = {"annotations": {"io.containerd.image.name": "docker.io/library/tool:2.0"}}
    return [first, made.image(config=label("2"), architecture="amd64", **full)]


def many_machines(made: Layout) -> Listed:
    one = [made.image(config=label(a), architecture=a, **platform(a)) for a in ("s390x", "amd64", "arm64")]
    arms = [made.image(config=label(f"arm{v}"), architecture="arm", **platform("arm", v)) for v in ("v5", "v7", "v6")]
    proof = made.image(config=label("proof"), architecture="unknown", **platform("unknown"))
    windows = made.image(config=label("windows"), architecture="amd64")
    windows["platform"] = {"os": "windows", "architecture": "amd64"}
    return [made.index(windows, proof, *one, *arms)]


def variants(made: Layout) -> Listed:
    return [
        made.image(config=label("v3"), architecture="amd64", **platform("amd64", "v3")),
        made.image(config=label("plain"), architecture="amd64", **platform("amd64")),
    ]


def nested(made: Layout) -> Listed:
    inner = made.index(made.image(config=label("inner"), architecture="amd64"))
    return [made.index(made.index(inner), **named("x"))]


def same_twice(made: Layout) -> Listed:
    image = made.image(config=label("same"), architecture="amd64")
    return [{**image, **named("a")}, {**image, **named("b")}]


def without_platform(made: Layout) -> Listed:
    return [made.image(config=label(a), architecture=a) for a in ("arm64", "amd64")]


@pytest.mark.parametrize(
    ("make", "name", "machine", "label"),
    [
        pytest.param(two_tags, "1.0", "x86_64", "1", id="by tag"),
        pytest.param(two_tags, "2.0", "x86_64", "2", id="by the tag of a whole name"),
        pytest.param(two_tags, "tool:2.0", "x86_64", "2", id="by the end of a whole name"),
        pytest.param(two_tags, "docker.io/library/tool:2.0", "x86_64", "2", id="by a whole name"),
        pytest.param(many_machines, "", "x86_64", "amd64", id="for this machine"),
        pytest.param(many_machines, "", "aarch64", "arm64", id="for another machine"),
        pytest.param(many_machines, "", "s390x", "s390x", id="for a machine that Go calls as the kernel does"),
        pytest.param(many_machines, "", "armv7l", "armv7", id="the best variant"),
        pytest.param(many_machines, "", "armv6l", "armv6", id="no variant that cannot run"),
        pytest.param(variants, "", "x86_64", "plain", id="rather the one that runs on all"),
        pytest.param(nested, "", "x86_64", "inner", id="in a list in a list"),
        pytest.param(same_twice, "", "x86_64", "same", id="one image with two names"),
        pytest.param(without_platform, "", "x86_64", "amd64", id="as the configuration says"),
    ],
)
def test_the_image_that_is_meant(
    tmp_path: Path, make: Callable[[Layout], Listed], name: str, machine: str, label: str
) -> None:
    made = Layout(tmp_path / "layout")
    assert chosen(made.write(*make(made)), name, machine) == label


def deep(made: Layout) -> Listed:
    found = made.image(architecture="amd64")
    for _ in range(6):
        found = made.index(found)
    return [found]


def wrong(value: object) -> Callable[[Layout], Listed]:
    return lambda made: [made.document(value, INDEX)]


@pytest.mark.parametrize(
    ("make", "name", "error"),
    [
        pytest.param(two_tags, "", 'several images, say which by #NAME after the path: "1.0", "docker.io', id="which"),
        pytest.param(two_tags, "3", 'no image "3", but "1.0", "docker.io/library/tool:2.0"', id="no such name"),
        pytest.param(lambda made: [], "", "it holds no image", id="none at all"),
        pytest.param(
            lambda made: [made.image(architecture="arm64")], "", "only for: linux/arm64", id="none for this machine"
        ),
        pytest.param(deep, "", "nested too deeply", id="lists in lists in lists"),
        pytest.param(wrong([]), "", "cannot be read", id="a list that is none"),
        pytest.param(wrong({"manifests": [{"digest": 5}]}), "", "cannot be read", id="a digest that is a number"),
        pytest.param(
            lambda made: [{"mediaType": "text/plain", "digest": "x", "size": 1}], "", "nothing", id="no image"
        ),
    ],
)
def test_no_image_that_is_meant(tmp_path: Path, make: Callable[[Layout], Listed], name: str, error: str) -> None:
    made = Layout(tmp_path / "layout")
    path = made.write(*make(made))
    with pytest.raises(BadImage, match=error):
        chosen(path, name)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("{", "index.json cannot be read", id="no JSON"),
        pytest.param(b'{"manifests": [{"digest": "\xff"}]}', "index.json cannot be read", id="no UTF-8"),
        pytest.param('{"x": ' + "[" * 100_000, "index.json cannot be read", id="JSON that is nested"),
        pytest.param(" " * (2**23 + 1), "more than 8388608 bytes", id="too long"),
    ],
)
def test_broken_index(tmp_path: Path, text: str | bytes, error: str) -> None:
    made = Layout(tmp_path / "layout")
    (made.path / "index.json").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(BadImage, match=error):
        chosen(str(made.path))


def test_a_directory_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="neither index"):
        chosen(str(tmp_path))


def test_docker_save_by_name(tmp_path: Path) -> None:
    archive = saved(tmp_path / "saved.tar", layer(entry("a")), tags=["example.org/tool:1"], config=label("x"))
    machine = os.uname().machine
    assert chosen(archive, "tool:1", machine) == "x"
    with pytest.raises(BadImage, match=r'no image "tool:2", but "example\.org/tool:1"'):
        chosen(archive, "tool:2", machine)
    with pytest.raises(BadImage, match="and this machine is linux on pdp11"):
        chosen(archive, "", "pdp11")

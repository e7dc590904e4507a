"""What an image says, and what the settings say over it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from initsup.node.env import command
from initsup.node.image_config import merged, of_image, parse
from initsup.spec.pod import Container
from initsup.spec.settings import ImageMapping

WHOLE = {"Entrypoint": ["run"], "Cmd": ["all"], "Env": ["A=1", "B=2=3"], "WorkingDir": "/w", "User": "app:staff"}


def image(**config: Any) -> ImageMapping:
    return of_image(parse(json.dumps({"config": config}).encode()), "/cache/rootfs")


def said(**fields: Any) -> ImageMapping:
    """What WHOLE says, with some of it said otherwise."""
    own = {"command": ("run",), "args": ("all",), "env": {"A": "1", "B": "2=3"}, "working_dir": "/w"}
    return ImageMapping(**{**own, "user": "app:staff", **fields})


@pytest.mark.parametrize(
    ("settings", "config", "found"),
    [
        pytest.param(ImageMapping(), WHOLE, said(), id="what the image says"),
        pytest.param(ImageMapping(), dict.fromkeys(WHOLE), ImageMapping(), id="null is nothing"),
        pytest.param(ImageMapping(), {"User": "", "Env": ["", "=x", "y"]}, ImageMapping(), id="empty is nothing"),
        pytest.param(
            ImageMapping(command=("mine",)),
            WHOLE,
            said(command=("mine",), args=()),
            id="a command takes the place of Entrypoint and Cmd",
        ),
        pytest.param(ImageMapping(args=("some",)), WHOLE, said(args=("some",)), id="arguments take the place of Cmd"),
        pytest.param(
            ImageMapping(env={"A": "9"}, working_dir="/x", user=0),
            WHOLE,
            said(env={"A": "9", "B": "2=3"}, working_dir="/x", user=0),
            id="the settings win",
        ),
    ],
)
def test_defaults_of_an_image(settings: ImageMapping, config: dict[str, Any], found: ImageMapping) -> None:
    assert merged(settings, image(**config)) == msgspec.structs.replace(found, rootfs="/cache/rootfs")


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        pytest.param({}, ("run", "all"), id="Entrypoint and Cmd"),
        pytest.param({"args": ("some",)}, ("run", "some"), id="args take the place of Cmd"),
        pytest.param({"command": ("sh",)}, ("sh",), id="a command takes the place of both"),
        pytest.param({"command": ("sh",), "args": ("-c",)}, ("sh", "-c"), id="both"),
    ],
)
def test_what_a_container_runs(container: dict[str, Any], argv: tuple[str, ...]) -> None:
    """As the table in kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container."""
    assert command(Container(name="c", **container), merged(ImageMapping(), image(**WHOLE)), {}) == argv

"""`convert -o kubernetes`: what a cluster takes, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from initsup.load.kubernetes import Kind, for_cluster
from initsup.load.read import load, read

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
TOML = """\
restartPolicy = "{policy}"

[metadata]
name = "web"
annotations = {{"example.com/a" = "b"}}

[[initContainers]]
name = "setup"
image = "busybox"
command = ["true"]

[[containers]]
name = "app"
command = ["/srv/app", "--port=80"]
env = {{A = "1"}}
envFrom = [{{configMapRef = {{name = "settings"}}}}, {{secretRef = {{name = "word"}}}}]
volumeMounts = [{{name = "data", mountPath = "/data"}}]

[[containers]]
name = "cache"
image = "redis"

[[volumes]]
name = "data"
hostPath = {{path = "/var/data"}}

[configMaps.settings.data]
B = "2"

[secrets.word.stringData]
C = "3"

[supervisor]
podPidsLimit = 100
inheritEnv = ["LANG"]

[supervisor.images.redis]
command = ["redis-server"]
env = {{D = "4"}}
"""


def converted(tmp_path: Path, kind: Kind = "Pod", policy: str = "Always", **images: str) -> tuple[str, list[Any]]:
    path = tmp_path / "web.toml"
    path.write_text(TOML.format(policy=policy))
    load([str(path)])
    text = for_cluster(read([str(path)]), kind, images)
    return text, list(yaml.safe_load_all(text))


def notes(text: str) -> list[str]:
    return [line.removeprefix("# - ") for line in text.splitlines() if line.startswith("# - ")]


def test_objects_come_before_what_refers_to_them(tmp_path: Path) -> None:
    _, objects = converted(tmp_path)
    assert [(one["kind"], one["metadata"]["name"]) for one in objects] == [
        ("ConfigMap", "settings"), ("Secret", "word"), ("Pod", "web"),
    ]  # fmt: skip
    assert objects[1]["stringData"] == {"C": "3"}


def test_every_container_has_an_image(tmp_path: Path) -> None:
    text, objects = converted(tmp_path, app="registry.local/app:1", redis="registry.local/redis:7")
    spec = objects[-1]["spec"]
    images = {one["name"]: one["image"] for one in (*spec["initContainers"], *spec["containers"])}
    assert images == {"setup": "busybox", "app": "registry.local/app:1", "cache": "registry.local/redis:7"}
    assert not any("build an image" in note for note in notes(text))


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(
            "containers[app].image: it ran a program of the host; build an image that has /srv/app and name it here, "
            "or with --image app=IMAGE", id="a program of the host",
        ),
        pytest.param(
            "containers[cache].image: redis ran a program of the host; there the image's own command runs (it was: "
            "redis-server)", id="a mapped image",
        ),
        pytest.param(
            "containers[cache].env: the settings gave D; the image must have them, or the container",
            id="variables of the settings",
        ),
        pytest.param(
            "supervisor.podPidsLimit: set podPidsLimit in the KubeletConfiguration of the nodes",
            id="a limit of nodes",
        ),
        pytest.param(
            "supervisor.inheritEnv: there is no environment to inherit: give these variables to the containers",
            id="our environment",
        ),
        pytest.param("volumes[data].hostPath: it is a path of the node that the pod comes to", id="a path"),
    ],
)  # fmt: skip
def test_what_differs_is_said(tmp_path: Path, note: str) -> None:
    assert note in notes(converted(tmp_path)[0])


def test_where_nothing_differs_nothing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "  - {name: a, image: busybox, command: [sleep, '9']}\n"
    )
    assert for_cluster(read([str(path)]), "Pod", {}).startswith("apiVersion: v1\nkind: Pod\n")


@pytest.mark.parametrize(
    ("kind", "policy", "becomes", "said"),
    [
        pytest.param("Deployment", "Always", "Always", False, id="a Deployment"),
        pytest.param("Deployment", "Never", None, True, id="a Deployment of what shall end"),
        pytest.param("Job", "Never", "Never", False, id="a Job"),
        pytest.param("Job", "Always", "OnFailure", True, id="a Job of what never ends"),
    ],
)
def test_workloads(tmp_path: Path, kind: Kind, policy: str, becomes: str | None, said: bool) -> None:
    text, objects = converted(tmp_path, kind, policy)
    template = objects[-1]["spec"]["template"]
    assert objects[-1]["kind"] == kind
    assert template["spec"].get("restartPolicy", "Always" if becomes == "Always" else None) == becomes
    assert any(note.startswith("restartPolicy: ") for note in notes(text)) == said
    assert template["metadata"] == {"labels": {"app": "web"}, "annotations": {"example.com/a": "b"}}
    if kind == "Deployment":
        assert objects[-1]["spec"]["selector"] == {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "Job"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_cluster_takes_it(config: Path, kind: Kind) -> None:
    """By the published schema, as the official Python client has it: unknown fields are errors there."""
    client = pytest.importorskip("kubernetes.client", reason="the kubernetes package is not installed")
    text = for_cluster(read([str(config)]), kind, {})
    for one in yaml.safe_load_all(text):
        model = getattr(client, f"V1{one['kind']}")
        assert model.model_validate(one).metadata.name

"""The TOML form: the pod's spec at the top, everything else in tables."""

from __future__ import annotations

import pytest

from initsup.errors import InvalidManifest
from initsup.load.read import load
from initsup.spec.pod import EnvVar

from .conftest import Write

WHOLE = """\
restartPolicy = "Never"

[metadata]
name = "web"
labels = { app = "web" }

[[initContainers]]
name = "prepare"
command = ["true"]

[[containers]]
name = "server"
image = "nginx"
env = { PORT = "80", HOST = { valueFrom = { fieldRef = { fieldPath = "status.podIP" } } } }

[[containers]]
name = "other"
command = ["x"]
env = [{ name = "A", value = "b" }]

[[volumes]]
name = "data"
emptyDir = { medium = "Memory", sizeLimit = "64Mi" }

[supervisor]
containerLogMaxSize = "1Mi"
crashLoopBackOff = { initialPeriod = "1s", maxPeriod = 2.5 }
images.nginx = { command = ["/usr/sbin/nginx"], env = { A = "b" } }

[configMaps.short]
"app.conf" = "x = 1"
data = "a key that is called data"

[configMaps.full]
immutable = true
[configMaps.full.data]
a = "b"
[configMaps.full.binaryData]
b = "/w=="

[secrets.short]
password = "ä"

[secrets.full]
type = "kubernetes.io/ssh-auth"
[secrets.full.data]
ssh-privatekey = "/w=="
[secrets.full.stringData]
more = "c"
"""


def test_everything(write: Write) -> None:
    manifest = load([write("some.toml", WHOLE)])
    spec = manifest.pod.spec
    assert manifest.pod.metadata.name == "web"
    assert manifest.pod.metadata.labels == {"app": "web"}
    assert spec.restart_policy == "Never"
    assert [container.name for container in (*spec.init_containers, *spec.containers)] == ["prepare", "server", "other"]
    port, host = spec.containers[0].env
    assert port == EnvVar(name="PORT", value="80")
    assert host.value_from is not None
    assert host.value_from.field_ref is not None
    assert spec.containers[1].env == (EnvVar(name="A", value="b"),)
    assert manifest.settings.container_log_max_size == 2**20
    assert manifest.settings.crash_loop_back_off.initial_period == 1.0
    assert manifest.settings.crash_loop_back_off.max_period == 2.5
    assert manifest.settings.images["nginx"].command == ("/usr/sbin/nginx",)
    assert manifest.config_maps["short"].data == {"app.conf": "x = 1", "data": "a key that is called data"}
    assert manifest.config_maps["full"].data == {"a": "b"}
    assert manifest.config_maps["full"].binary_data == {"b": b"\xff"}
    assert manifest.config_maps["full"].immutable is True
    assert manifest.secrets["short"].data == {"password": "ä".encode()}
    assert manifest.secrets["full"].data == {"ssh-privatekey": b"\xff", "more": b"c"}
    assert manifest.secrets["full"].type == "kubernetes.io/ssh-auth"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param("web.toml", "web", id="the file's stem"),
        pytest.param("My App_2.toml", "my-app-2", id="made a valid name"),
        pytest.param("--x--.toml", "x", id="without outer dashes"),
        pytest.param("ä.toml", "pod", id="nothing of it is valid"),
        pytest.param("a" * 100 + ".toml", "a" * 63, id="cut"),
    ],
)
def test_name(write: Write, file: str, name: str) -> None:
    assert load([write(file, '[[containers]]\nname = "c"\ncommand = ["a"]\n')]).pod.metadata.name == name


def test_settings_and_data_in_a_file_of_their_own(write: Write) -> None:
    pod = write(
        "pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: x}]}\n"
    )
    host = write("host.toml", '[supervisor.images.x]\ncommand = ["a"]\n[configMaps.cm]\na = "b"\n')
    manifest = load([pod, host])
    assert manifest.settings.images["x"].command == ("a",)
    assert manifest.config_maps["cm"].data == {"a": "b"}
    assert manifest.source == pod


def test_a_variable_that_is_a_number(write: Write) -> None:
    path = write("a.toml", '[[containers]]\nname = "c"\ncommand = ["a"]\nenv.PORT = 80\n')
    with pytest.raises(InvalidManifest, match=r":4: spec.containers\[0\].env\[0\].value: must be a string"):
        load([path])

"""The table of fields: it knows all of them, and what a manifest is told from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
import pytest

from initsup.load.notes import Note, explain, notes
from initsup.load.read import load
from initsup.load.support import Support, table
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from initsup.spec.settings import SupervisorConfiguration

from .conftest import Errors

Loaded = Callable[..., Manifest]
Kind = type[msgspec.Struct]
Way = tuple[str | int, ...]


def types_of(kind: Any, seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    """All object types within a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in seen:
            seen.add(kind)
            yield kind
            for field in msgspec.structs.fields(kind):
                yield from types_of(field.type, seen)
        return
    for part in get_args(kind):
        yield from types_of(part, seen)


TYPES = [*types_of(Pod, set()), *types_of(SupervisorConfiguration, set())]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_table(kind: type[msgspec.Struct]) -> None:
    assert set(table()[kind.__name__]) == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_nothing_else_is_in_the_table() -> None:
    assert set(table()) == {kind.__name__ for kind in TYPES}


def test_what_differs_or_has_no_effect_says_why() -> None:
    for kind, fields in table().items():
        for name, support in fields.items():
            assert support.meaning, (kind, name)
            assert bool(support.note) == (support.effect != "same"), (kind, name)


# -- what has no effect is noted, what is refused is an error, what is the same is tested ----------------------------


def inner_structs(kind: Any) -> list[Kind]:
    """The object types directly in a field."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in get_args(kind) for found in inner_structs(part)]


def ways() -> dict[Kind, Way]:
    """The object types of a pod that something is made of, each with a way to it from the pod."""
    found: dict[Kind, Way] = {Pod: ()}
    todo: list[Kind] = [Pod]
    for kind in todo:
        for field in msgspec.structs.fields(kind):
            if table()[kind.__name__][field.encode_name].effect in ("same", "differs"):
                index = (0,) if str(field.type).startswith("tuple") else ()
                for inner in inner_structs(field.type):
                    if inner not in found:
                        found[inner] = (*found[kind], field.encode_name, *index)
                        todo.append(inner)
    return found


WAYS = ways()
ASKED = [
    (kind, field, table()[kind.__name__][field.encode_name])
    for kind in WAYS
    if kind.__name__ != "EphemeralContainer"  # not in a manifest
    for field in msgspec.structs.fields(kind)
]
"""Every field that can be asked for, other than those within something that has no effect or is refused."""


def some_value(kind: Any, default: Any) -> Any:
    """A value of a type that is not the default, as JSON."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        field = msgspec.structs.fields(kind)[0]
        return {field.encode_name: some_value(field.type, field.default)}
    origin, parts = get_origin(kind), [part for part in get_args(kind) if part is not NoneType]
    if origin is tuple:
        return [some_value(parts[0], None)]
    if origin is dict:
        return {"x": some_value(parts[1], None)}
    if parts:
        return some_value(parts[0], default)
    return {str: "x", bool: default is not True, int: 7}.get(kind, "x")


def pod_with(way: Way, name: str, value: Any) -> dict[str, Any]:
    """A pod in which the object at the end of a way has that field."""
    inner: Any = {name: value}
    for step in reversed(way):
        inner = [inner] if isinstance(step, int) else {step: inner}
    return {"apiVersion": "v1", "kind": "Pod", **inner}


def path_of(way: Way, name: str) -> str:
    """As Kubernetes writes it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*way, name)).removeprefix(".")


@pytest.mark.parametrize(
    ("kind", "field", "support"),
    [pytest.param(*row, id=f"{row[0].__name__}.{row[1].encode_name}") for row in ASKED if row[2].effect == "no effect"],
)
def test_what_has_no_effect_is_noted(kind: Kind, field: Any, support: Support) -> None:
    given = pod_with(WAYS[kind], field.encode_name, some_value(field.type, field.default))
    manifest = Manifest(pod=msgspec.convert(given, Pod), source="p")
    assert Note(path_of(WAYS[kind], field.encode_name), "no effect", support.note) in notes(manifest)


LOCALHOST = {"type": "Localhost", "localhostProfile": "p"}
REFUSED: dict[str, Any] = {
    "PodSpec.hostUsers": False,
    "PodSpec.runtimeClassName": "gvisor",
    "SecurityContext.seccompProfile": {"type": "RuntimeDefault"},
    "SecurityContext.appArmorProfile": LOCALHOST,
    "SecurityContext.seLinuxOptions": {"level": "s0"},
    "PodSecurityContext.seccompProfile": LOCALHOST,
    "PodSecurityContext.appArmorProfile": {"type": "RuntimeDefault"},
    "PodSecurityContext.seLinuxOptions": {"level": "s0"},
    "PodSecurityContext.sysctls": [{"name": "net.core.somaxconn", "value": "1"}],
    "VolumeProjection.clusterTrustBundle": {"name": "b", "path": "p"},
    "VolumeProjection.podCertificate": {"signerName": "s", "keyType": "ED25519"},
    "Volume.gcePersistentDisk": {"pdName": "d"},
    "Volume.awsElasticBlockStore": {"volumeID": "d"},
    "Volume.gitRepo": {"repository": "r"},
    "Volume.nfs": {"server": "s", "path": "/"},
    "Volume.iscsi": {"targetPortal": "t", "iqn": "iqn.x", "lun": 0},
    "Volume.glusterfs": {"endpoints": "e", "path": "p"},
    "Volume.persistentVolumeClaim": {"claimName": "c"},
    "Volume.rbd": {"monitors": ["m"], "image": "i"},
    "Volume.flexVolume": {"driver": "d"},
    "Volume.cinder": {"volumeID": "d"},
    "Volume.cephfs": {"monitors": ["m"]},
    "Volume.flocker": {"datasetName": "d"},
    "Volume.fc": {"wwids": ["w"]},
    "Volume.azureFile": {"secretName": "s", "shareName": "n"},
    "Volume.azureDisk": {"diskName": "d", "diskURI": "u"},
    "Volume.vsphereVolume": {"volumePath": "p"},
    "Volume.quobyte": {"registry": "r", "volume": "v"},
    "Volume.photonPersistentDisk": {"pdID": "d"},
    "Volume.portworxVolume": {"volumeID": "d"},
    "Volume.scaleIO": {"gateway": "g", "system": "s", "volumeName": "v"},
    "Volume.storageos": {"volumeName": "v"},
    "Volume.csi": {"driver": "d"},
    "Volume.ephemeral": {"volumeClaimTemplate": {"spec": {}}},
}
"""Of each field that is refused, something that is."""

ANY_EFFORT = {"Volume", "VolumeProjection"}
"""Types whose fields containers would wait for: no effort makes them run."""


def test_of_all_that_is_refused_something_is_tried() -> None:
    refused = {f"{kind.__name__}.{field.encode_name}" for kind, field, support in ASKED if support.effect == "refused"}
    assert set(REFUSED) == refused - {"Container.volumeDevices"}  # which are devices of a volume that is refused


def refused_pod(name: str, value: Any) -> tuple[str, dict[str, Any]]:
    """The path of a field that is refused, and a pod with it that is valid otherwise."""
    kind_name, _, field = name.partition(".")
    way = next(way for kind, way in WAYS.items() if kind.__name__ == kind_name)
    pod = pod_with(way, field, value)
    spec = pod["spec"]
    for list_name in ("initContainers", "containers"):
        spec[list_name] = [{"name": list_name.lower(), "command": ["x"], **spec.get(list_name, [{}])[0]}]
    if "volumes" in spec:
        spec["volumes"] = [{"name": "v", **spec["volumes"][0]}]
    return path_of(way, field), {**pod, "metadata": {"name": "p"}}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_an_error_that_says_why(errors: Errors, loaded: Loaded, name: str) -> None:
    kind, _, field = name.partition(".")
    path, pod = refused_pod(name, REFUSED[name])
    said = f"cannot be given here: {table()[kind][field].note}"
    assert errors(pod) == [f"{path}: {said}"]
    settings = {"apiVersion": "initsup.dev/v1alpha1", "kind": "SupervisorConfiguration", "bestEffort": True}
    if kind in ANY_EFFORT:
        assert errors(pod, settings) == [f"{path}: {said}"]
    else:
        assert notes(loaded(pod, settings)) == [Note(path, "refused", said)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SecurityContext.seccompProfile", {"type": "Unconfined"}),
        ("PodSecurityContext.appArmorProfile", {"type": "Unconfined"}),
        ("PodSpec.hostUsers", True),
        ("VolumeProjection.clusterTrustBundle", {"name": "b", "path": "p", "optional": True}),
    ],
)
def test_what_asks_for_nothing_is_not_refused(loaded: Loaded, name: str, value: Any) -> None:
    assert notes(loaded(refused_pod(name, value)[1])) == []


def test_what_is_the_same_or_differs_is_tested(checkout: Path) -> None:
    own = {checkout / "tests" / "fields.py", Path(__file__)}
    texts = [path.read_text() for path in (checkout / "tests").rglob("*.py") if path not in own]
    words = set(re.findall(r"\w+", " ".join(texts).replace(r"\n", " ")))
    untested = [
        f"{kind.__name__}.{field.encode_name}"
        for kind, field, support in ASKED
        if support.effect in ("same", "differs") and not words & {field.name, field.encode_name}
    ]
    assert untested == []


def test_notes(loaded: Loaded) -> None:
    given = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "finalizers": ["example.com/x"]},
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "hostNetwork": True,
            "affinity": {"nodeAffinity": {}},
            "containers": [
                {
                    "name": "a",
                    "command": ["x"],
                    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
                    "securityContext": {"windowsOptions": {"runAsUserName": "u"}},
                },
                {"name": "b", "command": ["x"], "image": "i:1", "imagePullPolicy": "Always"},
                {"name": "c", "command": ["x"], "image": "i:1", "imagePullPolicy": "IfNotPresent"},
            ],
        },
    }
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    found = notes(loaded(given, service))
    assert [(note.path, note.effect) for note in found] == [
        ("metadata.finalizers", "no effect"),
        ("spec.containers[0].resizePolicy", "no effect"),
        ("spec.containers[0].securityContext.windowsOptions", "no effect"),
        ("spec.containers[1].imagePullPolicy", "no effect"),
        ("spec.nodeSelector", "no effect"),
        ("spec.hostNetwork", "differs"),
        ("spec.affinity", "no effect"),
        ("", "no effect"),
    ]
    assert str(found[4]) == "spec.nodeSelector: no effect: there is one node"
    assert str(found[-1]) == "no effect: Service s is ignored"


def test_a_simple_pod_has_no_notes(checkout: Path) -> None:
    assert notes(load([str(checkout / "configs" / "minimal.toml")])) == []


@pytest.mark.parametrize(
    ("path", "words", "kind"),
    [
        ("spec.containers.livenessProbe", "kills the container", "Probe"),
        ("pod.spec.containers[].livenessProbe.exec.command", "not run through a shell", None),
        ("spec.volumes.projected.sources.secret", "Keys of a Secret", "SecretProjection"),
        ("metadata.labels", "found by", None),
        ("supervisor.images", "by the name of their image", "ImageMapping"),
        ("pod", "share their life", "Pod"),
    ],
)
def test_explain(path: str, words: str, kind: str | None) -> None:
    support, inner = explain(path)
    assert words in support.meaning
    assert (inner.__name__ if inner else None) == kind


@pytest.mark.parametrize(("path", "part"), [("spec.containrs.name", "containrs"), ("metadata.name.x", "x")])
def test_explain_of_nothing(path: str, part: str) -> None:
    with pytest.raises(KeyError, match=part):
        explain(path)

"""The table of fields: it knows all of them, and what a manifest is told from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from initsup.load.notes import explain, notes
from initsup.load.read import load
from initsup.load.support import table
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Pod
from initsup.spec.settings import SupervisorConfiguration

Loaded = Callable[..., Manifest]


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
                    "stdinOnce": True,
                    "securityContext": {"seccompProfile": {"type": "Unconfined"}},
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
        ("spec.containers[0].securityContext.seccompProfile", "no effect"),
        ("spec.containers[0].stdinOnce", "no effect"),
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

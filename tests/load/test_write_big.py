"""What is written reads back as the same manifest."""

# ruff: noqa: E501 - tables read better in long lines

from __future__ import annotations

import string
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initsup.load.read import load, read
from initsup.load.write import Form, write
from initsup.spec.manifest import ConfigMap, Manifest, Secret
from initsup.spec.pod import Container, EnvVar, ObjectMeta, Pod, PodSpec, ResourceRequirements
from initsup.spec.probe import HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction
from initsup.spec.settings import Console, CrashLoopBackOff, ImageMapping, SupervisorConfiguration
from initsup.spec.volume import ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, Volume, VolumeMount

FORMS: tuple[Form, ...] = get_args(Form)

names = st.text(string.ascii_lowercase, min_size=1, max_size=8)
keys = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=8)
tricky = st.sampled_from(
    ["", "yes", "null", "~", "1e3", "0o17", "0644", "1_0", "2026-01-02", "<<", "=", "- a", "a: b", "a # b", "'", '"', "\\",
     " x ", "\n", "a\n", "a\n\nb", "\ta", "a\tb\nc", "a\r\nb", "é", "\u2028", "\ufeff", "\x85", "😀", "{a}", "[", "%x", "@x",
     "!x", "&x", "*x", "|", ">", "?", "a \nb", "---", "...", "true", "-", ".inf", '"""', "'''", "\\r", "\x1f", "0x1", "1:30"]
)  # fmt: skip
texts = st.one_of(tricky, st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12))
quantities = st.sampled_from(["1", "500m", "64Mi", "0.5", "1e3"])
json_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53), 2**53), texts),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)

probes = st.builds(
    Probe,
    http_get=st.builds(HTTPGetAction, path=texts, port=st.one_of(st.integers(1, 65535), names)),
    period_seconds=st.integers(0, 20),
    termination_grace_period_seconds=st.none() | st.integers(1, 5),
)
containers = st.builds(
    Container,
    name=names,
    image=names,
    command=st.lists(texts, min_size=1, max_size=3).map(tuple),
    args=st.lists(texts, max_size=2).map(tuple),
    env=st.lists(st.builds(EnvVar, name=texts, value=texts), max_size=3).map(tuple),
    resources=st.builds(ResourceRequirements, limits=st.dictionaries(names, quantities, max_size=2)),
    liveness_probe=st.none() | probes,
    lifecycle=st.none() | st.just(Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction()))),
    volume_mounts=st.lists(st.builds(VolumeMount, name=names, mount_path=texts), max_size=2).map(tuple),
    restart_policy=st.none() | st.just("Always"),
)
volumes = st.builds(
    Volume,
    name=names,
    empty_dir=st.none() | st.builds(EmptyDirVolumeSource, size_limit=st.none() | quantities),
    config_map=st.none()
    | st.builds(
        ConfigMapVolumeSource,
        name=names,
        default_mode=st.integers(0, 0o777),
        items=st.lists(
            st.builds(KeyToPath, key=keys, path=names, mode=st.none() | st.integers(0, 0o777)), max_size=2
        ).map(tuple),
    ),
    nfs=st.none() | st.dictionaries(names, json_values, max_size=2),
)
pods = st.builds(
    Pod,
    metadata=st.builds(
        ObjectMeta,
        name=names,
        labels=st.dictionaries(names, texts, max_size=2),
        annotations=st.dictionaries(texts, texts, max_size=2),
    ),
    spec=st.builds(
        PodSpec,
        containers=st.lists(containers, min_size=1, max_size=3).map(tuple),
        init_containers=st.lists(containers, max_size=1).map(tuple),
        volumes=st.lists(volumes, max_size=2).map(tuple),
        restart_policy=st.sampled_from(["Always", "Never"]),
        termination_grace_period_seconds=st.integers(0, 100),
        affinity=st.none() | st.dictionaries(names, json_values, max_size=2),
        host_network=st.booleans(),
    ),
)


def by_name(kind: Any, **fields: Any) -> Any:
    """Objects of a kind by their name."""
    return st.dictionaries(names, st.fixed_dictionaries(fields), max_size=2).map(
        lambda found: {name: kind(metadata=ObjectMeta(name=name), **given) for name, given in found.items()}
    )


configurations = st.builds(
    SupervisorConfiguration,
    crash_loop_back_off=st.builds(CrashLoopBackOff, initial_period=st.sampled_from([10.0, 0.001, 1.5, 1 / 3, 3600.0])),
    container_log_max_size=st.sampled_from([1, 1000, 1024, 10 * 2**20, 12345]),
    images=st.dictionaries(
        texts, st.builds(ImageMapping, command=st.just(("x",)), user=st.none() | st.integers(0, 9) | names), max_size=2
    ),
    console=st.builds(Console, format=st.sampled_from(["auto", "json"])),
    best_effort=st.booleans(),
)
manifests = st.builds(
    Manifest,
    pod=pods,
    config_maps=by_name(
        ConfigMap,
        data=st.dictionaries(keys, texts, max_size=3),
        binary_data=st.dictionaries(keys, st.binary(max_size=5), max_size=1),
        immutable=st.sampled_from([None, True, False]),
    ),
    secrets=by_name(
        Secret,
        data=st.dictionaries(keys, st.one_of(st.binary(max_size=5), texts.map(str.encode)), max_size=3),
        type=st.sampled_from(["Opaque", "kubernetes.io/tls"]),
    ),
    settings=configurations,
)


@pytest.mark.parametrize("form", FORMS)
@settings(
    max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(manifest=manifests)
def test_round_trip(form: Form, manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / f"again.{form}"
    path.write_text(write(manifest, form), encoding="utf-8")
    again = read([str(path)])
    assert msgspec.structs.replace(again, source="", ignored=()) == manifest


def test_every_config_is_written_and_read_in_every_form(checkout: Path, tmp_path: Path) -> None:
    for path in sorted((checkout / "configs").glob("*.toml")):
        manifest = read([str(path)])
        for form in FORMS:
            other = tmp_path / f"{path.stem}.{form}"
            other.write_text(write(manifest, form), encoding="utf-8")
            again = load([str(other)])
            original = load([str(path)])
            assert msgspec.structs.replace(again.pod.metadata, uid="") == msgspec.structs.replace(
                original.pod.metadata, uid=""
            )
            assert again.pod.spec == original.pod.spec
            assert again.settings == original.settings


def test_units_are_written(tmp_path: Path) -> None:
    manifest = Manifest(
        pod=Pod(metadata=ObjectMeta(name="p")),
        settings=SupervisorConfiguration(
            crash_loop_back_off=CrashLoopBackOff(initial_period=90.0), container_log_max_size=2**20
        ),
    )
    text = write(manifest, "yaml")
    assert "initialPeriod: 1m30s" in text
    assert "containerLogMaxSize: 1Mi" in text

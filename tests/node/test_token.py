"""The stand-in for service account tokens: true claims, no signature that anybody could have made."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from initsup.node.failures import CannotMount
from initsup.node.token import issue
from initsup.spec.pod import ObjectMeta, Pod, PodSpec
from initsup.spec.volume import ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeProjection
from tests.node.world import World, manifest

POD = Pod(metadata=ObjectMeta(name="p", namespace="n", uid="u"), spec=PodSpec(service_account_name="sa"))
NOW = 1_700_000_000.7


def decoded(part: bytes) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))


def test_claims() -> None:
    token = issue(POD, ServiceAccountTokenProjection(audience="vault", expiration_seconds=600, path="t"), NOW)
    header, claims, signature = token.data.split(b".")
    assert decoded(header) == {"alg": "HS256", "typ": "JWT"}
    assert len(signature) == 43
    found = decoded(claims)
    assert len(found.pop("jti")) == 32
    assert found == {
        "aud": ["vault"],
        "exp": 1_700_000_600,
        "iat": 1_700_000_000,
        "iss": "initsup",
        "kubernetes.io": {
            "namespace": "n",
            "node": {"name": os.uname().nodename},
            "pod": {"name": "p", "uid": "u"},
            "serviceaccount": {"name": "sa"},
        },
        "nbf": 1_700_000_000,
        "sub": "system:serviceaccount:n:sa",
    }


def test_no_two_are_the_same() -> None:
    asked = ServiceAccountTokenProjection(path="t")
    assert issue(POD, asked, NOW).data != issue(POD, asked, NOW).data


@pytest.mark.parametrize(
    ("seconds", "after"),
    [
        pytest.param(600, 480, id="at 80 percent of its time"),
        pytest.param(10 * 24 * 3600, 24 * 3600, id="but after a day"),
    ],
)
def test_when_it_is_renewed(seconds: int, after: float) -> None:
    token = issue(POD, ServiceAccountTokenProjection(expiration_seconds=seconds), NOW)
    assert token.renew_at == NOW + after


@pytest.mark.real
def test_a_new_one_takes_the_place_of_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tuple(
        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path=path, expiration_seconds=seconds))
        for path, seconds in (("short", 600), ("long", 7200))
    )
    world = World(
        manifest(volumes=(Volume(name="v", projected=ProjectedVolumeSource(sources=sources)),)), str(tmp_path)
    )
    assert world.volumes.tokens_due() is None
    try:
        world.volumes.prepare()
        place = Path(world.volumes.path("v") or "")
        before = {path: (place / path).read_bytes() for path in ("short", "long")}
        due = world.volumes.tokens_due()
        assert due is not None
        world.volumes.renew_tokens()
        assert {path: (place / path).read_bytes() for path in before} == before
        monkeypatch.setattr("initsup.node.volumes.time.time", lambda: due)
        monkeypatch.setattr("initsup.node.payload.time.time", lambda: due)
        world.volumes.renew_tokens()
        assert (place / "short").read_bytes() != before["short"]
        assert (place / "long").read_bytes() == before["long"]
        assert world.volumes.tokens_due() == due + 480
    finally:
        world.remove()


@pytest.mark.real
def test_one_that_cannot_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="t", expiration_seconds=600))
    volume = Volume(name="v", projected=ProjectedVolumeSource(sources=(source,)))
    world = World(manifest(volumes=(volume,), mode="link"), str(tmp_path))
    try:
        world.volumes.prepare()
        place = Path(world.volumes.path("v") or "")
        before, due = (place / "t").read_bytes(), world.volumes.tokens_due()
        monkeypatch.setattr("initsup.node.volumes.time.time", lambda: due)
        monkeypatch.setattr("initsup.node.payload.time.time", lambda: due)
        place.rename(tmp_path / "elsewhere")
        place.touch()
        with pytest.raises(CannotMount):
            world.volumes.renew_tokens()
        assert world.volumes.tokens_due() == due
        place.unlink()
        (tmp_path / "elsewhere").rename(place)
        world.volumes.renew_tokens()
        assert (place / "t").read_bytes() != before
    finally:
        world.remove()

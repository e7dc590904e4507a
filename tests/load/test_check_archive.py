"""Archives of images in the settings: what can be seen without unpacking them."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from initsup.load.check_config import check_settings
from initsup.spec.settings import ImageMapping, SupervisorConfiguration, split_archive


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("index.json"))
    return file.getvalue()


FILES = {
    "good.tar": tar(),
    "good.tar.gz": gzip.compress(tar()),
    "good.tar.zst": b"\x28\xb5\x2f\xfd" + b"x" * 100,
    "layout/index.json": b'{"manifests": []}',
    "text": b"something else " * 100,
    "empty": b"",
    "plain/file": b"x",
    "odd/index.json": b"not JSON",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        pytest.param("good.tar", None, id="a tar file"),
        pytest.param("good.tar#name:1", None, id="an image of a tar file"),
        pytest.param("good.tar.gz", None, id="with gzip"),
        pytest.param("good.tar.zst", None, id="with zstd"),
        pytest.param("layout", None, id="a layout"),
        pytest.param("layout#1", None, id="an image of a layout"),
        pytest.param("none", "there is no such file", id="nothing"),
        pytest.param("none#x", "there is no such file", id="an image of nothing"),
        pytest.param("text", "is no tar file", id="another file"),
        pytest.param("empty", "is no tar file", id="an empty file"),
        pytest.param("plain", "is no OCI image layout, it has no index.json", id="another directory"),
        pytest.param("odd", "its index.json is no JSON object", id="a broken layout"),
    ],
)
def test_archives(place: Path, archive: str, said: str | None) -> None:
    settings = SupervisorConfiguration(images={"a": ImageMapping(archive=f"{place}/{archive}")})
    found = [(one.path, one.message) for one in check_settings(settings)]
    wanted = [("images[a].archive", f'Invalid value: "{place}/{archive}": {said}')] if said else []
    assert found == wanted


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {"images": {"a": ImageMapping(archive="x.tar")}},
            'images[a].archive: Invalid value: "x.tar": must be an absolute path',
            id="a relative path",
        ),
        pytest.param(
            {"images": {"a": ImageMapping(archive="/dev/null", rootfs="/")}},
            "images[a].archive: Forbidden: may not be set together with rootfs",
            id="two roots",
        ),
        pytest.param(
            {"images": {"a": ImageMapping(archive="/dev/null")}},
            'images[a].archive: Invalid value: "/dev/null": is neither a directory nor a file',
            id="a device",
        ),
        pytest.param(
            {"image_cache": "x"}, 'imageCache: Invalid value: "x": must be an absolute path', id="a relative cache"
        ),
        pytest.param({"image_max_size": 0}, "imageMaxSize: Invalid value: 0: must be greater than 0", id="no size"),
    ],
)
def test_other_settings_of_images(fields: dict[str, Any], said: str) -> None:
    found = [f"{one.path}: {one.message}" for one in check_settings(SupervisorConfiguration(**fields))]
    assert said in found


@pytest.mark.parametrize(
    ("archive", "parts"),
    [
        ("/a/b", ("/a/b", "")),
        ("/a/b#c:1", ("/a/b", "c:1")),
        ("/a#b/c#d", ("/a#b/c", "d")),
        ("/a#b#", ("/a#b", "")),
    ],
)
def test_path_and_name(archive: str, parts: tuple[str, str]) -> None:
    assert split_archive(archive) == parts

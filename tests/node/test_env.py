"""Rows of how environments and argument lists come about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from initsup.node import env
from initsup.node.failures import CannotCreate
from initsup.spec.manifest import ConfigMap, Secret
from initsup.spec.pod import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectMeta,
    ResourceRequirements,
    SecretEnvSource,
    SecretKeySelector,
)
from initsup.spec.settings import ImageMapping
from initsup.spec.volume import ObjectFieldSelector, ResourceFieldSelector
from tests.node.world import CONTEXT, manifest

VALUES = {"A": "a", "B": "b", "EMPTY": "", "REF": "$(A)", "with space": "s", "": "nameless"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$(A)", "a", id="a reference is replaced"),
        pytest.param("x$(A)y$(B)z", "xaybz", id="several references"),
        pytest.param("$(A)$(A)", "aa", id="twice the same"),
        pytest.param("$(EMPTY)|", "|", id="an empty value counts as known"),
        pytest.param("$(REF)", "$(A)", id="values are not expanded again"),
        pytest.param("$(NONE)", "$(NONE)", id="an unknown name stays"),
        pytest.param("$(with space)", "s", id="a name may have blanks"),
        pytest.param("$()", "nameless", id="a name may be empty"),
        pytest.param("$$(A)", "$(A)", id="a doubled dollar starts no reference"),
        pytest.param("$$$(A)", "$a", id="the third dollar does"),
        pytest.param("$$$$(A)", "$$(A)", id="two doubled dollars"),
        pytest.param("a $$ b", "a $ b", id="a doubled dollar alone becomes one"),
        pytest.param("$(A", "$(A", id="never closed: stays"),
        pytest.param("$(A$$", "$(A$", id="never closed: what follows is still read"),
        pytest.param("$(A $(B)", "$(A $(B)", id="a name goes to the first closing parenthesis"),
        pytest.param("$($(A))", "$($(A))", id="references do not nest"),
        pytest.param("$(A))", "a)", id="a second closing parenthesis is text"),
        pytest.param("${A} $A $! $?", "${A} $A $! $?", id="other uses of the dollar stay"),
        pytest.param("$", "$", id="a dollar alone"),
        pytest.param("A$", "A$", id="a dollar at the end"),
        pytest.param("$(", "$(", id="an opening alone"),
        pytest.param("$x$(A)", "$xa", id="a dollar before a letter takes only that letter along"),
        pytest.param("", "", id="nothing"),
        pytest.param("ü$(A)€", "üa€", id="other scripts"),
        pytest.param("\n\t$(A)\n", "\n\ta\n", id="white space is kept"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert env.expand(text, VALUES.get) == expected


def config(name: str, **how: Any) -> EnvFromSource:
    return EnvFromSource(
        config_map_ref=ConfigMapEnvSource(name=name, optional=how.get("optional")), prefix=how.get("prefix", "")
    )


def secret(name: str, **how: Any) -> EnvFromSource:
    return EnvFromSource(
        secret_ref=SecretEnvSource(name=name, optional=how.get("optional")), prefix=how.get("prefix", "")
    )


def config_key(name: str, key: str, optional: bool | None = None) -> EnvVarSource:
    return EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name=name, key=key, optional=optional))


def secret_key(name: str, key: str, optional: bool | None = None) -> EnvVarSource:
    return EnvVarSource(secret_key_ref=SecretKeySelector(name=name, key=key, optional=optional))


def field(path: str) -> EnvVarSource:
    return EnvVarSource(field_ref=ObjectFieldSelector(field_path=path))


def resource(name: str, divisor: str = "0", container: str = "") -> EnvVarSource:
    return EnvVarSource(
        resource_field_ref=ResourceFieldSelector(resource=name, divisor=divisor, container_name=container)
    )


def var(name: str, value: str | EnvVarSource = "") -> EnvVar:
    return EnvVar(name=name, value=value) if isinstance(value, str) else EnvVar(name=name, value_from=value)


MAPS = {"one": ConfigMap(data={"A": "cm", "B": "cm", "R": "$(A)-$$"}, binary_data={"BIN": b"x"}), "empty": ConfigMap()}
SECRETS = {"two": Secret(data={"B": b"secret", "C": b"secret", "RAW": b"\xff\xfe"})}


@pytest.mark.parametrize(
    ("sources", "variables", "expected"),
    [
        pytest.param((), (var("A", "1"), var("B", "<$(A)>")), {"A": "1", "B": "<1>"}, id="later ones see earlier ones"),
        pytest.param((), (var("A", "<$(B)>"), var("B", "1")), {"A": "<$(B)>", "B": "1"}, id="but not the other way"),
        pytest.param((), (var("A", "$(A)"),), {"A": "$(A)"}, id="a name does not see itself"),
        pytest.param((), (var("A", "1"), var("A", "$(A)2")), {"A": "12"}, id="but an earlier value of itself"),
        pytest.param((), (var("A"),), {"A": ""}, id="no value at all is the empty string"),
        pytest.param(
            (config("one"),), (), {"A": "cm", "B": "cm", "R": "$(A)-$$"}, id="all keys of a ConfigMap, as they are"
        ),
        pytest.param(
            (config("one", prefix="p-"),), (), {"p-A": "cm", "p-B": "cm", "p-R": "$(A)-$$"}, id="with a prefix"
        ),
        pytest.param(
            (config("one"), secret("two")),
            (),
            {"A": "cm", "B": "secret", "C": "secret", "R": "$(A)-$$", "RAW": "\udcff\udcfe"},
            id="later sources win, bytes survive",
        ),
        pytest.param(
            (secret("two"), config("one")),
            (var("C", "env"),),
            {"A": "cm", "B": "cm", "C": "env", "R": "$(A)-$$", "RAW": "\udcff\udcfe"},
            id="env wins over envFrom",
        ),
        pytest.param(
            (config("none", optional=True), secret("none", optional=True)), (), {}, id="optional sources may be missing"
        ),
        pytest.param((config("empty"),), (), {}, id="an empty ConfigMap sets nothing"),
        pytest.param(
            (),
            (var("X", config_key("one", "R")), var("Y", "[$(X)]")),
            {"X": "$(A)-$$", "Y": "[$(A)-$$]"},
            id="values of references are not expanded but can be referred to",
        ),
        pytest.param((), (var("X", secret_key("two", "C")),), {"X": "secret"}, id="a key of a Secret"),
        pytest.param(
            (),
            (var("X", config_key("none", "k", True)), var("Y", secret_key("two", "k", True))),
            {},
            id="optional keys may be missing",
        ),
        pytest.param(
            (),
            (var("X", "1"), var("X", config_key("one", "k", True))),
            {"X": "1"},
            id="an optional key that is missing leaves the earlier value",
        ),
        pytest.param(
            (),
            (var("X", field("metadata.name")), var("Y", "$(X)!")),
            {"X": "pod-1", "Y": "pod-1!"},
            id="a field of the pod",
        ),
        pytest.param((), (var("X", resource("limits.cpu")),), {"X": "4"}, id="a resource of the container itself"),
    ],
)
def test_declared(sources: tuple[EnvFromSource, ...], variables: tuple[EnvVar, ...], expected: dict[str, str]) -> None:
    container = Container(name="c", env_from=sources, env=variables)
    assert env.declared(manifest(container, config_maps=MAPS, secrets=SECRETS), container, CONTEXT) == expected


@pytest.mark.parametrize(
    ("sources", "variables", "message"),
    [
        pytest.param((config("none"),), (), 'configmap "none" not found', id="missing ConfigMap in envFrom"),
        pytest.param((secret("none"),), (), 'secret "none" not found', id="missing Secret in envFrom"),
        pytest.param((), (var("X", config_key("none", "k")),), 'configmap "none" not found', id="missing ConfigMap"),
        pytest.param((), (var("X", secret_key("none", "k")),), 'secret "none" not found', id="missing Secret"),
        pytest.param(
            (),
            (var("X", config_key("one", "k")),),
            "couldn't find key k in ConfigMap team-a/one",
            id="missing key of a ConfigMap",
        ),
        pytest.param(
            (),
            (var("X", config_key("one", "BIN")),),
            "couldn't find key BIN in ConfigMap team-a/one",
            id="binaryData is not for variables",
        ),
        pytest.param(
            (),
            (var("X", secret_key("two", "k")),),
            "couldn't find key k in Secret team-a/two",
            id="missing key of a Secret",
        ),
        pytest.param(
            (),
            (var("X", field("status.phase")),),
            "unsupported fieldPath: status.phase",
            id="a field that cannot be given",
        ),
        pytest.param(
            (),
            (var("X", resource("limits.cpu", container="other")),),
            "container other not found",
            id="a resource of nobody",
        ),
        pytest.param(
            (),
            (var("X", resource("limits.gpu")),),
            "unsupported container resource : limits.gpu",
            id="an unknown resource",
        ),
        pytest.param(
            (),
            (var("X", EnvVarSource(file_key_ref=FileKeySelector(volume_name="v", path="f", key="K"))),),
            'cannot find the volume "v" referenced by FileKeyRef',
            id="a file of no volume",
        ),
    ],
)
def test_what_cannot_be_declared(
    sources: tuple[EnvFromSource, ...], variables: tuple[EnvVar, ...], message: str
) -> None:
    container = Container(name="c", env_from=sources, env=variables)
    with pytest.raises(CannotCreate) as caught:
        env.declared(manifest(container, config_maps=MAPS, secrets=SECRETS), container, CONTEXT)
    assert (caught.value.reason, caught.value.message) == ("CreateContainerConfigError", message)


class Place:
    """Volumes that are plain directories."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> str | None:
        return str(self._directory) if name == "v" else None


@pytest.mark.parametrize(
    ("content", "path", "optional", "expected"),
    [
        pytest.param("X='1'\n", "f", False, {"X": "1"}, id="the variable's text"),
        pytest.param("Y='1'\n", "f", True, {}, id="an optional key may be missing"),
        pytest.param("X=''\n", "f", True, {}, id="an empty value is a missing one"),
        pytest.param("Y='1'\n", "f", False, 'environment variable key "X" not found in file "v/f"', id="a missing key"),
        pytest.param("X=1\n", "f", True, "couldn't parse env file", id="a bad file is an error even then"),
        pytest.param("X='1'\n", "none", True, "couldn't parse env file", id="so is one that is not there"),
        pytest.param("X='1'\n", "../f", True, "couldn't parse env file", id="or is outside of the volume"),
        pytest.param("X='1'\n", "link", True, "couldn't parse env file", id="also by a link"),
    ],
)
def test_variables_from_files(tmp_path: Path, content: str, path: str, optional: bool, expected: Any) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    for place in (volume, tmp_path):
        (place / "f").write_text(content)
    (volume / "link").symlink_to("../f")
    source = EnvVarSource(file_key_ref=FileKeySelector(volume_name="v", path=path, key="X", optional=optional))
    container = Container(name="c", env=(var("X", source),))
    try:
        got: Any = env.declared(manifest(container), container, CONTEXT, Place(volume))
    except CannotCreate as error:
        got = error.message
    assert got == expected


OWN = {"LANG": "C.UTF-8", "SECRET": "x", "PATH": "/own"}


@pytest.mark.parametrize(
    ("container", "more", "expected"),
    [
        pytest.param(Container(name="c"), {}, {}, id="nothing but PATH, HOME and HOSTNAME"),
        pytest.param(Container(name="c", tty=True), {}, {"TERM": "xterm"}, id="TERM with a terminal"),
        pytest.param(Container(name="c"), {"inherit": ("LANG", "NONE")}, {"LANG": "C.UTF-8"}, id="inherited by name"),
        pytest.param(Container(name="c"), {"inherit": ("PATH",)}, {"PATH": "/own"}, id="PATH can be inherited, too"),
        pytest.param(
            Container(name="c", image="i"),
            {"images": {"i": ImageMapping(env={"LANG": "de"})}, "inherit": ("LANG",)},
            {"LANG": "de"},
            id="the image wins over what is inherited",
        ),
        pytest.param(
            Container(name="c", image="i"),
            {"images": {"i": ImageMapping(env={"V": "image", "HOME": "/i"})}},
            {"V": "declared", "HOME": "/i"},
            id="the container wins over the image",
        ),
    ],
)
def test_complete(container: Container, more: dict[str, Any], expected: dict[str, str]) -> None:
    base = {"PATH": env.PATH, "HOME": "/root", "HOSTNAME": "pod-1", "V": "declared"}
    made = manifest(container, **more)
    image = made.settings.mapping(container.image)
    got = env.complete(made, container, {"V": "declared"}, home="/root", own=OWN, image=image)
    assert got == base | expected


def test_a_null_byte_cannot_be_handed_over() -> None:
    with pytest.raises(CannotCreate, match="null byte"):
        env.complete(manifest(), Container(name="c"), {"X": "a\0b"}, home="/", own={}, image=None)


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        pytest.param("p", {}, "p", id="the pod's name"),
        pytest.param("p", {"hostname": "h"}, "h", id="hostname wins"),
        pytest.param("p", {"hostname": "h", "hostname_override": "o.example"}, "o.example", id="hostnameOverride wins"),
        pytest.param("a" * 70, {}, "a" * 63, id="at most 63 characters"),
        pytest.param("a" * 62 + "-.b", {}, "a" * 62, id="that end with a letter or digit"),
    ],
)
def test_hostname(name: str, spec: dict[str, Any], expected: str) -> None:
    assert env.hostname(manifest(metadata=ObjectMeta(name=name), **spec).pod) == expected


def test_home_directory(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("# comment\nbroken\nroot:x:0:0:root:/root:/bin/sh\nnone:x:5:5:::\n")
    assert [env.home_directory(uid, str(tmp_path)) for uid in (0, 5, 1234)] == ["/root", "/", "/"]
    assert env.home_directory(0, str(tmp_path / "nowhere")) == "/"


IMAGE = ImageMapping(command=("entry", "$(A)"), args=("image-arg",))


@pytest.mark.parametrize(
    ("command", "args", "image", "expected"),
    [
        pytest.param(
            ("run", "$(A)"), ("$(B)", "$(NONE)"), None, ("run", "a", "b", "$(NONE)"), id="command and args, expanded"
        ),
        pytest.param(("run",), (), IMAGE, ("run",), id="a command drops the image's arguments"),
        pytest.param((), ("x",), IMAGE, ("entry", "$(A)", "x"), id="args keep the image's command"),
        pytest.param((), (), IMAGE, ("entry", "$(A)", "image-arg"), id="neither: the image's, which are not expanded"),
        pytest.param((), ("x",), None, ("x",), id="args alone"),
    ],
)
def test_command(command: tuple[str, ...], args: tuple[str, ...], image: ImageMapping | None, expected: Any) -> None:
    assert env.command(Container(name="c", command=command, args=args), image, VALUES) == expected


def test_nothing_to_run() -> None:
    with pytest.raises(CannotCreate, match="no command specified"):
        env.command(Container(name="c"), ImageMapping(), {})


def test_resources_of_another_container() -> None:
    other = Container(name="o", resources=ResourceRequirements(limits={"memory": "1Mi"}))
    container = Container(name="c", env=(var("X", resource("limits.memory", "1Ki", "o")),))
    assert env.declared(manifest(container, other), container, CONTEXT) == {"X": "1024"}

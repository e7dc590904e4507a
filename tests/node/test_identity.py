"""Who a container runs as."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import msgspec
import pytest

from initsup.core.facts import User
from initsup.node.failures import CannotCreate, SpawnError
from initsup.node.identity import CAPABILITIES, Identity, given, resolve
from initsup.spec.pod import Container, PodSpec
from tests.node.launching import needs_root, output_of, result_of, sh

DEFAULT = {
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
    *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
}


def mask(names: set[str]) -> int:
    return sum(1 << CAPABILITIES.index(name) for name in names)


def who(
    own: dict[str, Any] | None = None, pod: dict[str, Any] | None = None, user: int | str | None = None, root: str = ""
) -> Identity | None:
    container = msgspec.convert({"name": "c", "securityContext": own}, Container)
    spec = msgspec.convert({"securityContext": pod or {}}, PodSpec)
    return resolve(spec, container, user, pod="p_ns(uid)", root=root)


def ids(uid: int, gid: int, *others: int) -> Identity:
    return Identity(uid=uid, gid=gid, groups=(gid, *others))


@pytest.fixture
def root(tmp_path: Path) -> str:
    """A root file system with one user who is a member of other groups, and broken lines."""
    (tmp_path / "etc").mkdir()
    odd = f"two:x:\u00b2:1::/:/bin/sh\nhuge:x:{'9' * 5000}:1::/:/bin/sh\n"
    (tmp_path / "etc/passwd").write_text(f"root:x:0:0::/:/bin/sh\nbroken\n{odd}web:x:1001:100::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nusers:x:100:\ndocker:x:999:me,web\nmail:x:8:web\nnone:x:7:\n")
    return str(tmp_path)


IDENTITIES = [
    pytest.param(None, None, None, None, id="nothing asked for: stays as it is"),
    pytest.param({"runAsUser": 5001}, None, None, ids(5001, 0), id="unknown user: group 0"),
    pytest.param(None, {"runAsUser": 5001, "runAsGroup": 2002}, None, ids(5001, 2002), id="the pod's user and group"),
    pytest.param({"runAsUser": 5002}, {"runAsUser": 5001}, None, ids(5002, 0), id="the container's user wins"),
    pytest.param({"runAsUser": 1001}, None, None, ids(1001, 100, 999, 8), id="groups of a known user"),
    pytest.param(
        {"runAsUser": 1001}, {"supplementalGroupsPolicy": "Strict"}, None, ids(1001, 100),
        id="Strict: only what is listed",
    ),
    pytest.param(
        {"runAsUser": 5001}, {"fsGroup": 70, "supplementalGroups": [80, 90]}, None, ids(5001, 0, 70, 80, 90),
        id="fsGroup and supplementalGroups",
    ),
    pytest.param(None, None, "web", ids(1001, 100, 999, 8), id="the image's user by name"),
    pytest.param(None, None, "web:none", ids(1001, 7, 999, 8), id="… with its group"),
    pytest.param(None, None, "5001:5002", ids(5001, 5002), id="… by numbers"),
    pytest.param(None, None, 5001, ids(5001, 0), id="… as a number"),
    pytest.param({"runAsUser": 5009}, None, "web", ids(5009, 0), id="runAsUser wins over the image's"),
    pytest.param({"runAsGroup": 44}, None, "web", ids(1001, 44, 999, 8), id="runAsGroup wins over the image's"),
    pytest.param({"runAsUser": 1001, "runAsGroup": 44}, None, None, ids(1001, 44, 999, 8), id="… and the own one"),
    pytest.param({"allowPrivilegeEscalation": False}, None, None, Identity(no_new_privs=True), id="no_new_privs"),
    pytest.param({"allowPrivilegeEscalation": True}, None, None, None, id="escalation allowed: as it is"),
    pytest.param({"privileged": True}, None, None, None, id="privileged: as it is"),
    pytest.param(
        {"privileged": False}, None, None, Identity(capabilities=mask(DEFAULT)), id="not privileged: the default set"
    ),
    pytest.param(
        {"capabilities": {"add": ["NET_ADMIN", "CAP_SYS_TIME"], "drop": ["chown"]}}, None, None,
        Identity(capabilities=mask((DEFAULT | {"NET_ADMIN", "SYS_TIME"}) - {"CHOWN"})), id="add and drop",
    ),
    pytest.param({"capabilities": {"drop": ["ALL"]}}, None, None, Identity(capabilities=0), id="drop ALL"),
    pytest.param(
        {"capabilities": {"drop": ["ALL"], "add": ["KILL"]}}, None, None, Identity(capabilities=1 << 5),
        id="drop ALL, add one",
    ),
    pytest.param(
        {"capabilities": {"add": ["ALL"], "drop": ["CHOWN"]}}, None, None,
        Identity(capabilities=(1 << 41) - 2), id="add ALL, drop one",
    ),
]  # fmt: skip


@needs_root
@pytest.mark.parametrize(("own", "pod", "user", "expected"), IDENTITIES)
def test_identity(own: Any, pod: Any, user: Any, expected: Identity | None, root: str) -> None:
    assert who(own, pod, user, root) == expected


@needs_root
def test_the_primary_group_of_a_user_of_the_host_gives_way_to_run_as_group() -> None:
    user = next(
        one for one in pwd.getpwall() if one.pw_gid and os.getgrouplist(one.pw_name, one.pw_gid) == [one.pw_gid]
    )
    assert who({"runAsUser": user.pw_uid}) == ids(user.pw_uid, user.pw_gid)
    assert who({"runAsUser": user.pw_uid, "runAsGroup": 4321}) == ids(user.pw_uid, 4321)


REFUSED = [
    pytest.param(
        {"runAsUser": 0, "runAsNonRoot": True}, None, None,
        """container's runAsUser breaks non-root policy (pod: "p_ns(uid)", container: c)""", id="root asked for",
    ),
    pytest.param(
        {"runAsNonRoot": True}, None, "web",
        'container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root '
        '(pod: "p_ns(uid)", container: c)', id="name in the image",
    ),
    pytest.param(
        None, {"runAsNonRoot": True}, 0,
        'container has runAsNonRoot and image will run as root (pod: "p_ns(uid)", container: c)',
        id="root in the image",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("own", "pod", "user", "message"), REFUSED)
def test_non_root(own: Any, pod: Any, user: Any, message: str) -> None:
    with pytest.raises(CannotCreate) as caught:
        who(own, pod, user)
    assert (caught.value.reason, caught.value.message) == ("CreateContainerConfigError", message)


def test_non_root_on_the_host_is_about_initsups_own_user() -> None:
    if os.geteuid() == 0:
        with pytest.raises(CannotCreate, match="image will run as root"):
            who({"runAsNonRoot": True})
    else:
        assert who({"runAsNonRoot": True}) is None


def test_non_root_with_a_number_passes() -> None:
    assert who({"runAsNonRoot": True, "runAsUser": 5001}) is not None
    assert who({"runAsNonRoot": False, "runAsUser": os.geteuid()}, {"runAsNonRoot": True}) is not False


UNKNOWN = [
    pytest.param(None, "nobody-such", "unable to find user nobody-such: no matching entries in passwd file", id="user"),
    pytest.param(None, "web:no-such", "unable to find group no-such: no matching entries in group file", id="group"),
    pytest.param({"capabilities": {"add": ["FLY"]}}, None, 'unknown capability "CAP_FLY"', id="capability"),
]  # fmt: skip


@pytest.mark.parametrize(("own", "user", "message"), UNKNOWN)
def test_unknown_names(own: Any, user: Any, message: str, root: str) -> None:
    with pytest.raises(CannotCreate) as caught:
        who(own, None, user, root)
    assert (caught.value.reason, caught.value.message) == ("CreateContainerError", message)


def test_root_file_system_without_users(tmp_path: Path) -> None:
    assert who({"runAsUser": 5001}, root=str(tmp_path)) == ids(5001, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="for users other than root")
def test_own_user_needs_no_change() -> None:
    assert who({"runAsUser": os.geteuid()}) is None
    assert who({"runAsUser": os.geteuid()}, {"supplementalGroups": [os.getegid()]}) is None


# -- in a real process -----------------------------------------------------------------------------------------------


def status(identity: Identity | None, *names: str) -> list[str]:
    text = output_of("cat", "/proc/self/status", identity=identity)
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return [fields[name].strip() for name in names]


@pytest.mark.real
@needs_root
class TestRealProcess:
    def test_user_and_groups(self) -> None:
        assert status(ids(1001, 2002, 3003), "Uid", "Gid", "Groups") == [
            "\t".join(["1001"] * 4),
            "\t".join(["2002"] * 4),
            "2002 3003",
        ]

    @pytest.mark.parametrize(
        "identity",
        [
            pytest.param(None, id="initsup's own"),
            pytest.param(Identity(no_new_privs=True), id="initsup's own, with less"),
            pytest.param(Identity(groups=(4004, 5)), id="other groups"),
            pytest.param(ids(1001, 2002, 4004, 5), id="another"),
        ],
    )
    def test_who_it_is_said_to_be(self, identity: Identity | None) -> None:
        uid, gid, groups = status(identity, "Uid", "Gid", "Groups")
        numbers = tuple(map(int, groups.split()))
        assert given(identity) == User(uid=int(uid.split()[0]), gid=int(gid.split()[0]), groups=numbers)

    def test_other_users_have_no_capabilities(self) -> None:
        assert [int(one, 16) for one in status(ids(1001, 0), "CapEff", "CapPrm", "CapInh", "CapAmb")] == [0, 0, 0, 0]

    def test_root_has_what_was_left(self) -> None:
        left = mask(DEFAULT)
        effective, permitted, bounding, inheritable = status(
            Identity(capabilities=left), "CapEff", "CapPrm", "CapBnd", "CapInh"
        )
        assert int(bounding, 16) & ~left == 0
        assert int(effective, 16) == int(permitted, 16) == int(bounding, 16)
        assert int(inheritable, 16) == 0

    def test_without_any_capability(self) -> None:
        assert [int(one, 16) for one in status(Identity(capabilities=0), "CapEff", "CapBnd")] == [0, 0]

    def test_added_capability_stays_in_the_bounding_set_of_a_user(self) -> None:
        identity = msgspec.structs.replace(ids(1001, 0), capabilities=1 << 10)
        assert [int(one, 16) for one in status(identity, "CapEff", "CapBnd")] == [0, 1 << 10]

    def test_no_new_privs(self) -> None:
        assert status(Identity(no_new_privs=True), "NoNewPrivs") == ["1"]
        assert status(msgspec.structs.replace(ids(1000, 0), no_new_privs=True), "NoNewPrivs") == ["1"]
        assert status(None, "NoNewPrivs") == status(ids(1000, 0), "NoNewPrivs")

    def test_files_belong_to_the_user(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        assert output_of(*sh("touch f; stat -c '%u %g' f"), identity=ids(1001, 77), cwd=str(tmp_path)) == "1001 77\n"


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() == 0, reason="for users other than root")
class TestWithoutRoot:
    def test_another_user_is_refused(self) -> None:
        with pytest.raises(SpawnError) as caught:
            result_of("/bin/true", identity=Identity(uid=0))
        assert (caught.value.stage, caught.value.message) == ("setuid", "setuid: operation not permitted")

    def test_capabilities_that_could_come_back_are_kept_away(self) -> None:
        assert status(Identity(capabilities=0), "CapEff", "NoNewPrivs") == ["0" * 16, "1"]

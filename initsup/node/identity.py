"""Who a container runs as: user, groups, capabilities, no_new_privs.

A container is a plain host process: what its manifest does not mention stays as initsup has it. So

- without runAsUser (and without `user` in the settings' images) it keeps initsup's user and groups; supplementalGroups
  and fsGroup alone change the groups only,
- capabilities are only touched when asked: `privileged: false` or `capabilities` cut them down to the default set
  of container runtimes, plus `add`, minus `drop`; a user other than root has none in effect, whatever `add` says, as
  under a runtime,
- no_new_privs is set when allowPrivilegeEscalation is false, and also where capabilities shall be limited but
  initsup may not lower the bounding set: setuid programs could bring them back.

Sources: pkg/securitycontext/util.go, pkg/kubelet/kuberuntime/security_context.go; containerd's CRI plugin and
oci/spec_opts.go.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from initsup.core.facts import User
from initsup.node.failures import CannotCreate
from initsup.node.go_text import quote
from initsup.spec.pod import Capabilities, Container, PodSecurityContext, PodSpec, SecurityContext
from initsup.spec.units import whole_number

_ALL = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES = tuple(_ALL.split())
"""Names by number (capabilities(7))."""

_DEFAULT = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE"
)


_ANOTHER = (
    "the image is for user {wanted}, and initsup runs as user {own} and cannot become another: "
    "say runAsUser: {own} to run it as that one"
)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What changes between fork and exec. None: stays as initsup has it.

    `capabilities` is a bit mask: the bounding set, and what root has in effect.
    """

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    capabilities: int | None = None
    no_new_privs: bool = False


def resolve(
    spec: PodSpec, container: Container, image_user: int | str | None, *, pod: str, root: str = ""
) -> Identity | None:
    """Who `container` runs as; None: as initsup itself.

    `image_user` is the settings' `user` (`1000`, `nginx`, `1000:1000`), `pod` is `name_namespace(uid)` for messages,
    `root` the directory whose etc/passwd and etc/group count, the host's when empty. Raises CannotCreate.
    """
    own, of_pod = container.security_context or SecurityContext(), spec.security_context
    image_name, image_group = _split(image_user)
    uid = own.run_as_user if own.run_as_user is not None else of_pod.run_as_user
    non_root = own.run_as_non_root if own.run_as_non_root is not None else of_pod.run_as_non_root
    if non_root:
        _verify_non_root(uid, image_name, f"(pod: {quote(pod)}, container: {container.name})")
    group = own.run_as_group if own.run_as_group is not None else of_pod.run_as_group
    wanted = uid if uid is not None else image_name
    if group is None and uid is None:
        group = _group(image_group, root)
    account = _account(wanted, group, of_pod, root)
    if uid is None and account.uid is not None and not can_be_others():
        raise CannotCreate("CreateContainerConfigError", _ANOTHER.format(wanted=wanted, own=os.geteuid()))
    identity = msgspec.structs.replace(
        account,
        capabilities=_mask(own),
        no_new_privs=own.allow_privilege_escalation is False,
    )
    return None if identity == Identity() else identity


def given(identity: Identity | None) -> User:
    """The user that a process of `identity` is: initsup's own where nothing else is said."""
    asked = identity or Identity()
    groups = os.getgroups() if asked.groups is None else asked.groups
    return User(
        uid=os.geteuid() if asked.uid is None else asked.uid,
        gid=os.getegid() if asked.gid is None else asked.gid,
        groups=tuple(sorted(groups)),
    )


def can_be_others() -> bool:
    """Whether this is root, and may do what makes others of it."""
    return os.geteuid() == 0 and may("SETUID") and may("SETGID")


def may(name: str) -> bool:
    """Whether initsup has a capability, one of `CAPABILITIES`, in effect."""
    from initsup.node.syscalls import capabilities

    return bool(capabilities()[0] >> CAPABILITIES.index(name) & 1)


def steps(identity: Identity) -> list[tuple[str, Callable[[], None]]]:
    """What a new process does to become `identity`, in order, each with its name; each raises OSError."""
    from initsup.node import syscalls

    done: list[tuple[str, Callable[[], None]]] = []
    uid, gid, groups, mask = identity.uid, identity.gid, identity.groups, identity.capabilities
    if mask is not None:
        done.append(("capset", lambda: _lower_bounding_set(mask)))
    if groups is not None:
        done.append(("setgroups", lambda: os.setgroups(groups)))
    if gid is not None:
        done.append(("setgid", lambda: os.setresgid(gid, gid, gid)))
    if uid is not None:
        done.append(("setuid", lambda: os.setresuid(uid, uid, uid)))
    if mask is not None:
        done.append(("capset", lambda: _lower_capabilities(mask)))
    if identity.no_new_privs:
        done.append(("no_new_privs", syscalls.set_no_new_privs))
    return done


# -- user and groups -------------------------------------------------------------------------------------------------


def _verify_non_root(uid: int | None, image_name: int | str | None, where: str) -> None:
    """Refuse root where the manifest says runAsNonRoot; the texts are kubelet's (`verifyRunAsNonRoot`)."""
    if uid is not None:
        problem = "container's runAsUser breaks non-root policy" if uid == 0 else ""
    elif isinstance(image_name, str):
        problem = (
            f"container has runAsNonRoot and image has non-numeric user ({image_name}), cannot verify user is non-root"
        )
    else:
        image_uid = os.geteuid() if image_name is None else image_name
        problem = "container has runAsNonRoot and image will run as root" if image_uid == 0 else ""
    if problem:
        raise CannotCreate("CreateContainerConfigError", f"{problem} {where}")


def _split(image_user: int | str | None) -> tuple[int | str | None, int | str | None]:
    """User and group of an image's `user`; numbers as int."""
    if image_user is None:
        return None, None
    user, _, group = str(image_user).partition(":")
    return _number(user), _number(group)


def _number(text: str) -> int | str | None:
    number = whole_number(text)
    return (text or None) if number is None else number


def _group(wanted: int | str | None, root: str) -> int | None:
    if not isinstance(wanted, str):
        return wanted
    from initsup.node.accounts import find

    found = find(wanted, root, group=True)
    if found is None:
        raise CannotCreate("CreateContainerError", f"unable to find group {wanted}: no matching entries in group file")
    return found.gid


def _account(wanted: int | str | None, gid: int | None, context: PodSecurityContext, root: str) -> Identity:
    """User and groups, as far as they are not initsup's own."""
    listed = ((context.fs_group,) if context.fs_group is not None else ()) + context.supplemental_groups
    if wanted is None and gid is None and not listed:
        return Identity()
    from initsup.node.accounts import find

    euid = os.geteuid()
    account = find(euid if wanted is None else wanted, root)
    if account is None and isinstance(wanted, str):
        raise CannotCreate("CreateContainerError", f"unable to find user {wanted}: no matching entries in passwd file")
    uid = account.uid if account else wanted if isinstance(wanted, int) else euid
    if gid is None:
        gid = os.getegid() if uid == euid and euid != 0 else account.gid if account else 0
    merged = account.groups if account and context.supplemental_groups_policy != "Strict" else ()
    groups = tuple(dict.fromkeys((gid, *listed, *merged)))
    if uid != euid or euid == 0:
        return Identity(uid=uid, gid=gid, groups=groups)
    # One who is not root cannot drop groups: to have all that are wanted is enough.
    enough = {os.getegid(), *os.getgroups()} >= set(groups)
    return Identity(gid=None if gid == os.getegid() else gid, groups=None if enough else groups)


# -- capabilities ----------------------------------------------------------------------------------------------------


def _mask(context: SecurityContext) -> int | None:
    """The capabilities that are left, None: all that initsup has."""
    if context.privileged or (context.capabilities is None and context.privileged is None):
        return None
    asked = context.capabilities or Capabilities()
    add, drop = [_name(one) for one in asked.add], [_name(one) for one in asked.drop]
    names = set() if "ALL" in drop else set(CAPABILITIES) if "ALL" in add else set(_DEFAULT.split())
    names = (names | set(add)) - set(drop) - {"ALL"}
    if unknown := names.difference(CAPABILITIES):
        raise CannotCreate("CreateContainerError", f'unknown capability "CAP_{min(unknown)}"')
    return sum(1 << CAPABILITIES.index(name) for name in names)


def _name(text: str) -> str:
    return text.upper().removeprefix("CAP_")


def _lower_bounding_set(mask: int) -> None:
    from initsup.node import syscalls

    try:
        for number in range(64):
            if not mask >> number & 1:
                syscalls.drop_from_bounding_set(number)
    except PermissionError:
        syscalls.set_no_new_privs()
    except OSError:
        return  # EINVAL: the kernel knows no capability of that number, nor any after it


def _lower_capabilities(mask: int) -> None:
    from initsup.node import syscalls

    effective, permitted, _ = syscalls.capabilities()
    syscalls.set_capabilities(effective & mask, permitted & mask, 0)

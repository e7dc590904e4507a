"""What a pod is promised and this place cannot keep: isolation, identity, safety. Found before anything starts.

Silence would be the worst answer, so each is an error, unless the settings say `bestEffort`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from initsup.node import links
from initsup.node.identity import CAPABILITIES
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, PodSecurityContext, PodSpec, SecurityContext

_NO_PROFILE = "no such profile can be applied to plain processes here"


def broken(manifest: Manifest, way: str) -> list[str]:
    """A line for each promise, beginning with the field. `way` is how volumes get to containers (`space.Way`)."""
    spec = manifest.pod.spec
    found = [*_of_pod(spec)]
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            found += [f"spec.{field}[{index}].{line}" for line in _of_container(spec, container)]
    return found + (links.problems(manifest) if way == "link" else [])


def _of_pod(spec: PodSpec) -> Iterator[str]:
    for line in _of_context(spec.security_context):
        yield f"spec.securityContext.{line}"
    if spec.host_users is False:
        yield "spec.hostUsers: containers have the users of this host"
    if spec.runtime_class_name:
        yield f"spec.runtimeClassName: containers are plain processes, not under {spec.runtime_class_name}"
    if spec.security_context.sysctls:
        yield "spec.securityContext.sysctls: they would change the whole host"


def _of_container(spec: PodSpec, container: Container) -> Iterator[str]:
    context = container.security_context
    if context is None:
        return
    for line in _of_context(context):
        yield f"securityContext.{line}"
    missing = _missing_capabilities(context)
    if missing:
        yield f"securityContext.capabilities.add: initsup itself lacks {', '.join(missing)}"


def _of_context(context: PodSecurityContext | SecurityContext) -> Iterator[str]:
    profile = context.seccomp_profile
    if profile is not None and profile.type != "Unconfined":
        yield f"seccompProfile: {_NO_PROFILE}"
    armor = context.app_armor_profile
    if armor is not None and armor.type != "Unconfined":
        yield f"appArmorProfile: {_NO_PROFILE}"
    if context.se_linux_options is not None:
        yield f"seLinuxOptions: {_NO_PROFILE}"
    if os.geteuid() != 0:
        yield from _only_root(context)


def _only_root(context: PodSecurityContext | SecurityContext) -> Iterator[str]:
    """What nobody but root can give."""
    me = f"initsup runs as user {os.geteuid()} and cannot become another"
    groups = {os.getegid(), *os.getgroups()}
    if context.run_as_user not in (None, os.geteuid()):
        yield f"runAsUser: {me}"
    if context.run_as_group is not None and context.run_as_group not in groups:
        yield f"runAsGroup: {me}"
    if isinstance(context, PodSecurityContext):
        if context.fs_group is not None and context.fs_group not in groups:
            yield f"fsGroup: {me}"
        if not groups.issuperset(context.supplemental_groups):
            yield f"supplementalGroups: {me}"


def _missing_capabilities(context: SecurityContext) -> list[str]:
    wanted = context.capabilities.add if context.capabilities is not None else ()
    names = [name.upper().removeprefix("CAP_") for name in wanted]
    if not names or names == ["ALL"]:
        return []
    from initsup.node.syscalls import capabilities

    _, permitted, _ = capabilities()
    return [name for name in names if name in CAPABILITIES and not permitted >> CAPABILITIES.index(name) & 1]

"""What a pod is promised and this place cannot keep: isolation, identity, safety. Found before anything starts.

Silence would be the worst answer, so each is an error, unless the settings say `bestEffort`. What can be kept in no
place is refused with the manifest (`initsup.load.check`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from initsup.errors import BEST_EFFORT, Problem
from initsup.node import links
from initsup.node.identity import CAPABILITIES, can_be_others
from initsup.node.space import Way
from initsup.spec.manifest import Manifest
from initsup.spec.pod import PodSecurityContext, PodSpec, SecurityContext, containers

C = TypeVar("C", PodSecurityContext, SecurityContext)


def broken(manifest: Manifest, place: Callable[[], tuple[Way, str]]) -> list[Problem]:
    """The promises, with their fields.

    `place` tells how volumes get to containers and why mounts are not permitted (empty: they are). It is only asked
    if that matters, as it must be tried out. What it raises comes through.
    """
    wants_mounts = manifest.settings.volumes.mode == "mount"
    by_way: dict[Way, list[str]] = {
        "mount": [], "user": list(_in_user_namespace(manifest)), "link": list(_with_links(manifest)),
    }  # fmt: skip
    found = list(_of_identity(manifest))
    if wants_mounts or any(by_way.values()):
        way, refusal = place()
        if wants_mounts and way == "link":
            found.append(f"supervisor.volumes.mode: mounts are not permitted here: {refusal}")
        found += by_way[way]
    return [Problem(path, text, BEST_EFFORT) for path, _, text in (line.partition(": ") for line in found)]


def missing(manifest: Manifest, place: Callable[[], tuple[Way, str]]) -> list[str]:
    """What containers have to do without that nobody has asked for by name; `place` as for `broken`."""
    found = links.bare_roots(manifest)
    return found if found and place()[0] == "link" else []


def reduced(manifest: Manifest) -> Manifest:
    """With `bestEffort` and where only root could do it: the same without the users and groups that cannot be had."""
    if not manifest.settings.best_effort or can_be_others():
        return manifest
    spec = manifest.pod.spec
    fields = {
        name: tuple(
            one if one.security_context is None else replace(one, security_context=_own_ids(one.security_context))
            for one in containers
        )
        for name, containers in (("init_containers", spec.init_containers), ("containers", spec.containers))
    }
    context = _own_ids(spec.security_context)
    own = {os.getegid(), *os.getgroups()}
    context = replace(
        context,
        fs_group=context.fs_group if context.fs_group in own else None,
        supplemental_groups=tuple(group for group in context.supplemental_groups if group in own),
    )
    return replace(manifest, pod=replace(manifest.pod, spec=replace(spec, security_context=context, **fields)))


def _own_ids(context: C) -> C:
    user = context.run_as_user if context.run_as_user == os.geteuid() else None
    group = context.run_as_group if context.run_as_group in {os.getegid(), *os.getgroups()} else None
    return replace(context, run_as_user=user, run_as_group=group)


def _of_identity(manifest: Manifest) -> Iterator[str]:
    """What initsup lacks the rights for."""
    for line in _only_root(manifest.pod.spec.security_context):
        yield f"spec.securityContext.{line}"
    for path, container in containers(manifest.pod.spec):
        context = container.security_context
        if context is not None:
            for line in _only_root(context):
                yield f"{path}.securityContext.{line}"
            if missing := _missing_capabilities(context):
                yield f"{path}.securityContext.capabilities.add: initsup itself lacks {', '.join(missing)}"


def _in_user_namespace(manifest: Manifest) -> Iterator[str]:
    yield from _own_processes(manifest.pod.spec)
    host_paths = {volume.name for volume in manifest.pod.spec.volumes if volume.host_path is not None}
    for path, container in containers(manifest.pod.spec):
        for index, mount in enumerate(container.volume_mounts):
            if mount.mount_propagation == "Bidirectional" and mount.name in host_paths:
                text = "mounts in a user namespace do not reach the host"
                yield f"{path}.volumeMounts[{index}].mountPropagation: {text}"


def _with_links(manifest: Manifest) -> Iterator[str]:
    yield from _own_processes(manifest.pod.spec)
    yield from links.problems(manifest)


def _own_processes(spec: PodSpec) -> Iterator[str]:
    if spec.share_process_namespace is False and not spec.host_pid:
        yield "spec.shareProcessNamespace: processes of its own for each container need root and mounts"


def _only_root(context: PodSecurityContext | SecurityContext) -> Iterator[str]:
    """What nobody but root can give."""
    lines = list(_of_others(context))
    yield from lines if lines and not can_be_others() else ()


def _of_others(context: PodSecurityContext | SecurityContext) -> Iterator[str]:
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

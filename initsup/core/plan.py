"""What was asked, indexed for the rules: which containers there are, of which kind, with which probes and hooks.

Built once per manifest, so that the rules need not look things up.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from initsup.core.facts import ProbeKind
from initsup.spec.manifest import Manifest
from initsup.spec.pod import Container, Pod
from initsup.spec.probe import Probe

Kind = Literal["init", "sidecar", "main", "ephemeral"]
_GROUPS = {"main": "containers", "ephemeral": "ephemeralContainers"}


class Member(msgspec.Struct, frozen=True):
    """One container of the pod. `kind`: a regular init container, a sidecar (an init container that is restarted
    always, KEP-753), a main container, or an ephemeral one, which was added while the pod ran (KEP-277). `policy` is
    its effective restartPolicy.
    """

    name: str
    kind: Kind
    spec: Container
    policy: str
    probes: tuple[tuple[ProbeKind, Probe], ...] = ()
    post_start: bool = False
    pre_stop: bool = False

    @property
    def field_path(self) -> str:
        """How events name it (pkg/kubelet/container/ref.go)."""
        return f"spec.{_GROUPS.get(self.kind, 'initContainers')}{{{self.name}}}"


class Plan(msgspec.Struct, frozen=True):
    """A manifest as the rules read it. `inits` are in spec order and include sidecars."""

    asked: Manifest
    inits: tuple[Member, ...]
    mains: tuple[Member, ...]
    ephemerals: tuple[Member, ...]
    members: dict[str, Member]
    restarts_all: bool
    """Some container has a RestartAllContainers rule."""

    @property
    def pod(self) -> Pod:
        """The pod that was asked for."""
        return self.asked.pod

    @property
    def grace(self) -> float:
        """The pod's grace period in seconds."""
        return float(self.asked.pod.spec.termination_grace_period_seconds)

    @property
    def full_name(self) -> str:
        """`name_namespace(uid)`, as kubelet prints a pod in messages (pkg/kubelet/util/format)."""
        meta = self.asked.pod.metadata
        return f"{meta.name}_{meta.namespace or 'default'}({meta.uid})"


def plan(asked: Manifest) -> Plan:
    """Index a manifest."""
    spec = asked.pod.spec
    inits = tuple(
        _member(c, "sidecar" if c.restart_policy == "Always" else "init", spec.restart_policy)
        for c in spec.init_containers
    )
    mains = tuple(_member(c, "main", spec.restart_policy) for c in spec.containers)
    ephemerals = tuple(_member(c, "ephemeral", "Never") for c in spec.ephemeral_containers)
    return Plan(
        asked=asked,
        inits=inits,
        mains=mains,
        ephemerals=ephemerals,
        members={m.name: m for m in (*inits, *mains, *ephemerals)},
        restarts_all=any(
            rule.action == "RestartAllContainers" for m in (*inits, *mains) for rule in m.spec.restart_policy_rules
        ),
    )


def _member(spec: Container, kind: Kind, pod_policy: str) -> Member:
    kinds: tuple[tuple[ProbeKind, Probe | None], ...] = (
        ("startup", spec.startup_probe),
        ("liveness", spec.liveness_probe),
        ("readiness", spec.readiness_probe),
    )
    hooks = spec.lifecycle
    return Member(
        name=spec.name,
        kind=kind,
        spec=spec,
        policy=spec.restart_policy or pod_policy,
        probes=() if kind == "init" else tuple((k, p) for k, p in kinds if p is not None),
        post_start=hooks is not None and hooks.post_start is not None,
        pre_stop=hooks is not None and hooks.pre_stop is not None,
    )

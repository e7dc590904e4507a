"""Workloads → the pod that each of their replicas would be, and which kinds have no meaning here."""

from typing import Any

import msgspec

from initsup.errors import Problem
from initsup.spec.settings import API_VERSION

from .document import Document

_REPLICATED = "replicas selector template minReadySeconds"
_JOB = (
    "parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit backoffLimitPerIndex "
    "maxFailedIndexes selector manualSelector template ttlSecondsAfterFinished completionMode suspend "
    "podReplacementPolicy managedBy"
)


class Workload(msgspec.Struct, frozen=True):
    """A kind that makes pods: its API version, the fields of its spec, which restart policies its pods may have."""

    version: str
    fields: str
    restart_policies: tuple[str, ...] = ("Always",)


WORKLOADS = {
    "Deployment": Workload("apps/v1", f"{_REPLICATED} strategy revisionHistoryLimit paused progressDeadlineSeconds"),
    "StatefulSet": Workload(
        "apps/v1",
        f"{_REPLICATED} volumeClaimTemplates serviceName podManagementPolicy updateStrategy revisionHistoryLimit "
        "persistentVolumeClaimRetentionPolicy ordinals",
    ),
    "DaemonSet": Workload("apps/v1", "selector template updateStrategy minReadySeconds revisionHistoryLimit"),
    "ReplicaSet": Workload("apps/v1", _REPLICATED),
    "ReplicationController": Workload("v1", _REPLICATED),
    "Job": Workload("batch/v1", _JOB, ("OnFailure", "Never")),
    "CronJob": Workload(
        "batch/v1",
        "schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate successfulJobsHistoryLimit "
        "failedJobsHistoryLimit",
        ("OnFailure", "Never"),
    ),
}

VERSIONS = {
    "Pod": "v1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "SupervisorConfiguration": API_VERSION,
    **{kind: workload.version for kind, workload in WORKLOADS.items()},
}
"""The kinds that mean something here."""

OTHER_KINDS = (
    "Binding", "ComponentStatus", "Endpoints", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume",
    "PersistentVolumeClaim", "PodTemplate", "ResourceQuota", "Service", "ServiceAccount", "",
)  # fmt: skip
"""The other kinds of v1 (core/v1), which mean nothing here; and a plain List."""


def template(document: Document, problems: list[Problem]) -> tuple[Document, tuple[str, ...]]:
    """The pod of a workload, and the names of the workload's own fields, which have no effect here."""
    kind = document.kind
    workload = WORKLOADS[kind]
    spec = _object(document, document.body, ("spec",), problems)
    _check_fields(document, "spec", spec, workload.fields.split(), problems)
    way: tuple[str, ...] = ("spec", "template")
    if kind == "CronJob":
        way = ("spec", "jobTemplate", "spec", "template")
        job = _object(document, document.body, way[:3], problems)
        _check_fields(document, "spec.jobTemplate.spec", job, WORKLOADS["Job"].fields.split(), problems)
    inner = _object(document, document.body, way, problems)
    outer_meta = _object(document, document.body, ("metadata",), problems)
    metadata = {**_object(document, inner, ("metadata",), problems, ".".join(way))}
    metadata.update({key: outer_meta[key] for key in ("name", "namespace", "generateName") if key in outer_meta})
    pod_spec = inner.get("spec")
    if isinstance(pod_spec, dict):
        _check_restart_policy(document, pod_spec, way, workload.restart_policies, problems)
        pod_spec = {**pod_spec, **_claims(spec, metadata, pod_spec)}
    else:
        problems.append(document.problem(".".join((*way, "spec")), "Required value"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec or {}}
    outside = document.moves[0][1] if document.moves else ()
    moves = ((("metadata", "name"), (*outside, "metadata", "name")), ((), (*outside, *way)))
    lost = [] if isinstance(pod_spec, dict) else ["spec"]
    found = Document(document.source, document.index, pod, moves, prefix=".".join(way) + ".", lost=lost)
    return found, tuple(key for key in spec if key not in ("template", "jobTemplate", "selector"))


def _object(
    document: Document, body: dict[str, Any], way: tuple[str, ...], problems: list[Problem], prefix: str = ""
) -> dict[str, Any]:
    """The object at the end of a way through objects; missing ones are empty."""
    value: Any = body
    for step, key in enumerate(way):
        value = value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            path = ".".join((prefix, *way[: step + 1])).removeprefix(".")
            problems.append(document.problem(path, "must be an object"))
            return {}
    return dict(value)


def _check_fields(
    document: Document, path: str, spec: dict[str, Any], known: list[str], problems: list[Problem]
) -> None:
    from .decode import unknown_field

    problems += [document.problem(f"{path}.{key}", *unknown_field(key, known)) for key in spec if key not in known]


def _check_restart_policy(
    document: Document, spec: dict[str, Any], way: tuple[str, ...], allowed: tuple[str, ...], problems: list[Problem]
) -> None:
    """A Job's pods must not be restarted for ever, all others must (apps, batch validation)."""
    policy = spec.get("restartPolicy") or "Always"
    if policy in allowed or policy not in ("Always", "OnFailure", "Never"):
        return
    words = ", ".join(f'"{word}"' for word in allowed)
    path = ".".join((*way, "spec", "restartPolicy"))
    if policy == "Always":
        problems.append(document.problem(path, f"Required value: valid values: {words}"))
    else:
        problems.append(document.problem(path, f'Unsupported value: "{policy}": supported values: {words}'))


def _claims(spec: dict[str, Any], metadata: dict[str, Any], pod_spec: dict[str, Any]) -> dict[str, Any]:
    """The volumes that a StatefulSet's claim templates add to its pods."""
    templates = spec.get("volumeClaimTemplates")
    volumes = pod_spec.get("volumes") or []
    if not isinstance(templates, list) or not isinstance(volumes, list):
        return {}
    names = [(template.get("metadata") or {}).get("name", "") for template in templates if isinstance(template, dict)]
    claims = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{metadata.get('name', '')}-0"}} for name in names
    ]
    kept = [volume for volume in volumes if not (isinstance(volume, dict) and volume.get("name") in names)]
    return {"volumes": kept + claims} if claims else {}

"""A manifest → objects for a real cluster, and what has to be seen to there.

The pod goes as it is. What a cluster has no word for is not dropped in silence: every such thing becomes a note, which
stands as a comment above the object, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from initsup.spec.base import wire_name
from initsup.spec.manifest import Manifest
from initsup.spec.settings import ImageMapping, SupervisorConfiguration

from .write import documents, yaml_of

Kind = Literal["Pod", "Deployment", "Job"]
Object = dict[str, Any]

_PLACE = "registry.example/{name}"
_KUBELET = "set {field} in the KubeletConfiguration of the nodes"
_INSTEAD = {
    "crashLoopBackOff": "set crashLoopBackOff.maxContainerRestartPeriod in the KubeletConfiguration of the nodes; "
    "the first wait is always 10s",
    "containerLogMaxSize": _KUBELET.format(field="containerLogMaxSize"),
    "containerLogMaxFiles": _KUBELET.format(field="containerLogMaxFiles"),
    "podPidsLimit": _KUBELET.format(field="podPidsLimit"),
    "imageCache": "nodes keep images where their runtime does",
    "imageMaxSize": "nodes have no such limit",
    "console": "read the output with kubectl logs, or from the nodes",
    "volumes": "a cluster always mounts",
    "bestEffort": "a cluster refuses what it cannot give",
    "listen": "the cluster's API server is asked",
    "inheritEnv": "there is no environment to inherit: give these variables to the containers",
}
"""Setting → what to do instead; `images` has notes of its own."""


def for_cluster(manifest: Manifest, kind: Kind, images: Mapping[str, str]) -> str:
    """YAML that a cluster takes. `images`: container, or image name here, → image there."""
    trees = documents(manifest)
    others = [yaml_of([tree]) for tree in trees if tree["kind"] not in ("Pod", manifest.settings.kind)]
    pod = next(tree for tree in trees if tree["kind"] == "Pod")
    notes = [*_fill_in_images(manifest, pod["spec"], images), *_of_settings(manifest.settings)]
    notes += _of_host(pod["spec"])
    pod = pod if kind == "Pod" else _workload(pod, kind, notes)
    head = "".join(f"# {note}\n" for note in ("Differs in a cluster:", *(f"- {note}" for note in notes)) if notes)
    return "---\n".join([*others, head + yaml_of([pod])])


def _containers(spec: Object) -> Iterator[tuple[str, Object]]:
    for field in ("initContainers", "containers"):
        for container in spec.get(field, ()):
            yield f"{field}[{container.get('name', '')}]", container


def _fill_in_images(manifest: Manifest, spec: Object, images: Mapping[str, str]) -> list[str]:
    """Give every container an image; what is to be done about those that had none here."""
    notes = []
    for path, container in _containers(spec):
        name, here = container.get("name", ""), container.get("image", "")
        mapping = manifest.settings.mapping(here) if here else None
        there = images.get(name) or images.get(here)
        if not here and not there:
            notes.append(
                f"{path}.image: it ran a program of the host; build an image that has {_program(container)} "
                f"and name it here, or with --image {name}=IMAGE"
            )
        container["image"] = there or here or _PLACE.format(name=name)
        if mapping is not None:
            notes += _of_mapping(path, here, mapping)
    return notes


def _program(container: Object) -> str:
    words = container.get("command") or container.get("args") or ["its program"]
    return str(words[0])


def _of_mapping(path: str, image: str, mapping: ImageMapping) -> list[str]:
    if mapping.archive:
        return [f"{path}.image: {image} was unpacked from {mapping.archive}; push that to a registry of the cluster"]
    source = f"had {mapping.rootfs} as its root" if mapping.rootfs else "ran a program of the host"
    command = f" (it was: {' '.join((*mapping.command, *mapping.args))})" if mapping.command else ""
    notes = [f"{path}.image: {image} {source}; there the image's own command runs{command}"]
    if mapping.env:
        notes.append(
            f"{path}.env: the settings gave {', '.join(mapping.env)}; the image must have them, or the container"
        )
    return notes


def _of_settings(settings: SupervisorConfiguration) -> list[str]:
    nothing = SupervisorConfiguration()
    fields = {wire_name(field): field for field in SupervisorConfiguration.__struct_fields__}
    changed = [name for name in _INSTEAD if getattr(settings, fields[name]) != getattr(nothing, fields[name])]
    return [f"supervisor.{name}: {_INSTEAD[name]}" for name in changed]


def _of_host(spec: Object) -> list[str]:
    paths = [volume for volume in spec.get("volumes", ()) if "hostPath" in volume]
    return [f"volumes[{one['name']}].hostPath: it is a path of the node that the pod comes to" for one in paths]


def _workload(pod: Object, kind: Kind, notes: list[str]) -> Object:
    """The pod as the template of a Deployment or a Job."""
    spec, meta = pod["spec"], pod.get("metadata", {})
    name = meta.get("name", "")
    labels = meta.get("labels") or {"app": name}
    policy = spec.get("restartPolicy", "Always")
    if kind == "Deployment" and policy != "Always":
        notes.append(f"restartPolicy: a Deployment knows Always only (it was {policy}); a Job knows the others")
        spec.pop("restartPolicy")
    if kind == "Deployment" and spec.pop("activeDeadlineSeconds", None) is not None:
        notes.append("activeDeadlineSeconds: a Deployment never ends; a Job can have one")
    if kind == "Job" and policy == "Always":
        notes.append("restartPolicy: a Job knows OnFailure and Never only (it was Always)")
        spec["restartPolicy"] = "OnFailure"
    own = {key: meta[key] for key in ("name", "namespace") if meta.get(key)}
    annotations = {"annotations": meta["annotations"]} if meta.get("annotations") else {}
    template = {"metadata": {"labels": labels, **annotations}, "spec": spec}
    if kind == "Job":
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": own, "spec": {"template": template}}
    selector = {"matchLabels": labels}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**own, "labels": labels},
        "spec": {"replicas": 1, "selector": selector, "template": template},
    }

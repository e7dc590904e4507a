"""The volumes of `initsup describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UNSET = "<unset>"


def volumes(given: Iterable[dict[str, Any]]) -> list[str]:
    """One section for each volume."""
    lines = []
    for volume in given:
        lines += [f"  {volume.get('name')}:", *(f"    {line}" for line in _one(volume))]
    return ["Volumes:", *lines] if lines else ["Volumes:\t<none>"]


def _one(volume: dict[str, Any]) -> list[str]:
    for source, lines in _SOURCES.items():
        if volume.get(source) is not None:
            return lines(volume[source])
    kinds = [key for key in volume if key != "name"]
    return [f"Type:\t{kinds[0] if kinds else '<unknown>'}"]


def _empty_dir(source: dict[str, Any]) -> list[str]:
    return [
        "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)",
        f"Medium:\t{source.get('medium') or ''}",
        f"SizeLimit:\t{source.get('sizeLimit') or UNSET}",
    ]


def _host_path(source: dict[str, Any]) -> list[str]:
    return [
        "Type:\tHostPath (bare host directory volume)",
        f"Path:\t{source.get('path')}",
        f"HostPathType:\t{source.get('type') or ''}",
    ]


def _config_map(source: dict[str, Any]) -> list[str]:
    return [
        "Type:\tConfigMap (a volume populated by a ConfigMap)",
        f"Name:\t{source.get('name')}",
        f"Optional:\t{_truth(source.get('optional'))}",
    ]


def _secret(source: dict[str, Any]) -> list[str]:
    return [
        "Type:\tSecret (a volume populated by a Secret)",
        f"SecretName:\t{source.get('secretName')}",
        f"Optional:\t{_truth(source.get('optional'))}",
    ]


def _downward(source: dict[str, Any]) -> list[str]:
    items = [
        f"  {((i.get('fieldRef') or {}).get('fieldPath')) or (i.get('resourceFieldRef') or {}).get('resource')} -> "
        f"{i.get('path')}"
        for i in source.get("items") or ()
    ]
    return ["Type:\tDownwardAPI (a volume populated by information about the pod)", "Items:", *items]


def _image(source: dict[str, Any]) -> list[str]:
    return ["Type:\tImage (the files of an image)", f"Reference:\t{source.get('reference')}"]


def _projected(source: dict[str, Any]) -> list[str]:
    lines = ["Type:\tProjected (a volume that contains injected data from multiple sources)"]
    for part in source.get("sources") or ():
        for kind, label in (("secret", "SecretName"), ("configMap", "ConfigMapName")):
            if (one := part.get(kind)) is not None:
                lines += [f"{label}:\t{one.get('name')}", f"Optional:\t{_truth(one.get('optional'))}"]
        if part.get("downwardAPI") is not None:
            lines.append("DownwardAPI:\ttrue")
    return lines


def _truth(value: Any) -> str:
    return "true" if value else "false"


_SOURCES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "image": _image,
    "projected": _projected,
}

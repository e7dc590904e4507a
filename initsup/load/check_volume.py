"""What valid volumes are (core validation: ValidateVolumes and what it calls)."""

from collections.abc import Callable, Sequence
from typing import Any

from initsup.spec.base import wire_name
from initsup.spec.settings import SupervisorConfiguration
from initsup.spec.units import nanos
from initsup.spec.volume import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)

from . import names
from .check_env import NOT_A_QUANTITY, VOLUME_FIELDS, check_field, check_resource_field
from .findings import Findings

_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")

_NEEDED = {
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",),
    "nfs": ("server", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "glusterfs": ("endpoints", "path"),
    "persistentVolumeClaim": ("claimName",),
    "rbd": ("monitors", "image"),
    "flexVolume": ("driver",),
    "cinder": ("volumeID",),
    "cephfs": ("monitors",),
    "azureFile": ("secretName", "shareName"),
    "azureDisk": ("diskName", "diskURI"),
    "vsphereVolume": ("volumePath",),
    "quobyte": ("registry", "volume"),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "scaleIO": ("gateway", "system", "volumeName"),
    "csi": ("driver",),
    "ephemeral": ("volumeClaimTemplate",),
}
"""What sources that cannot be given here must have all the same."""


def check_volumes(find: Findings, volumes: Sequence[Volume], settings: SupervisorConfiguration) -> dict[str, Volume]:
    """The volumes of a pod; gives the valid ones by name, for only those can be mounted."""
    valid: dict[str, Volume] = {}
    for index, volume in enumerate(volumes):
        path = f"spec.volumes[{index}]"
        before = len(find)
        _check_source(find, path, volume)
        if volume.name:
            find.each_invalid(f"{path}.name", volume.name, names.label(volume.name))
        else:
            find.required(f"{path}.name")
        if volume.name in valid:
            find.duplicate(f"{path}.name", volume.name)
        if len(find) == before:
            valid[volume.name] = volume
            _check_availability(find, path, volume, settings)
    return valid


def _check_availability(find: Findings, path: str, volume: Volume, settings: SupervisorConfiguration) -> None:
    """Whether a valid volume can be had here. Not a rule of Kubernetes, where the pod would wait for it."""
    for attribute in volume.__struct_fields__ if volume.source is None else ():
        if isinstance(getattr(volume, attribute), dict):
            find.unavailable(f"{path}.{wire_name(attribute)}", "Volume")
    for index, part in enumerate(volume.projected.sources if volume.projected is not None else ()):
        for field, given in (
            ("clusterTrustBundle", part.cluster_trust_bundle),
            ("podCertificate", part.pod_certificate),
        ):
            if given is not None and not given.get("optional"):
                find.unavailable(f"{path}.projected.sources[{index}].{field}", "VolumeProjection")
    if volume.image is not None:
        image = volume.image.reference
        mapping = settings.mapping(image)
        if mapping is None or not (mapping.rootfs or mapping.archive):
            files = f'images: {{"{image.partition("@")[0]}": {{rootfs: /path/to/directory}}}}'
            hint = f"no image is pulled here: say in the settings {files}, or archive"
            find.invalid(f"{path}.image.reference", image, "there are no files for this image", hint=hint)


def _check_source(find: Findings, path: str, volume: Volume) -> None:
    """Exactly one source; more are reported on the later ones."""
    count = 0
    for attribute in volume.__struct_fields__:
        source = getattr(volume, attribute)
        if attribute == "name" or source is None:
            continue
        count += 1
        field = wire_name(attribute)
        if count > 1:
            find.forbidden(f"{path}.{field}", "may not specify more than 1 volume type")
        elif isinstance(source, dict):
            for needed in _NEEDED.get(field, ()):
                if not source.get(needed):
                    find.required(f"{path}.{field}.{needed}")
        else:
            _CHECKS[type(source)](find, f"{path}.{field}", source)
    if not count:
        find.required(path, "must specify a volume type")


def _check_empty_dir(find: Findings, path: str, source: EmptyDirVolumeSource) -> None:
    if source.medium not in ("", "Memory", "HugePages") and not source.medium.startswith("HugePages-"):
        find.unsupported(f"{path}.medium", source.medium, ("", "HugePages", "HugePages-SIZE", "Memory"))
    if source.size_limit is None:
        return
    try:
        if nanos(source.size_limit) < 0:
            find.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")
    except ValueError:
        find.invalid(f"{path}.sizeLimit", source.size_limit, NOT_A_QUANTITY)


def _check_host_path(find: Findings, path: str, source: HostPathVolumeSource) -> None:
    if not source.path:
        find.required(f"{path}.path")
        return
    find.each_invalid(f"{path}.path", source.path, names.no_back_steps(source.path))
    if source.type not in _HOST_PATH_TYPES:
        find.unsupported(f"{path}.type", source.type, _HOST_PATH_TYPES)


def _check_config_map(find: Findings, path: str, source: ConfigMapVolumeSource) -> None:
    if not source.name:
        find.required(f"{path}.name")
    find.each_invalid(f"{path}.defaultMode", source.default_mode, names.mode(source.default_mode))
    _check_items(find, path, source.items)


def _check_secret(find: Findings, path: str, source: SecretVolumeSource) -> None:
    if not source.secret_name:
        find.required(f"{path}.secretName")
    find.each_invalid(f"{path}.defaultMode", source.default_mode, names.mode(source.default_mode))
    _check_items(find, path, source.items)


def _check_items(find: Findings, path: str, items: Sequence[KeyToPath]) -> None:
    for index, item in enumerate(items):
        at = f"{path}.items[{index}]"
        if not item.key:
            find.required(f"{at}.key")
        if not item.path:
            find.required(f"{at}.path")
        find.each_invalid(f"{at}.path", item.path, names.unreserved(item.path))
        find.each_invalid(f"{at}.mode", item.mode, names.mode(item.mode))


def _check_downward(find: Findings, path: str, source: DownwardAPIVolumeSource) -> None:
    find.each_invalid(f"{path}.defaultMode", source.default_mode, names.mode(source.default_mode))
    _check_downward_items(find, path, source.items)


def _check_downward_items(find: Findings, path: str, items: Sequence[DownwardAPIVolumeFile]) -> None:
    for index, item in enumerate(items):
        at = f"{path}.items[{index}]"
        if not item.path:
            find.required(f"{at}.path")
        find.each_invalid(f"{at}.path", item.path, names.unreserved(item.path))
        find.each_invalid(f"{at}.mode", item.mode, names.mode(item.mode))
        if item.field_ref is not None:
            check_field(find, f"{at}.fieldRef", item.field_ref, VOLUME_FIELDS)
            if item.resource_field_ref is not None:
                find.invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif item.resource_field_ref is not None:
            check_resource_field(find, f"{at}.resourceFieldRef", item.resource_field_ref, is_file=True)
        else:
            find.required(at, "one of fieldRef and resourceFieldRef is required")


def _check_projected(find: Findings, path: str, source: ProjectedVolumeSource) -> None:
    find.each_invalid(f"{path}.defaultMode", source.default_mode, names.mode(source.default_mode))
    taken: set[str] = set()
    for index, part in enumerate(source.sources):
        at = f"{path}.sources[{index}]"
        given = [field for field in part.__struct_fields__ if getattr(part, field) is not None]
        if len(given) > 1:
            find.forbidden(at, "may not specify more than 1 volume type per source")
        _check_projection(find, at, part)
        for place in _paths_of(part):
            if place and place in taken:
                find.invalid(path, place, "conflicting duplicate paths", at)
            taken.add(place)


def _check_projection(find: Findings, path: str, part: VolumeProjection) -> None:
    for field, named in (("secret", part.secret), ("configMap", part.config_map)):
        if named is not None:
            if not named.name:
                find.required(f"{path}.{field}.name")
            _check_items(find, f"{path}.{field}", named.items)
    if part.downward_api is not None:
        _check_downward_items(find, f"{path}.downwardAPI", part.downward_api.items)
    token = part.service_account_token
    if token is not None:
        at = f"{path}.serviceAccountToken"
        if token.expiration_seconds < 600:
            detail = "may not specify a duration less than 10 minutes"
            find.invalid(f"{at}.expirationSeconds", token.expiration_seconds, detail)
        if token.expiration_seconds > 2**32:
            detail = "may not specify a duration larger than 2^32 seconds"
            find.invalid(f"{at}.expirationSeconds", token.expiration_seconds, detail)
        if not token.path:
            find.required(f"{at}.path")
        else:
            find.each_invalid(f"{at}.path", token.path, names.unreserved(token.path))


def _paths_of(part: VolumeProjection) -> list[str]:
    """The files that a source of a projected volume names."""
    named = [source for source in (part.secret, part.config_map, part.downward_api) if source is not None]
    return [item.path for source in named for item in source.items]


def _check_image(find: Findings, path: str, source: ImageVolumeSource) -> None:
    if not source.reference:
        find.required(f"{path}.reference")
    if source.pull_policy and source.pull_policy not in _PULL_POLICIES:
        find.unsupported(f"{path}.pullPolicy", source.pull_policy, _PULL_POLICIES)


_CHECKS: dict[type, Callable[[Findings, str, Any], None]] = {
    EmptyDirVolumeSource: _check_empty_dir,
    HostPathVolumeSource: _check_host_path,
    ConfigMapVolumeSource: _check_config_map,
    SecretVolumeSource: _check_secret,
    DownwardAPIVolumeSource: _check_downward,
    ProjectedVolumeSource: _check_projected,
    ImageVolumeSource: _check_image,
}

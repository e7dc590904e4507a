"""Volumes and their mounts (core/v1 Volume, VolumeMount).

The sources that can be given on one host are typed; the others are kept as they were read, so that nothing is lost
when a manifest is written again.
"""

from typing import Any

from .base import Base, Int32, Int64, Quantity

DEFAULT_MODE = 0o644


class ObjectFieldSelector(Base):
    """A field of the pod."""

    api_version: str = "v1"
    field_path: str = ""


class ResourceFieldSelector(Base):
    """A resource of a container (`limits.cpu`), divided by `divisor` and rounded up."""

    container_name: str = ""
    resource: str = ""
    divisor: Quantity = "0"
    """0 means 1."""


class KeyToPath(Base):
    """One key of a ConfigMap or Secret as a file."""

    key: str = ""
    path: str = ""
    mode: Int32 | None = None


class DownwardAPIVolumeFile(Base):
    """One field or resource of the pod as a file."""

    path: str = ""
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Int32 | None = None


class EmptyDirVolumeSource(Base):
    """A directory that is empty at first and lives as long as the pod. `medium` is "", Memory or HugePages[-SIZE]."""

    medium: str = ""
    size_limit: Quantity | None = None


class HostPathVolumeSource(Base):
    """A file or directory of the host."""

    SHOWN = ("type",)

    path: str = ""
    type: str = ""


class ConfigMapVolumeSource(Base):
    """The keys of a ConfigMap as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 = DEFAULT_MODE
    optional: bool | None = None


class SecretVolumeSource(Base):
    """The keys of a Secret as files."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 = DEFAULT_MODE
    optional: bool | None = None


class DownwardAPIVolumeSource(Base):
    """Fields of the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: Int32 = DEFAULT_MODE


class ConfigMapProjection(Base):
    """A ConfigMap within a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class SecretProjection(Base):
    """A Secret within a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool | None = None


class DownwardAPIProjection(Base):
    """Fields of the pod within a projected volume."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class ServiceAccountTokenProjection(Base):
    """A token for the Kubernetes API within a projected volume."""

    audience: str = ""
    expiration_seconds: Int64 = 3600
    path: str = ""


class VolumeProjection(Base):
    """One source of a projected volume; exactly one field is set."""

    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = None
    config_map: ConfigMapProjection | None = None
    service_account_token: ServiceAccountTokenProjection | None = None
    cluster_trust_bundle: dict[str, Any] | None = None
    pod_certificate: dict[str, Any] | None = None


class ProjectedVolumeSource(Base):
    """Several sources in one directory; later ones win."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: Int32 = DEFAULT_MODE


class ImageVolumeSource(Base):
    """The files of an image."""

    reference: str = ""
    pull_policy: str = ""


Source = (
    EmptyDirVolumeSource
    | HostPathVolumeSource
    | ConfigMapVolumeSource
    | SecretVolumeSource
    | DownwardAPIVolumeSource
    | ProjectedVolumeSource
    | ImageVolumeSource
)
"""A volume source that can be acted on."""


class Volume(Base):
    """A named volume of the pod with exactly one source (none means emptyDir)."""

    name: str = ""
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    image: ImageVolumeSource | None = None
    gce_persistent_disk: dict[str, Any] | None = None
    aws_elastic_block_store: dict[str, Any] | None = None
    git_repo: dict[str, Any] | None = None
    nfs: dict[str, Any] | None = None
    iscsi: dict[str, Any] | None = None
    glusterfs: dict[str, Any] | None = None
    persistent_volume_claim: dict[str, Any] | None = None
    rbd: dict[str, Any] | None = None
    flex_volume: dict[str, Any] | None = None
    cinder: dict[str, Any] | None = None
    cephfs: dict[str, Any] | None = None
    flocker: dict[str, Any] | None = None
    fc: dict[str, Any] | None = None
    azure_file: dict[str, Any] | None = None
    azure_disk: dict[str, Any] | None = None
    vsphere_volume: dict[str, Any] | None = None
    quobyte: dict[str, Any] | None = None
    photon_persistent_disk: dict[str, Any] | None = None
    portworx_volume: dict[str, Any] | None = None
    scale_io: dict[str, Any] | None = None
    storageos: dict[str, Any] | None = None
    csi: dict[str, Any] | None = None
    ephemeral: dict[str, Any] | None = None

    @property
    def source(self) -> Source | None:
        """The source, if it is one that can be acted on."""
        return (
            self.empty_dir
            or self.host_path
            or self.config_map
            or self.secret
            or self.downward_api
            or self.projected
            or self.image
        )


class VolumeMount(Base):
    """Where a container sees a volume."""

    name: str = ""
    read_only: bool = False
    recursive_read_only: str | None = None
    mount_path: str = ""
    sub_path: str = ""
    mount_propagation: str | None = None
    sub_path_expr: str = ""

    @property
    def is_recursive(self) -> bool:
        """Whether `read_only` holds for mounts inside of it, too. It always can: `IfPossible` means `Enabled`."""
        return self.recursive_read_only in ("Enabled", "IfPossible")


class VolumeDevice(Base):
    """Where a container sees a raw block volume."""

    name: str = ""
    device_path: str = ""

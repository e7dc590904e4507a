"""What loading gives: one pod, the objects it refers to, and the settings."""

from .base import Base
from .pod import ObjectMeta, Pod
from .settings import SupervisorConfiguration


class ConfigMap(Base):
    """Configuration data by key; `binary_data` is decoded here and base64 in files."""

    api_version: str = "v1"
    kind: str = "ConfigMap"
    metadata: ObjectMeta = ObjectMeta()
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}
    immutable: bool | None = None


class Secret(Base):
    """Secret data by key, decoded here and base64 in files. A file's `stringData` is merged into `data` when read."""

    api_version: str = "v1"
    kind: str = "Secret"
    metadata: ObjectMeta = ObjectMeta()
    type: str = "Opaque"
    data: dict[str, bytes] = {}
    immutable: bool | None = None


class Manifest(Base):
    """What was asked. ConfigMaps and Secrets are those of the pod's own namespace, by name.

    `ignored` names the objects of the input that have no effect here, each as a line for the reader; `source` is the
    path of the first file.
    """

    pod: Pod
    config_maps: dict[str, ConfigMap] = {}
    secrets: dict[str, Secret] = {}
    settings: SupervisorConfiguration = SupervisorConfiguration()
    ignored: tuple[str, ...] = ()
    source: str = ""

"""What is printed: the status of the pod and events (core/v1 PodStatus, Event). Times are RFC 3339."""

from typing import Any

from .base import Base
from .pod import ObjectMeta, Pod, Quantities, ResourceRequirements


class ContainerStateWaiting(Base):
    """Not yet, or not now."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Base):
    """Running since."""

    SHOWN = ("startedAt",)

    started_at: str | None = None


class ContainerStateTerminated(Base):
    """Ended. `signal` is 0 when it was not asked for by a signal of ours."""

    SHOWN = ("exitCode", "startedAt", "finishedAt")

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = ""


class ContainerState(Base):
    """Exactly one is set; all unset means waiting."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class VolumeMountStatus(Base):
    """A mount as it was made."""

    name: str = ""
    mount_path: str = ""
    read_only: bool = False
    recursive_read_only: str | None = None


class LinuxContainerUser(Base):
    """The identity that a container's first process got."""

    SHOWN = ("uid", "gid")

    uid: int = 0
    gid: int = 0
    supplemental_groups: tuple[int, ...] = ()


class ContainerUser(Base):
    """The identity that a container's first process got."""

    linux: LinuxContainerUser | None = None


class ContainerStatus(Base):
    """One container as it is now."""

    SHOWN = ("name", "state", "lastState", "ready", "restartCount", "image", "imageID")

    name: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    started: bool | None = None
    allocated_resources: Quantities = {}
    resources: ResourceRequirements | None = None
    volume_mounts: tuple[VolumeMountStatus, ...] = ()
    user: ContainerUser | None = None
    allocated_resources_status: tuple[dict[str, Any], ...] = ()
    stop_signal: str | None = None


class PodCondition(Base):
    """One answer about the pod: `status` is True, False or Unknown."""

    SHOWN = ("type", "status", "lastProbeTime", "lastTransitionTime")

    type: str = ""
    observed_generation: int = 0
    status: str = ""
    last_probe_time: str | None = None
    last_transition_time: str | None = None
    reason: str = ""
    message: str = ""


class PodIP(Base):
    """One address of the pod."""

    ip: str = ""


class HostIP(Base):
    """One address of the host."""

    ip: str = ""


class PodStatus(Base):
    """The pod as it is now."""

    observed_generation: int = 0
    phase: str = ""
    conditions: tuple[PodCondition, ...] = ()
    message: str = ""
    reason: str = ""
    nominated_node_name: str = ""
    host_ip: str = ""
    host_ips: tuple[HostIP, ...] = ()
    pod_ip: str = ""
    pod_ips: tuple[PodIP, ...] = ()
    start_time: str | None = None
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    resize: str = ""
    resource_claim_statuses: tuple[dict[str, Any], ...] = ()
    extended_resource_claim_status: dict[str, Any] | None = None
    allocated_resources: Quantities = {}
    resources: ResourceRequirements | None = None


class LivePod(Pod):
    """A pod together with its status, as `get` prints it."""

    SHOWN = ("status",)

    status: PodStatus = PodStatus()


class ListMeta(Base):
    """What a list says of itself."""

    resource_version: str = ""
    continue_: str = ""


class PodList(Base):
    """Several pods."""

    SHOWN = ("items", "metadata")

    api_version: str = "v1"
    kind: str = "PodList"
    metadata: ListMeta = ListMeta()
    items: tuple[LivePod, ...] = ()


class ObjectReference(Base):
    """The object an event is about; `field_path` names a container as `spec.containers{NAME}`."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""
    field_path: str = ""


class EventSource(Base):
    """Who reports."""

    component: str = ""
    host: str = ""


class Event(Base):
    """Something that happened to the pod; the same thing again raises `count`."""

    SHOWN = ("metadata", "involvedObject", "source", "firstTimestamp", "lastTimestamp", "eventTime",
             "reportingComponent", "reportingInstance")  # fmt: skip

    api_version: str = "v1"
    kind: str = "Event"
    metadata: ObjectMeta = ObjectMeta()
    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    source: EventSource = EventSource()
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    count: int = 0
    type: str = ""
    event_time: str | None = None
    action: str = ""
    reporting_component: str = ""
    reporting_instance: str = ""


class EventList(Base):
    """Several events."""

    SHOWN = ("items", "metadata")

    api_version: str = "v1"
    kind: str = "EventList"
    metadata: ListMeta = ListMeta()
    items: tuple[Event, ...] = ()

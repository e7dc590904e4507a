"""The Pod: what must run (core/v1 Pod, PodSpec, Container).

Every field of core/v1 is here, also those without meaning on one host: a manifest is read and written without loss.
Structures that no rule looks into are kept as JSON values.
"""

from collections.abc import Iterator
from typing import Any

from .base import Base, Int32, Int64, Quantity
from .probe import Lifecycle, Probe
from .volume import ObjectFieldSelector, ResourceFieldSelector, Volume, VolumeDevice, VolumeMount

Quantities = dict[str, Quantity]
"""Resource name → quantity, such as `{"cpu": "500m", "memory": "64Mi"}`."""


class OwnerReference(Base):
    """The object that made this one."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Base):
    """Name and labels of an object (meta/v1 ObjectMeta). Times are RFC 3339."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[dict[str, Any], ...] = ()


# -- environment -----------------------------------------------------------------------------------------------------


class ConfigMapKeySelector(Base):
    """One key of a ConfigMap."""

    name: str = ""
    key: str = ""
    optional: bool | None = None


class SecretKeySelector(Base):
    """One key of a Secret."""

    name: str = ""
    key: str = ""
    optional: bool | None = None


class FileKeySelector(Base):
    """One variable of an environment file in an emptyDir volume."""

    volume_name: str = ""
    path: str = ""
    key: str = ""
    optional: bool = False


class EnvVarSource(Base):
    """Where a variable's value comes from; exactly one field is set."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None
    file_key_ref: FileKeySelector | None = None


class EnvVar(Base):
    """One environment variable; `$(NAME)` in `value` is expanded."""

    name: str = ""
    value: str = ""
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(Base):
    """All keys of a ConfigMap as variables."""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Base):
    """All keys of a Secret as variables."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Base):
    """Many variables at once; exactly one of the two references is set."""

    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


# -- resources and security ------------------------------------------------------------------------------------------


class ResourceClaim(Base):
    """A device claimed by a container."""

    name: str = ""
    request: str = ""


class ResourceRequirements(Base):
    """What a container (or the whole pod) may use at most and needs at least."""

    limits: Quantities = {}
    requests: Quantities = {}
    claims: tuple[ResourceClaim, ...] = ()


class Capabilities(Base):
    """Linux capabilities to add to and drop from the default set, without `CAP_`."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SELinuxOptions(Base):
    """The SELinux label of a container."""

    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class WindowsSecurityContextOptions(Base):
    """Windows only."""

    gmsa_credential_spec_name: str | None = None
    gmsa_credential_spec: str | None = None
    run_as_user_name: str | None = None
    host_process: bool | None = None


class SeccompProfile(Base):
    """Which system calls are allowed."""

    type: str = ""
    localhost_profile: str | None = None


class AppArmorProfile(Base):
    """Which AppArmor profile is entered."""

    type: str = ""
    localhost_profile: str | None = None


class Sysctl(Base):
    """One kernel parameter of the pod's namespaces."""

    name: str = ""
    value: str = ""


class SecurityContext(Base):
    """Identity and privileges of one container; a field that is set wins over the pod's."""

    capabilities: Capabilities | None = None
    privileged: bool | None = None
    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None


class PodSecurityContext(Base):
    """Identity and privileges of all containers of the pod."""

    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: bool | None = None
    supplemental_groups: tuple[Int64, ...] = ()
    supplemental_groups_policy: str | None = None
    fs_group: Int64 | None = None
    sysctls: tuple[Sysctl, ...] = ()
    fs_group_change_policy: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    se_linux_change_policy: str | None = None


# -- containers ------------------------------------------------------------------------------------------------------


class ContainerPort(Base):
    """A port the container listens on."""

    name: str = ""
    host_port: Int32 = 0
    container_port: Int32 = 0
    protocol: str = "TCP"
    host_ip: str = ""


class ContainerResizePolicy(Base):
    """What a change of a resource does to a running container."""

    resource_name: str = ""
    restart_policy: str = ""


class ContainerRestartRuleOnExitCodes(Base):
    """Exit codes for which a rule holds (`In`) or does not (`NotIn`)."""

    operator: str = ""
    values: tuple[Int32, ...] = ()


class ContainerRestartRule(Base):
    """What happens after some exit codes, whatever the restart policy says."""

    action: str = ""
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class Container(Base):
    """One program of the pod. `command` and `args` are expanded, never run through a shell."""

    SHOWN = ("name", "resources")

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    restart_policy: str | None = None
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    volume_devices: tuple[VolumeDevice, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class EphemeralContainer(Container):
    """A container added to a running pod to look into it."""

    target_container_name: str = ""


# -- the pod ---------------------------------------------------------------------------------------------------------


class LocalObjectReference(Base):
    """The name of an object of the same namespace."""

    name: str = ""


class HostAlias(Base):
    """One line of /etc/hosts."""

    ip: str = ""
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(Base):
    """One resolver option."""

    name: str = ""
    value: str | None = None


class PodDNSConfig(Base):
    """What is added to /etc/resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodReadinessGate(Base):
    """A condition that must be True before the pod is Ready."""

    condition_type: str = ""


class PodOS(Base):
    """The operating system the pod is made for."""

    name: str = ""


class PodSchedulingGate(Base):
    """Something that holds back scheduling."""

    name: str = ""


class Toleration(Base):
    """A taint that the pod accepts."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: Int64 | None = None


class PodResourceClaim(Base):
    """A device claimed by the pod."""

    name: str = ""
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(Base):
    """What the pod runs and how it ends; times are whole seconds."""

    SHOWN = ("containers", "securityContext")

    volumes: tuple[Volume, ...] = ()
    init_containers: tuple[Container, ...] = ()
    containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[EphemeralContainer, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: Int64 = 30
    active_deadline_seconds: Int64 | None = None
    dns_policy: str = "ClusterFirst"
    node_selector: dict[str, str] = {}
    service_account_name: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    node_name: str = ""
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool | None = None
    security_context: PodSecurityContext = PodSecurityContext()
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    affinity: dict[str, Any] | None = None
    scheduler_name: str = "default-scheduler"
    tolerations: tuple[Toleration, ...] = ()
    host_aliases: tuple[HostAlias, ...] = ()
    priority_class_name: str = ""
    priority: Int32 | None = None
    dns_config: PodDNSConfig | None = None
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    runtime_class_name: str | None = None
    enable_service_links: bool = True
    preemption_policy: str | None = None
    overhead: Quantities = {}
    topology_spread_constraints: tuple[dict[str, Any], ...] = ()
    set_hostname_as_fqdn: bool | None = None
    os: PodOS | None = None
    host_users: bool | None = None
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    resource_claims: tuple[PodResourceClaim, ...] = ()
    resources: ResourceRequirements | None = None
    hostname_override: str | None = None
    workload_ref: dict[str, Any] | None = None
    scheduling_group: dict[str, Any] | None = None


class Pod(Base):
    """The pod as it was asked for. Its status is derived elsewhere, see `status.PodStatus`."""

    api_version: str = "v1"
    kind: str = "Pod"
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


def containers(spec: PodSpec) -> Iterator[tuple[str, Container]]:
    """All containers of a pod, init and ephemeral ones too, each with the path of its field."""
    kinds: tuple[tuple[str, tuple[Container, ...]], ...] = (
        ("initContainers", spec.init_containers),
        ("containers", spec.containers),
        ("ephemeralContainers", spec.ephemeral_containers),
    )
    for field, found in kinds:
        for index, container in enumerate(found):
            yield f"spec.{field}[{index}]", container

"""What a valid container is (core validation: ValidateContainers and what it calls).

Rules for what a container need not have are imported when it has it.
"""

from collections.abc import Sequence

import msgspec

from initsup.spec.pod import (
    Container,
    ContainerPort,
    ContainerRestartRule,
    EphemeralContainer,
    PodSpec,
    ResourceRequirements,
)
from initsup.spec.settings import SupervisorConfiguration
from initsup.spec.volume import Volume, VolumeMount

from . import names
from .findings import Findings

_LIFE = {
    "lifecycle": "lifecycle", "livenessProbe": "liveness_probe", "readinessProbe": "readiness_probe",
    "startupProbe": "startup_probe",
}  # fmt: skip
"""The fields that only containers have which are not over at once."""
_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_READ_ONLY = ("Disabled", "IfPossible", "Enabled")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


class Context(msgspec.Struct, frozen=True):
    """What the rules of a container need to know of its pod; `volumes` are the valid ones by name."""

    volumes: dict[str, Volume]
    claims: frozenset[str]
    grace: int
    restart_policy: str
    host_users: bool
    os: str
    settings: SupervisorConfiguration


def check_containers(find: Findings, spec: PodSpec, context: Context) -> None:
    """All containers of a pod."""
    if not spec.containers:
        find.required("spec.containers")
    taken: set[str] = set()
    for index, container in enumerate(spec.containers):
        path = f"spec.containers[{index}]"
        check_container(find, path, container, context, taken)
        _check_life(find, path, container, context)
    taken.discard("")
    for index, container in enumerate(spec.init_containers):
        path = f"spec.initContainers[{index}]"
        check_container(find, path, container, context, taken)
        taken.discard("")
        _check_init(find, path, container, context)
    _check_host_ports(find, spec)


def _check_init(find: Findings, path: str, container: Container, context: Context) -> None:
    """What only sidecars may have."""
    if container.restart_policy == "Always":
        _check_life(find, path, container, context)
        return
    for field, attribute in _LIFE.items():
        if getattr(container, attribute) is not None:
            find.forbidden(f"{path}.{field}", _ONLY_SIDECARS)


def _check_life(find: Findings, path: str, container: Container, context: Context) -> None:
    """Hooks and probes."""
    if all(getattr(container, attribute) is None for attribute in _LIFE.values()):
        return
    from .check_probe import check_lifecycle, check_probes

    check_lifecycle(find, f"{path}.lifecycle", container.lifecycle, context.grace, context.os)
    check_probes(find, path, container)


def check_container(find: Findings, path: str, container: Container, context: Context, taken: set[str]) -> None:
    """The rules for containers of every kind. Its name is added to those that are `taken`."""
    if container.name:
        find.each_invalid(f"{path}.name", container.name, names.label(container.name))
    else:
        find.required(f"{path}.name")
    _check_program(find, path, container, context.settings)
    if container.termination_message_policy not in ("File", "FallbackToLogsOnError"):
        supported = ("File", "FallbackToLogsOnError")
        find.unsupported(f"{path}.terminationMessagePolicy", container.termination_message_policy, supported)
    if container.image_pull_policy not in _PULL_POLICIES:
        find.unsupported(f"{path}.imagePullPolicy", container.image_pull_policy, _PULL_POLICIES)
    _check_ports(find, f"{path}.ports", container.ports)
    if container.env or container.env_from:
        from .check_env import check_env, check_env_from

        check_env(find, f"{path}.env", container.env, context.volumes)
        check_env_from(find, f"{path}.envFrom", container.env_from)
    _check_mounts(find, f"{path}.volumeMounts", container, context.volumes)
    _check_devices(find, f"{path}.volumeDevices", container, context.volumes)
    if container.resize_policy or container.resources != ResourceRequirements():
        from .check_resources import check_resize_policy, check_resources

        check_resources(find, f"{path}.resources", container.resources, context.claims)
        check_resize_policy(find, path, container, context.restart_policy)
    _check_restart_rules(find, path, container.restart_policy, container.restart_policy_rules)
    if container.security_context is not None:
        from .check_security import check_container_security

        check_container_security(find, f"{path}.securityContext", container.security_context, context.host_users)
    if container.name in taken:
        find.duplicate(f"{path}.name", container.name)
    taken.add(container.name)


def _check_program(find: Findings, path: str, container: Container, settings: SupervisorConfiguration) -> None:
    """What the container runs: its command, else what the settings say for its image. Not a rule of Kubernetes."""
    image = container.image
    if image != image.strip():
        find.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    elif container.command or isinstance(container, EphemeralContainer):  # which runs a shell when it has no other
        return
    elif not image:
        find.required(f"{path}.image", hint="or give a command, which is then run on this host")
    else:
        mapping = settings.mapping(image)
        if mapping is None or not (mapping.command or mapping.archive):
            program = f'images: {{"{image.partition("@")[0]}": {{command: [/path/to/program]}}}}'
            hint = f"no image is pulled here: give the container a command, or say in the settings {program}"
            find.invalid(f"{path}.image", image, "there is no command for this image", hint=hint)


def _check_ports(find: Findings, path: str, ports: Sequence[ContainerPort]) -> None:
    taken = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if port.name:
            broken = names.port_name(port.name)
            find.each_invalid(f"{at}.name", port.name, broken)
            if not broken and port.name in taken:
                find.duplicate(f"{at}.name", port.name)
            taken.add(port.name)
        if port.container_port == 0:
            find.required(f"{at}.containerPort")
        else:
            find.each_invalid(f"{at}.containerPort", port.container_port, names.port_number(port.container_port))
        if port.host_port != 0:
            find.each_invalid(f"{at}.hostPort", port.host_port, names.port_number(port.host_port))
        if port.protocol not in ("TCP", "UDP", "SCTP"):
            find.unsupported(f"{at}.protocol", port.protocol, ("TCP", "UDP", "SCTP"))
        if port.host_ip:
            find.each_invalid(f"{at}.hostIP", port.host_ip, names.ip_address(port.host_ip))


def _check_host_ports(find: Findings, spec: PodSpec) -> None:
    """Two containers that run at the same time cannot listen on one port of the host."""
    taken = set()
    for number, container in enumerate(spec.containers):
        for index, port in enumerate(container.ports):
            path = f"spec.containers[{number}].ports[{index}].hostPort"
            key = f"{port.protocol}/{port.host_ip}/{port.host_port}"
            if port.host_port and key in taken:
                find.duplicate(path, key)
            taken.add(key)
            if spec.host_network and port.host_port != port.container_port:
                find.invalid(path, port.host_port, "must match `containerPort` when `hostNetwork` is true")


def _check_mounts(find: Findings, path: str, container: Container, volumes: dict[str, Volume]) -> None:
    devices = {device.name: device.device_path for device in container.volume_devices}
    taken = set()
    for index, mount in enumerate(container.volume_mounts):
        at = f"{path}[{index}]"
        if not mount.name:
            find.required(f"{at}.name")
        elif mount.name not in volumes:
            find.not_found(f"{at}.name", mount.name, "spec.volumes")
        if not mount.mount_path:
            find.required(f"{at}.mountPath")
        elif mount.mount_path in taken:
            find.invalid(f"{at}.mountPath", mount.mount_path, "must be unique")
        taken.add(mount.mount_path)
        if mount.name in devices:
            find.invalid(f"{at}.name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in devices.values():
            find.invalid(f"{at}.mountPath", mount.mount_path, "must not already exist as a path in volumeDevices")
        _check_sub_paths(find, path, at, mount)
        _check_propagation(find, path, at, mount, container)


def _check_sub_paths(find: Findings, path: str, at: str, mount: VolumeMount) -> None:
    """Kubernetes gives these paths without the number of the mount."""
    if mount.sub_path:
        find.each_invalid(f"{path}.subPath", mount.sub_path, names.descending(mount.sub_path), f"{at}.subPath")
    if mount.sub_path_expr:
        if mount.sub_path:
            find.invalid(f"{at}.subPathExpr", mount.sub_path_expr, "subPathExpr and subPath are mutually exclusive")
        broken = names.descending(mount.sub_path_expr)
        find.each_invalid(f"{path}.subPathExpr", mount.sub_path_expr, broken, f"{at}.subPathExpr")


def _check_propagation(find: Findings, path: str, at: str, mount: VolumeMount, container: Container) -> None:
    propagation, read_only = mount.mount_propagation, mount.recursive_read_only
    if propagation is not None:
        place = f"{at}.mountPropagation"
        if propagation not in _PROPAGATIONS:
            find.unsupported(f"{path}.mountPropagation", propagation, _PROPAGATIONS, at=place)
        security = container.security_context
        if propagation == "Bidirectional" and not (security is not None and security.privileged):
            detail = "Bidirectional mount propagation is available only to privileged containers"
            find.forbidden(f"{path}.mountPropagation", detail, place)
    if read_only is None or read_only == "Disabled":
        return
    place = f"{at}.recursiveReadOnly"
    if read_only not in _READ_ONLY:
        find.unsupported(f"{path}.recursiveReadOnly", read_only, _READ_ONLY, at=place)
        return
    if not mount.read_only:
        find.forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true", place)
    if propagation not in (None, "None"):
        detail = "may only be specified when mountPropagation is None or not specified"
        find.forbidden(f"{path}.recursiveReadOnly", detail, place)


def _check_devices(find: Findings, path: str, container: Container, volumes: dict[str, Volume]) -> None:
    mounts = {mount.name: mount.mount_path for mount in container.volume_mounts}
    taken_names, taken_paths = set(), set()
    for index, device in enumerate(container.volume_devices):
        at = f"{path}[{index}]"
        volume = volumes.get(device.name)
        if not device.name:
            find.required(f"{at}.name")
        elif volume is None:
            find.not_found(f"{at}.name", device.name, "spec.volumes")
        elif volume.persistent_volume_claim is None and volume.ephemeral is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            find.invalid(f"{at}.name", device.name, detail)
        if not device.device_path:
            find.required(f"{at}.devicePath")
        elif names.no_back_steps(device.device_path):
            find.invalid(f"{at}.devicePath", device.device_path, "can not contain backsteps ('..')")
        if device.name in taken_names:
            find.invalid(f"{at}.name", device.name, "must be unique")
        if device.device_path in taken_paths:
            find.invalid(f"{at}.devicePath", device.device_path, "must be unique")
        if device.name in mounts:
            find.invalid(f"{at}.name", device.name, "must not already exist in volumeMounts")
        if device.device_path in mounts.values():
            find.invalid(f"{at}.devicePath", device.device_path, "must not already exist as a path in volumeMounts")
        taken_names.add(device.name)
        taken_paths.add(device.device_path)


def _check_restart_rules(find: Findings, path: str, policy: str | None, rules: Sequence[ContainerRestartRule]) -> None:
    """A container's own restart policy (KEP-5307)."""
    if policy is not None and policy not in _RESTART_POLICIES:
        find.unsupported(f"{path}.restartPolicy", policy, _RESTART_POLICIES)
    if policy is None and rules:
        find.required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    if len(rules) > 20:
        find.too_many(f"{path}.restartPolicyRules", len(rules), 20)
    for index, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{index}]"
        if rule.action not in ("Restart", "RestartAllContainers"):
            find.unsupported(f"{at}.action", rule.action, ("Restart", "RestartAllContainers"))
        codes = rule.exit_codes
        if codes is None:
            find.required(f"{at}.exitCodes", "must be specified")
            continue
        if codes.operator not in ("In", "NotIn"):
            find.unsupported(f"{at}.exitCodes.operator", codes.operator, ("In", "NotIn"))
        if len(codes.values) > 255:
            find.too_many(f"{at}.exitCodes.values", len(codes.values), 255)

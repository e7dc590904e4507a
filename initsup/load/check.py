"""What a valid pod is: Kubernetes' validation (pkg/apis/core/validation), with its words and paths.

`check_pod` runs after the defaults, as in the API server. What differs: `image` is optional when there is a command,
and an image without a command needs a mapping to something on this host. Rules for what a pod need not have are
imported when it has it.
"""

from initsup.spec.manifest import Manifest
from initsup.spec.pod import ObjectMeta, PodDNSConfig, PodSecurityContext, PodSpec, Toleration
from initsup.spec.volume import Volume

from . import names
from .check_container import Context, check_containers
from .findings import Findings

_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")


def check_pod(manifest: Manifest, *, runs: bool = False) -> Findings:
    """All that is wrong with the pod. Only one that `runs` can have ephemeral containers."""
    find = Findings(manifest.settings.best_effort)
    spec = manifest.pod.spec
    check_metadata(find, manifest.pod.metadata, names.subdomain)
    volumes: dict[str, Volume] = {}
    if spec.volumes:
        from .check_volume import check_volumes

        volumes = check_volumes(find, spec.volumes, manifest.settings)
    context = Context(
        volumes=volumes,
        claims=frozenset(claim.name for claim in spec.resource_claims),
        grace=spec.termination_grace_period_seconds,
        restart_policy=spec.restart_policy,
        host_users=spec.host_users is not False,
        os="" if spec.os is None else spec.os.name,
        settings=manifest.settings,
    )
    check_containers(find, spec, context)
    if spec.ephemeral_containers and not runs:
        find.forbidden("spec.ephemeralContainers", "cannot be set on create")
    elif spec.ephemeral_containers:
        from .check_ephemeral import check_ephemeral

        check_ephemeral(find, spec, context)
    if spec.resources is not None:
        from .check_resources import check_pod_resources

        check_pod_resources(find, spec, spec.resources, context.claims)
    if spec.security_context != PodSecurityContext() or spec.os is not None:  # which bars what is for another one
        from .check_security import check_pod_security

        check_pod_security(find, spec)
    _check_namespaces(find, spec)
    _check_life(find, spec)
    _check_network(find, spec)
    _check_placement(find, spec)
    return find


def check_metadata(find: Findings, metadata: ObjectMeta, rules_of_name: names.Rules) -> None:
    """Names, labels and annotations of any object."""
    if metadata.generate_name:
        find.each_invalid("metadata.generateName", metadata.generate_name, rules_of_name(metadata.generate_name + "x"))
    if metadata.name:
        find.each_invalid("metadata.name", metadata.name, rules_of_name(metadata.name))
    else:
        find.required("metadata.name", "name or generateName is required")
    if metadata.namespace:
        find.each_invalid("metadata.namespace", metadata.namespace, names.label(metadata.namespace))
    check_labels(find, "metadata.labels", metadata.labels)
    for key in metadata.annotations:
        find.each_invalid("metadata.annotations", key, names.qualified(key.lower()), f"metadata.annotations[{key}]")
    size = sum(len(key.encode()) + len(text.encode()) for key, text in metadata.annotations.items())
    if size > 256 * 1024:
        find.too_long("metadata.annotations", 256 * 1024)
    for index, owner in enumerate(metadata.owner_references):
        for field in ("api_version", "kind", "name", "uid"):
            if not getattr(owner, field):
                wire = "apiVersion" if field == "api_version" else field
                find.invalid(f"metadata.ownerReferences[{index}].{wire}", "", "must not be empty")


def check_labels(find: Findings, path: str, labels: dict[str, str]) -> None:
    """Keys and values of labels, or of what selects by them."""
    for key, text in labels.items():
        find.each_invalid(path, key, names.qualified(key), f"{path}[{key}]")
        find.each_invalid(path, text, names.label_value(text), f"{path}[{key}]")


def _check_namespaces(find: Findings, spec: PodSpec) -> None:
    """The namespaces that the pod shares with the host. Kubernetes gives the first path as one of the context."""
    if spec.share_process_namespace and spec.host_pid:
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        find.invalid("spec.securityContext.shareProcessNamespace", True, detail, "spec.shareProcessNamespace")
    if spec.host_users is False:
        find.refused("spec.hostUsers", "PodSpec")
        for field, shared in (
            ("hostNetwork", spec.host_network),
            ("HostPID", spec.host_pid),
            ("HostIPC", spec.host_ipc),
        ):
            if shared:
                at = "spec." + field[0].lower() + field[1:]
                find.forbidden(f"spec.{field}", "when `pod.Spec.HostUsers` is false", at)


def _check_life(find: Findings, spec: PodSpec) -> None:
    """How the pod lives and ends."""
    if spec.restart_policy not in _POLICIES:
        find.unsupported("spec.restartPolicy", spec.restart_policy, _POLICIES, in_order=True)
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        find.invalid("spec.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
    for index, gate in enumerate(spec.readiness_gates):
        path = f"spec.readinessGates[{index}].conditionType"
        find.each_invalid(path, gate.condition_type, names.qualified(gate.condition_type))
    if spec.os is not None:
        if not spec.os.name:
            find.required("spec.os.name", "cannot be empty")
        elif spec.os.name not in ("linux", "windows"):
            find.unsupported("spec.os", spec.os.name, ("linux", "windows"))
        elif spec.os.name == "windows":
            find.invalid("spec.os.name", "windows", "this host runs Linux")


def _check_network(find: Findings, spec: PodSpec) -> None:
    """Host names, addresses and the resolver."""
    for field, text in (("hostname", spec.hostname), ("subdomain", spec.subdomain)):
        if text:
            find.each_invalid(f"spec.{field}", text, names.label(text))
    if spec.hostname_override is not None:
        if len(spec.hostname_override) > 64:
            find.too_long("spec.hostnameOverride", 64)
        find.each_invalid("spec.hostnameOverride", spec.hostname_override, names.subdomain(spec.hostname_override))
        if spec.set_hostname_as_fqdn:
            find.forbidden("spec.setHostnameAsFQDN", "cannot be true when `hostnameOverride` is set")
    for index, alias in enumerate(spec.host_aliases):
        path = f"spec.hostAliases[{index}]"
        find.each_invalid(f"{path}.ip", alias.ip, names.ip_address(alias.ip))
        for position, host in enumerate(alias.hostnames):
            find.each_invalid(f"{path}.hostnames[{position}]", host, names.subdomain(host))
    if spec.dns_policy not in _DNS_POLICIES:
        find.unsupported("spec.dnsPolicy", spec.dns_policy, _DNS_POLICIES)
    _check_resolver(find, spec.dns_config, spec.dns_policy)


def _check_resolver(find: Findings, config: PodDNSConfig | None, policy: str) -> None:
    if policy == "None" and config is None:
        find.required("spec.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    if config is None:
        return
    path = "spec.dnsConfig.nameservers"
    if policy == "None" and not config.nameservers:
        find.required(path, "must provide at least one DNS nameserver when `dnsPolicy` is None")
    if len(config.nameservers) > 3:
        find.invalid(path, config.nameservers, "must not have more than 3 nameservers")
    for index, server in enumerate(config.nameservers):
        find.each_invalid(f"{path}[{index}]", server, names.ip_address(server))
    path = "spec.dnsConfig.searches"
    if len(config.searches) > 32:
        find.invalid(path, config.searches, "must not have more than 32 search paths")
    if len(" ".join(config.searches)) > 2048:
        detail = "must not have more than 2048 characters (including spaces) in the search list"
        find.invalid(path, config.searches, detail)
    for index, search in enumerate(config.searches):
        bare = search.removesuffix(".").replace("_", "a")
        if bare:
            find.each_invalid(f"{path}[{index}]", search, names.subdomain(bare))
    for index, option in enumerate(config.options):
        if not option.name:
            find.required(f"spec.dnsConfig.options[{index}]", "must not be empty")


def _check_placement(find: Findings, spec: PodSpec) -> None:
    """What a scheduler would look at: without effect here, but a manifest that Kubernetes refuses is refused here."""
    check_labels(find, "spec.nodeSelector", spec.node_selector)
    for field, text in (
        ("serviceAccountName", spec.service_account_name),
        ("nodeName", spec.node_name),
        ("priorityClassName", spec.priority_class_name),
        ("runtimeClassName", spec.runtime_class_name),
    ):
        if text:
            find.each_invalid(f"spec.{field}", text, names.subdomain(text))
    if spec.runtime_class_name and not names.subdomain(spec.runtime_class_name):
        find.refused("spec.runtimeClassName", "PodSpec")
    if spec.preemption_policy is not None and spec.preemption_policy not in ("PreemptLowerPriority", "Never"):
        find.unsupported("spec.preemptionPolicy", spec.preemption_policy, ("PreemptLowerPriority", "Never"))
    if spec.overhead:
        from .check_resources import check_overhead

        check_overhead(find, spec.overhead)
    for index, toleration in enumerate(spec.tolerations):
        _check_toleration(find, f"spec.tolerations[{index}]", toleration)
    seen = set()
    for index, gate in enumerate(spec.scheduling_gates):
        find.each_invalid(f"spec.schedulingGates[{index}]", gate.name, names.qualified(gate.name))
        if gate.name in seen:
            find.duplicate(f"spec.schedulingGates[{index}]", gate.name)
        seen.add(gate.name)
    if spec.node_name and spec.scheduling_gates:
        find.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")
    if spec.affinity is not None or spec.topology_spread_constraints:
        from .check_placement import check_affinity, check_spreading

        check_affinity(find, spec.affinity or {})
        check_spreading(find, spec.topology_spread_constraints)


def _check_toleration(find: Findings, path: str, toleration: Toleration) -> None:
    operator = f"{path}.operator"
    if toleration.key:
        find.each_invalid(f"{path}.key", toleration.key, names.qualified(toleration.key))
    elif toleration.operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        find.invalid(operator, toleration.operator, detail)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        find.invalid(f"{path}.effect", toleration.effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if toleration.operator in ("", "Equal"):
        find.each_invalid(operator, toleration.value, names.label_value(toleration.value))
    elif toleration.operator == "Exists":
        if toleration.value:
            find.invalid(operator, toleration.value, "value must be empty when `operator` is 'Exists'")
    elif toleration.operator not in ("Lt", "Gt"):
        find.unsupported(operator, toleration.operator, ("Equal", "Exists", "Lt", "Gt"))
    if toleration.effect not in ("", "NoSchedule", "PreferNoSchedule", "NoExecute"):
        find.unsupported(f"{path}.effect", toleration.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))

"""What valid security contexts are (core validation: ValidateSecurityContext, validatePodSpecSecurityContext)."""

from initsup.spec.pod import (
    AppArmorProfile,
    PodSecurityContext,
    PodSpec,
    SeccompProfile,
    SecurityContext,
    Sysctl,
)

from . import names
from .findings import Findings

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")


def check_container_security(find: Findings, path: str, context: SecurityContext, host_users: bool) -> None:
    """The security context of a container."""
    _check_ids(find, path, context.run_as_user, context.run_as_group)
    if context.proc_mount is not None:
        if context.proc_mount not in ("Default", "Unmasked"):
            find.unsupported(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked"))
        if context.proc_mount == "Unmasked" and host_users:
            find.invalid(f"{path}.procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`")
    _check_profiles(find, path, context)
    if context.allow_privilege_escalation is False:
        if context.privileged:
            find.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            find.invalid(path, context, detail)


def check_pod_security(find: Findings, spec: PodSpec) -> None:
    """The security context of the pod."""
    path = "spec.securityContext"
    context = spec.security_context
    _check_ids(find, path, context.run_as_user, context.run_as_group)
    if context.fs_group is not None:
        find.each_invalid(f"{path}.fsGroup", context.fs_group, names.user_id(context.fs_group))
    for index, group in enumerate(context.supplemental_groups):
        find.each_invalid(f"{path}.supplementalGroups[{index}]", group, names.user_id(group))
    for field, word, words in (
        ("fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy, ("Merge", "Strict")),
        ("seLinuxChangePolicy", context.se_linux_change_policy, ("MountOption", "Recursive")),
    ):
        if word is not None and word not in words:
            find.unsupported(f"{path}.{field}", word, words)
    _check_sysctls(find, spec, context.sysctls)
    _check_profiles(find, path, context)
    _check_windows(find, spec)


def _check_profiles(find: Findings, path: str, context: PodSecurityContext | SecurityContext) -> None:
    """Profiles: valid ones are refused all the same, but for Unconfined, which asks for nothing."""
    kind = type(context).__name__
    before = len(find)
    seccomp, app_armor = context.seccomp_profile, context.app_armor_profile
    if seccomp is not None:
        _check_seccomp(find, f"{path}.seccompProfile", seccomp)
    if app_armor is not None:
        _check_app_armor(find, f"{path}.appArmorProfile", app_armor)
    if len(find) > before:
        return
    if seccomp is not None and seccomp.type != "Unconfined":
        find.refused(f"{path}.seccompProfile", kind)
    if app_armor is not None and app_armor.type != "Unconfined":
        find.refused(f"{path}.appArmorProfile", kind)
    if context.se_linux_options is not None:
        find.refused(f"{path}.seLinuxOptions", kind)


def _check_ids(find: Findings, path: str, user: int | None, group: int | None) -> None:
    if user is not None:
        find.each_invalid(f"{path}.runAsUser", user, names.user_id(user))
    if group is not None:
        find.each_invalid(f"{path}.runAsGroup", group, names.user_id(group))


def _check_windows(find: Findings, spec: PodSpec) -> None:
    """Options of another operating system than the pod says it is made for."""
    if spec.os is None or spec.os.name != "linux":
        return
    detail = "windows options cannot be set for a linux pod"
    if spec.security_context.windows_options is not None:
        find.forbidden("spec.securityContext.windowsOptions", detail)
    for kind, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            context = container.security_context
            if context is not None and context.windows_options is not None:
                find.forbidden(f"spec.{kind}[{index}].securityContext.windowsOptions", detail)


def _check_sysctls(find: Findings, spec: PodSpec, sysctls: tuple[Sysctl, ...]) -> None:
    taken = set()
    before = len(find)
    for index, sysctl in enumerate(sysctls):
        at = f"spec.securityContext.sysctls[{index}].name"
        if not sysctl.name:
            find.required(at)
            continue
        find.each_invalid(at, sysctl.name, names.sysctl_name(sysctl.name))
        name = sysctl.name.replace("/", ".")
        if name in taken:
            find.duplicate(at, sysctl.name)
        taken.add(name)
        if spec.host_network and name.startswith("net."):
            find.invalid(at, sysctl.name, "may not be specified when 'hostNetwork' is true")
        if spec.host_ipc and name.startswith(("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")):
            find.invalid(at, sysctl.name, "may not be specified when 'hostIPC' is true")
    if sysctls and len(find) == before:
        find.refused("spec.securityContext.sysctls", "PodSecurityContext")


def _check_seccomp(find: Findings, path: str, profile: SeccompProfile) -> None:
    if not profile.type:
        find.required(f"{path}.type", "type is required when seccompProfile is set")
    elif profile.type not in _PROFILES:
        find.unsupported(f"{path}.type", profile.type, _PROFILES)
    at = f"{path}.localhostProfile"
    if profile.type != "Localhost":
        if profile.localhost_profile is not None:
            find.invalid(at, profile, "can only be set when seccomp type is Localhost")
    elif profile.localhost_profile is None:
        find.required(at, "must be set when seccomp type is Localhost")
    else:
        find.each_invalid(at, profile.localhost_profile, names.descending(profile.localhost_profile))


def _check_app_armor(find: Findings, path: str, profile: AppArmorProfile) -> None:
    if not profile.type:
        find.required(f"{path}.type", "type is required when appArmorProfile is set")
    elif profile.type not in _PROFILES:
        find.unsupported(f"{path}.type", profile.type, _PROFILES)
    at = f"{path}.localhostProfile"
    text = profile.localhost_profile
    if profile.type != "Localhost":
        if text is not None:
            find.invalid(at, text, "can only be set when AppArmor type is Localhost")
    elif not text:
        find.required(at, "must be set when AppArmor type is Localhost")
    elif text != text.strip():
        find.invalid(at, text, "must not be padded with whitespace")
    elif len(text) > 4095:
        find.too_long(at, 4095)

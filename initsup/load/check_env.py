"""What valid environment variables are, and what may be asked of the pod (core validation: ValidateEnv …)."""

from collections.abc import Iterable, Sequence

from initsup.spec.pod import EnvFromSource, EnvVar, FileKeySelector
from initsup.spec.units import format_quantity, nanos
from initsup.spec.volume import ObjectFieldSelector, ResourceFieldSelector, Volume

from . import names
from .findings import Findings

NOT_A_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
"""Fields of the pod that a variable may have; labels and annotations only one by one."""
VOLUME_FIELDS = ("metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations")
"""Fields of the pod that a file may have."""

_KNOWN_FIELDS = {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
_RESOURCES = tuple(
    f"{which}.{name}" for which in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SOURCES = {
    "fieldRef": "field_ref",
    "resourceFieldRef": "resource_field_ref",
    "configMapKeyRef": "config_map_key_ref",
    "secretKeyRef": "secret_key_ref",
    "fileKeyRef": "file_key_ref",
}
_ONE_OF = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
_TOO_MANY = "may not have more than one field specified at a time"


def check_env(find: Findings, path: str, variables: Sequence[EnvVar], volumes: dict[str, Volume]) -> None:
    """The variables of a container."""
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        if variable.name:
            find.each_invalid(f"{at}.name", variable.name, names.env_name(variable.name))
        else:
            find.required(f"{at}.name")
        if variable.value_from is not None:
            _check_source(find, f"{at}.valueFrom", variable, volumes)


def _check_source(find: Findings, path: str, variable: EnvVar, volumes: dict[str, Volume]) -> None:
    source = variable.value_from
    given = [field for field, attribute in _SOURCES.items() if getattr(source, attribute) is not None]
    if source is None:
        return
    if source.field_ref is not None:
        check_field(find, f"{path}.fieldRef", source.field_ref, ENV_FIELDS)
    if source.resource_field_ref is not None:
        check_resource_field(find, f"{path}.resourceFieldRef", source.resource_field_ref)
    for field, reference in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if reference is not None:
            find.each_invalid(f"{path}.{field}.name", reference.name, names.subdomain(reference.name))
            if reference.key:
                find.each_invalid(f"{path}.{field}.key", reference.key, names.config_key(reference.key))
            else:
                find.required(f"{path}.{field}.key")
    if source.file_key_ref is not None:
        _check_file_key(find, f"{path}.fileKeyRef", source.file_key_ref, volumes)
    if not given:
        find.invalid(path, "", _ONE_OF)
    elif variable.value:
        find.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        find.invalid(path, "", _TOO_MANY)


def _check_file_key(find: Findings, path: str, reference: FileKeySelector, volumes: dict[str, Volume]) -> None:
    """A variable out of a file that a container has written (KEP-3721)."""
    if not reference.key:
        find.required(f"{path}.key")
    else:
        find.each_invalid(f"{path}.key", reference.key, names.env_name(reference.key))
    volume = volumes.get(reference.volume_name)
    if not reference.volume_name:
        find.required(f"{path}.volumeName")
    elif volume is None:
        find.not_found(f"{path}.volumeName", reference.volume_name, "spec.volumes")
    elif volume.empty_dir is None:
        find.invalid(f"{path}.volumeName", reference.volume_name, "referenced volume must be of type emptyDir")
    if not reference.path:
        find.required(f"{path}.path")
    else:
        find.each_invalid(f"{path}.path", reference.path, names.unreserved(reference.path))


def check_env_from(find: Findings, path: str, sources: Sequence[EnvFromSource]) -> None:
    """Where many variables come from at once. Kubernetes gives the path of the list when their number is wrong."""
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if source.prefix:
            find.each_invalid(f"{at}.prefix", source.prefix, names.env_name(source.prefix))
        count = 0
        for field, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
            if reference is None:
                continue
            count += 1
            if reference.name:
                find.each_invalid(f"{at}.{field}.name", reference.name, names.subdomain(reference.name))
            else:
                find.required(f"{at}.{field}.name")
        if count == 0:
            find.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`", at)
        elif count > 1:
            find.invalid(path, "", _TOO_MANY, at)


def check_field(find: Findings, path: str, reference: ObjectFieldSelector, allowed: Iterable[str]) -> None:
    """A field of the pod that is asked for: `metadata.name`, `metadata.labels['app']`."""
    field = reference.field_path
    if not field:
        find.required(f"{path}.fieldPath")
        return
    if reference.api_version not in ("", "v1"):
        detail = f"error converting fieldPath: unsupported pod version: {reference.api_version}"
        find.invalid(f"{path}.fieldPath", field, detail)
        return
    name, bracket, key = field.partition("['")
    if bracket and key.endswith("']"):
        if name in ("metadata.labels", "metadata.annotations"):
            key = key.removesuffix("']")
            lowered = key.lower() if name == "metadata.annotations" else key
            find.each_invalid(path, key, names.qualified(lowered), f"{path}.fieldPath")
        elif name in _KNOWN_FIELDS:
            find.invalid(path, name, "does not support subscript", f"{path}.fieldPath")
        else:
            detail = f"error converting fieldPath: field label does not support subscript: {field}"
            find.invalid(f"{path}.fieldPath", field, detail)
    elif field not in _KNOWN_FIELDS:
        detail = f"error converting fieldPath: field label not supported: {field}"
        find.invalid(f"{path}.fieldPath", field, detail)
    elif field not in allowed:
        find.unsupported(f"{path}.fieldPath", field, allowed)


def check_resource_field(find: Findings, path: str, reference: ResourceFieldSelector, is_file: bool = False) -> None:
    """A limit or request that is asked for."""
    resource = reference.resource
    is_huge = resource.startswith(("limits.hugepages-", "requests.hugepages-"))
    if is_file and not reference.container_name:
        find.required(f"{path}.containerName")
    elif not resource:
        find.required(f"{path}.resource")
    elif resource not in _RESOURCES and not is_huge:
        find.unsupported(f"{path}.resource", resource, _RESOURCES)
    try:
        divisor = format_quantity(reference.divisor) if nanos(reference.divisor or "0") else ""
    except ValueError:
        find.invalid(f"{path}.divisor", reference.divisor, NOT_A_QUANTITY)
        return
    kind = resource.partition(".")[2]
    if kind == "cpu" and divisor not in ("", "1m", "1"):
        detail = "only divisor's values 1m and 1 are supported with the cpu resource"
        find.invalid(f"{path}.divisor", resource, detail)
    elif (kind in ("memory", "ephemeral-storage") or is_huge) and divisor not in ("", *_SIZES):
        words = "hugepages" if is_huge else "local ephemeral storage" if kind != "memory" else kind
        detail = f"only divisor's values {', '.join(_SIZES)} are supported with the {words} resource"
        find.invalid(f"{path}.divisor", resource, detail)

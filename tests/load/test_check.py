"""Validation: Kubernetes' rules, with its words and paths (pkg/apis/core/validation)."""

# ruff: noqa: E501 - Kubernetes' sentences are long

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Errors
from .given import FIRST, ONE_ACTION, c, mounting, pod, row

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
METADATA = [
    row("a name of digits is valid", pod(metadata={"name": "123"})),
    row("a name may have dots", pod(metadata={"name": "a.b"})),
    row("generateName gives a name", pod(metadata={"name": "", "generateName": "a-"})),
    row(
        "a name is needed",
        pod(metadata={"name": ""}),
        "metadata.name: Required value: name or generateName is required",
    ),
    row(
        "a namespace has no dots",
        pod(metadata={"namespace": "a.b"}),
        'metadata.namespace: Invalid value: "a.b": must not contain dots',
    ),
    row(
        "a label's value has no blanks",
        pod(metadata={"labels": {"a": "b c"}}),
        'metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
        "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ),
    row(
        "a label's prefix is a domain",
        pod(metadata={"labels": {"/a": "b"}}),
        'metadata.labels: Invalid value: "/a": prefix part must be non-empty',
    ),
    row(
        "a label's name is short",
        pod(metadata={"labels": {"a" * 64: "b"}}),
        f'metadata.labels: Invalid value: "{"a" * 64}": name part must be no more than 63 characters',
    ),
    row(
        "an annotation's key may have capitals in its prefix", pod(metadata={"annotations": {"Example.com/a": "x\ny"}})
    ),
    row(
        "annotations have a limit",
        pod(metadata={"annotations": {"a": "x" * 262144}}),
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ),
]

LIFE = [
    row("zero grace is valid", pod(terminationGracePeriodSeconds=0)),
    row("a negative grace is valid", pod(terminationGracePeriodSeconds=-1)),
    row(
        "restart policies are three, in Kubernetes' order",
        pod(restartPolicy="always"),
        'spec.restartPolicy: Unsupported value: "always": supported values: "Always", "OnFailure", "Never"',
    ),
    row(
        "a deadline is at least one second",
        pod(activeDeadlineSeconds=0),
        "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
    ),
    row(
        "ephemeral containers are not for manifests",
        pod(ephemeralContainers=[c("e")]),
        "spec.ephemeralContainers: Forbidden: cannot be set on create",
    ),
    row(
        "a readiness gate has a qualified name",
        pod(readinessGates=[{"conditionType": ""}]),
        'spec.readinessGates[0].conditionType: Invalid value: "": name part must be non-empty',
        'spec.readinessGates[0].conditionType: Invalid value: "": name part must consist of alphanumeric characters, '
        "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
        "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ),
    row("linux is an operating system", pod(os={"name": "linux"})),
    row(
        "another operating system is none",
        pod(os={"name": "beos"}),
        'spec.os: Unsupported value: "beos": supported values: "linux", "windows"',
    ),
    row(
        "windows is not this host",
        pod(os={"name": "windows"}),
        'spec.os.name: Invalid value: "windows": this host runs Linux',
    ),
]

NETWORK = [
    row("a host name is a label", pod(hostname="a.b"), 'spec.hostname: Invalid value: "a.b": must not contain dots'),
    row(
        "a host alias has an address",
        pod(hostAliases=[{"ip": "1.2.3", "hostnames": ["ok"]}]),
        'spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ),
    row("a host alias may be IPv6", pod(hostAliases=[{"ip": "::1", "hostnames": ["a.b"]}])),
    row(
        "dnsPolicy is one of four",
        pod(dnsPolicy="X"),
        'spec.dnsPolicy: Unsupported value: "X": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", '
        '"None"',
    ),
    row(
        "dnsPolicy None needs a resolver",
        pod(dnsPolicy="None"),
        "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
    ),
    row(
        "host ports equal container ports on the host's network",
        pod(c(ports=[{"containerPort": 80, "hostPort": 81}]), hostNetwork=True),
        f"{FIRST}.ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
    ),
]

PLACEMENT = [
    row(
        "an empty toleration key needs Exists",
        pod(tolerations=[{"operator": "Equal"}]),
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means '
        '"match all values and all keys"',
    ),
    row("a toleration of everything", pod(tolerations=[{"operator": "Exists"}])),
    row(
        "preemption policies are two",
        pod(preemptionPolicy="X"),
        'spec.preemptionPolicy: Unsupported value: "X": supported values: "Never", "PreemptLowerPriority"',
    ),
    row(
        "a scheduling gate is there once",
        pod(schedulingGates=[{"name": "a"}, {"name": "a"}]),
        'spec.schedulingGates[1]: Duplicate value: "a"',
    ),
]

CONTAINERS = [
    row("a name is a label", pod(c("a.b")), f'{FIRST}.name: Invalid value: "a.b": must not contain dots'),
    row("a name has no capitals", pod(c("Abc")), f'{FIRST}.name: Invalid value: "Abc": {LABEL}'),
    row("a name is short", pod(c("a" * 64)), f'{FIRST}.name: Invalid value: "{"a" * 64}": must be no more than 63 characters'),
    row("names are unique", pod(c(), c()), 'spec.containers[1].name: Duplicate value: "c"'),
    row(
        "names of init containers, too",
        pod(c(), initContainers=[c("i"), c("i"), c()]),
        'spec.initContainers[1].name: Duplicate value: "i"',
        'spec.initContainers[2].name: Duplicate value: "c"',
    ),
    row("an image or a command is needed", pod({"name": "c"}), f"{FIRST}.image: Required value"),
    row("an image without a command is mapped", pod({"name": "c", "image": "x"}),
        f'{FIRST}.image: Invalid value: "x": there is no command for this image'),
    row("an image has no outer blanks", pod(c(image=" x")),
        f'{FIRST}.image: Invalid value: " x": must not have leading or trailing whitespace'),
    row("message policies are two", pod(c(terminationMessagePolicy="X")),
        f'{FIRST}.terminationMessagePolicy: Unsupported value: "X": supported values: "FallbackToLogsOnError", "File"'),
    row("pull policies are three", pod(c(imagePullPolicy="X")),
        f'{FIRST}.imagePullPolicy: Unsupported value: "X": supported values: "Always", "IfNotPresent", "Never"'),
    row("only sidecars have probes and hooks among init containers",
        pod(c(), initContainers=[c("i", lifecycle={}, livenessProbe=ONE_ACTION, readinessProbe=ONE_ACTION,
                                   startupProbe=ONE_ACTION)]),
        *[f"spec.initContainers[0].{field}: Forbidden: may not be set for init containers without restartPolicy=Always"
          for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")]),
    row("a sidecar has them", pod(c(), initContainers=[c("i", restartPolicy="Always", livenessProbe=ONE_ACTION)])),
    row("a sidecar's are checked", pod(c(), initContainers=[c("i", restartPolicy="Always", livenessProbe={})]),
        "spec.initContainers[0].livenessProbe: Required value: must specify a handler type"),
]  # fmt: skip

RULES = [
    row("rules with a policy", pod(c(restartPolicy="Never", restartPolicyRules=[
        {"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]))),
    row("container policies are three", pod(c(restartPolicy="X")),
        f'{FIRST}.restartPolicy: Unsupported value: "X": supported values: "Always", "Never", "OnFailure"'),
    row("rules need a policy", pod(c(restartPolicyRules=[{"action": "Restart", "exitCodes": {"operator": "In"}}])),
        f"{FIRST}.restartPolicy: Required value: must specify restartPolicy when restart rules are used"),
    row("actions and operators", pod(c(restartPolicy="Never", restartPolicyRules=[
        {"action": "X", "exitCodes": {"operator": "Y"}}, {"action": "Restart"}])),
        f'{FIRST}.restartPolicyRules[0].action: Unsupported value: "X": supported values: "Restart", "RestartAllContainers"',
        f'{FIRST}.restartPolicyRules[0].exitCodes.operator: Unsupported value: "Y": supported values: "In", "NotIn"',
        f"{FIRST}.restartPolicyRules[1].exitCodes: Required value: must be specified"),
    row("20 rules of 255 codes", pod(c(restartPolicy="Never", restartPolicyRules=[
        {"action": "Restart", "exitCodes": {"operator": "In", "values": list(range(256))}}] * 21)),
        f"{FIRST}.restartPolicyRules: Too many: 21: must have at most 20 items",
        *[f"{FIRST}.restartPolicyRules[{i}].exitCodes.values: Too many: 256: must have at most 255 items" for i in range(21)]),
]  # fmt: skip

PROBES = [
    row("one action is needed", pod(c(livenessProbe={"periodSeconds": 1})),
        f"{FIRST}.livenessProbe: Required value: must specify a handler type"),
    row("the later of two actions is wrong", pod(c(livenessProbe={**ONE_ACTION, "grpc": {"port": 1}, "tcpSocket": {"port": 1}})),
        f"{FIRST}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        f"{FIRST}.livenessProbe.grpc: Forbidden: may not specify more than 1 handler type"),
    row("a command is not empty", pod(c(livenessProbe={"exec": {}})), f"{FIRST}.livenessProbe.exec.command: Required value"),
    row("numbers are not negative", pod(c(readinessProbe={**ONE_ACTION, "initialDelaySeconds": -1, "timeoutSeconds": -2,
        "periodSeconds": -3, "successThreshold": -4, "failureThreshold": -5})),
        *[f"{FIRST}.readinessProbe.{field}: Invalid value: -{number}: must be greater than or equal to 0" for number, field in
          enumerate(("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"), 1)]),
    row("zero means the default", pod(c(livenessProbe={**ONE_ACTION, "periodSeconds": 0, "successThreshold": 0}))),
    row("liveness and startup succeed at once",
        pod(c(livenessProbe={**ONE_ACTION, "successThreshold": 2}, startupProbe={**ONE_ACTION, "successThreshold": 2})),
        f"{FIRST}.livenessProbe.successThreshold: Invalid value: 2: must be 1",
        f"{FIRST}.startupProbe.successThreshold: Invalid value: 2: must be 1"),
    row("readiness may need several successes", pod(c(readinessProbe={**ONE_ACTION, "successThreshold": 2}))),
    row("a probe's grace is positive", pod(c(livenessProbe={**ONE_ACTION, "terminationGracePeriodSeconds": 0})),
        f"{FIRST}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"),
    row("readiness kills nothing", pod(c(readinessProbe={**ONE_ACTION, "terminationGracePeriodSeconds": 5})),
        f"{FIRST}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"),
    row("schemes are two", pod(c(livenessProbe={"httpGet": {"port": 80, "scheme": "FTP"}})),
        f'{FIRST}.livenessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"'),
    row("a port is needed", pod(c(livenessProbe={"httpGet": {"path": "/"}})),
        f"{FIRST}.livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"),
    row("a port's name has a letter", pod(c(livenessProbe={"tcpSocket": {"port": "80"}})),
        f'{FIRST}.livenessProbe.tcpSocket.port: Invalid value: "80": must contain at least one letter (a-z)'),
    row("a header's name has no blanks",
        pod(c(livenessProbe={"httpGet": {"port": 1, "httpHeaders": [{"name": "X Y", "value": ""}]}})),
        f"{FIRST}.livenessProbe.httpGet.httpHeaders: Invalid value: \"X Y\": a valid HTTP header must consist of "
        "alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"),
]  # fmt: skip

HOOKS = [
    row("a hook has an action", pod(c(lifecycle={"preStop": {}})),
        f"{FIRST}.lifecycle.preStop: Required value: must specify a handler type"),
    row("a sleep fits into the grace", pod(c(lifecycle={"preStop": {"sleep": {"seconds": 31}}})),
        f"{FIRST}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
        "terminationGracePeriodSeconds (30)"),
    row("a sleep as long as the grace", pod(c(lifecycle={"preStop": {"sleep": {"seconds": 30}}}))),
    row("a stop signal needs an operating system", pod(c(lifecycle={"stopSignal": "SIGINT"})),
        f"{FIRST}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`"),
    row("a stop signal", pod(c(lifecycle={"stopSignal": "SIGRTMIN+3"}), os={"name": "linux"})),
]  # fmt: skip

PORTS = [
    row("a port is needed", pod(c(ports=[{"name": "a"}])), f"{FIRST}.ports[0].containerPort: Required value"),
    row("a port is a port", pod(c(ports=[{"containerPort": 65536}])),
        f"{FIRST}.ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive"),
    row("names are unique in a container", pod(c(ports=[{"name": "a", "containerPort": n} for n in (1, 2)])),
        f'{FIRST}.ports[1].name: Duplicate value: "a"'),
    row("host ports are unique in the pod",
        pod(c(ports=[{"containerPort": 1, "hostPort": 80}]), c("d", ports=[{"containerPort": 2, "hostPort": 80}])),
        'spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"'),
    row("protocols are three", pod(c(ports=[{"containerPort": 1, "protocol": "X"}])),
        f'{FIRST}.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'),
]  # fmt: skip

ENV = [
    row("a name is printable ASCII", pod(c(env=[{"name": "a b"}, {"name": "1"}, {"name": "x=y"}])),
        f'{FIRST}.env[2].name: Invalid value: "x=y": a valid environment variable name must consist only of printable '
        "ASCII characters other than '='"),
    row("a name is needed", pod(c(env=[{"value": "x"}])), f"{FIRST}.env[0].name: Required value"),
    row("a name may be there twice", pod(c(env=[{"name": "A"}, {"name": "A"}]))),
    row("value or valueFrom",
        pod(c(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
        f'{FIRST}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'),
    row("valueFrom has a source", pod(c(env=[{"name": "A", "valueFrom": {}}])),
        f'{FIRST}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
        "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"),
    row("a field that may only be in volumes", pod(c(env=[{"name": "A", "valueFrom": {
        "fieldRef": {"fieldPath": "metadata.labels"}}}])),
        f'{FIRST}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: '
        '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
        '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'),
    row("a field that does not exist", pod(c(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}])),
        f'{FIRST}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "x": error converting fieldPath: field label not '
        "supported: x"),
    row("one label", pod(c(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}])),
        ),
    row("a resource", pod(c(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.disk"}}}])),
        f'{FIRST}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.disk": supported values: '
        '"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", '
        '"requests.memory"'),
    row("a divisor of CPU", pod(c(env=[{"name": "A", "valueFrom": {
        "resourceFieldRef": {"resource": "limits.cpu", "divisor": "1k"}}}])),
        f'{FIRST}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and '
        "1 are supported with the cpu resource"),
    row("a divisor that is a number", pod(c(env=[{"name": "A", "valueFrom": {
        "resourceFieldRef": {"resource": "limits.memory", "divisor": 1}}}]))),
    row("a key of a Secret", pod(c(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a/b"}}}])),
        f'{FIRST}.env[0].valueFrom.secretKeyRef.key: Invalid value: "a/b": a valid config key must consist of alphanumeric '
        "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
        "'[-._a-zA-Z0-9]+')"),
    row("a file in an unknown volume", pod(c(env=[{"name": "A", "valueFrom": {
        "fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}])),
        f'{FIRST}.env[0].valueFrom.fileKeyRef.volumeName: Not found: "v"'),
    row("a file in another volume than emptyDir", pod(c(env=[{"name": "A", "valueFrom": {
        "fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}}]), volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
        f'{FIRST}.env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "v": referenced volume must be of type emptyDir'),
    row("envFrom has a source", pod(c(envFrom=[{"prefix": "A_"}])),
        f'{FIRST}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'),
    row("envFrom has one source", pod(c(envFrom=[{"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}])),
        f'{FIRST}.envFrom: Invalid value: "": may not have more than one field specified at a time'),
]  # fmt: skip

MOUNTS = [
    row("the volume is there", pod(c(volumeMounts=[{"name": "v", "mountPath": "/v"}])),
        f'{FIRST}.volumeMounts[0].name: Not found: "v"'),
    row("a volume that is not valid is not there", mounting({"hostPath": {}}),
        f'{FIRST}.volumeMounts[0].name: Not found: "v"', "spec.volumes[0].hostPath.path: Required value"),
    row("a path is needed", mounting({}, mountPath=""), f"{FIRST}.volumeMounts[0].mountPath: Required value"),
    row("paths are unique", pod(c(volumeMounts=[{"name": "v", "mountPath": "/v"}] * 2), volumes=[{"name": "v"}]),
        f'{FIRST}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique'),
    row("a sub path is relative", mounting({}, subPath="/x"),
        f'{FIRST}.volumeMounts.subPath: Invalid value: "/x": must be a relative path'),
    row("a sub path does not go up", mounting({}, subPath="a/../b"),
        f"{FIRST}.volumeMounts.subPath: Invalid value: \"a/../b\": must not contain '..'"),
    row("one kind of sub path", mounting({}, subPath="a", subPathExpr="$(B)"),
        f'{FIRST}.volumeMounts[0].subPathExpr: Invalid value: "$(B)": subPathExpr and subPath are mutually exclusive'),
    row("two-way propagation is for the privileged", mounting({}, mountPropagation="Bidirectional"),
        f"{FIRST}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged "
        "containers"),
    row("recursively read-only is read-only", mounting({}, recursiveReadOnly="Enabled"),
        f"{FIRST}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true"),
    row("a device is a claim", pod(c(volumeDevices=[{"name": "v", "devicePath": "/d"}]), volumes=[{"name": "v"}]),
        f'{FIRST}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or '
        "Ephemeral for block mode"),
]  # fmt: skip

VOLUMES = [
    row("no source means emptyDir", mounting({})),
    row("one source", mounting({"emptyDir": {}, "hostPath": {"path": "/x"}}),
        f'{FIRST}.volumeMounts[0].name: Not found: "v"',
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"),
    row("names are unique", pod(volumes=[{"name": "v"}, {"name": "v"}]), 'spec.volumes[1].name: Duplicate value: "v"'),
    row("a size is a quantity", pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "x"}}]),
        'spec.volumes[0].emptyDir.sizeLimit: Invalid value: "x": quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    row("a size is not negative", pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "-1"}}]),
        "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"),
    row("a host path does not go up", pod(volumes=[{"name": "v", "hostPath": {"path": "/a/../b"}}]),
        "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
    row("a type of host path", pod(volumes=[{"name": "v", "hostPath": {"path": "/a", "type": "Dir"}}]),
        'spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", '
        '"Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'),
    row("a mode", pod(volumes=[{"name": "v", "configMap": {"name": "c", "defaultMode": 512}}]),
        "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both "
        "inclusive"),
    row("items stay below", pod(volumes=[{"name": "v", "secret": {"secretName": "s", "items": [
        {"key": "k", "path": "..x"}, {"key": "", "path": ""}]}}]),
        "spec.volumes[0].secret.items[0].path: Invalid value: \"..x\": must not start with '..'",
        "spec.volumes[0].secret.items[1].key: Required value", "spec.volumes[0].secret.items[1].path: Required value"),
    row("a projected source has one kind", pod(volumes=[{"name": "v", "projected": {"sources": [
        {"secret": {"name": "s"}, "configMap": {"name": "c"}}]}}]),
        "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"),
    row("projected paths are unique", pod(volumes=[{"name": "v", "projected": {"sources": [
        {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}] * 2}}]),
        'spec.volumes[0].projected: Invalid value: "p": conflicting duplicate paths'),
    row("a file has a field or a resource", pod(volumes=[{"name": "v", "downwardAPI": {"items": [{"path": "p"}]}}]),
        "spec.volumes[0].downwardAPI.items[0]: Required value: one of fieldRef and resourceFieldRef is required"),
    row("a file's resource names its container", pod(volumes=[{"name": "v", "downwardAPI": {"items": [
        {"path": "p", "resourceFieldRef": {"resource": "limits.cpu"}}]}}]),
        "spec.volumes[0].downwardAPI.items[0].resourceFieldRef.containerName: Required value"),
    row("a claim has a name", pod(volumes=[{"name": "v", "persistentVolumeClaim": {}}]),
        "spec.volumes[0].persistentVolumeClaim.claimName: Required value"),
]  # fmt: skip


def resources(limits: Any = None, requests: Any = None) -> dict[str, Any]:
    """A pod whose container has limits and requests."""
    return pod(c(resources={"limits": limits or {}, "requests": requests or {}}))


RESOURCES = [
    row("numbers are quantities", resources({"cpu": 1, "memory": 1000000}, {"cpu": 0.5})),
    row("a request above the limit", resources({"cpu": "1"}, {"cpu": "1500m"}),
        f'{FIRST}.resources.requests: Invalid value: "1500m": must be less than or equal to cpu limit of 1'),
    row("a request as large as the limit in other words", resources({"memory": "1Gi"}, {"memory": "1024Mi"})),
    row("nothing negative", resources({"memory": "-1Mi"}),
        f'{FIRST}.resources.limits[memory]: Invalid value: "-1Mi": must be greater than or equal to 0',
        f'{FIRST}.resources.requests[memory]: Invalid value: "-1Mi": must be greater than or equal to 0'),
    row("other resources have a domain", resources({"gpu": "1"}),
        f'{FIRST}.resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
        f'{FIRST}.resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers'),
    row("devices are whole", resources({"example.com/gpu": "0.5"}),
        f'{FIRST}.resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
        f'{FIRST}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer'),
    row("devices have a limit", resources({}, {"example.com/gpu": "1"}),
        f"{FIRST}.resources.limits: Required value: Limit must be set for non overcommitable resources"),
    row("huge pages are not alone", resources({"hugepages-2Mi": "4Mi"}),
        f"{FIRST}.resources: Forbidden: HugePages require cpu or memory"),
    row("the pod's requests hold the containers'",
        pod(c(resources={"requests": {"cpu": "2"}}), c("d", resources={"requests": {"cpu": "1"}}),
            resources={"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}),
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests '
        "of 3"),
    row("resize policies", pod(c(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]),
                               restartPolicy="Never"),
        f"{FIRST}.resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'"),
]  # fmt: skip

SECURITY = [
    row("a user is not negative", pod(c(securityContext={"runAsUser": -1})),
        f"{FIRST}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
    row("groups of the pod", pod(securityContext={"fsGroup": -1, "supplementalGroups": [0, 2147483648]}),
        "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        "spec.securityContext.supplementalGroups[1]: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive"),
    row("privileged can escalate", pod(c(securityContext={"privileged": True, "allowPrivilegeEscalation": False})),
        f'{FIRST}.securityContext: Invalid value: {{"privileged":true,"allowPrivilegeEscalation":false}}: cannot set '
        "`allowPrivilegeEscalation` to false and `privileged` to true"),
    row("SYS_ADMIN can escalate",
        pod(c(securityContext={"allowPrivilegeEscalation": False, "capabilities": {"add": ["CAP_SYS_ADMIN"]}})),
        f'{FIRST}.securityContext: Invalid value: {{"capabilities":{{"add":["CAP_SYS_ADMIN"]}},'
        '"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` '
        "CAP_SYS_ADMIN"),
    row("/proc is masked", pod(c(securityContext={"procMount": "Unmasked"})),
        f'{FIRST}.securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`'),
    row("a local profile has a name", pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"),
    row("one way to share processes", pod(shareProcessNamespace=True, hostPID=True),
        "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be "
        "enabled"),
    row("kernel parameters are there once", pod(securityContext={"sysctls": [
        {"name": "net.ipv4.x", "value": "1"}, {"name": "net/ipv4/x", "value": "1"}]}),
        'spec.securityContext.sysctls[1].name: Duplicate value: "net/ipv4/x"'),
    row("words", pod(securityContext={"fsGroupChangePolicy": "X", "supplementalGroupsPolicy": "Y"}),
        'spec.securityContext.fsGroupChangePolicy: Unsupported value: "X": supported values: "Always", "OnRootMismatch"',
        'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "Y": supported values: "Merge", "Strict"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *METADATA, *LIFE, *NETWORK, *PLACEMENT, *CONTAINERS, *RULES, *PROBES, *HOOKS, *PORTS, *ENV, *MOUNTS, *VOLUMES,
        *RESOURCES, *SECURITY,
    ],
)  # fmt: skip
def test_pod(errors: Errors, given: dict[str, Any], said: list[str]) -> None:
    assert sorted(errors(given)) == sorted(said)


def config_map(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, **fields}


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **fields}


def settings(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "initsup.dev/v1alpha1", "kind": "SupervisorConfiguration", **fields}


@pytest.mark.parametrize(
    ("given", "start"),
    [
        pytest.param(config_map(data={"": "x"}), 'data[]: Invalid value: "": a valid config key', id="an empty key"),
        pytest.param(config_map(data={"..a": "x"}), "data[..a]: Invalid value", id="a key with two dots"),
        pytest.param(
            config_map(data={"a": "x"}, binaryData={"a": "eA=="}),
            'data[a]: Invalid value: "a": duplicate of key present in binaryData',
            id="a key twice",
        ),
        pytest.param(config_map(data={"a": "x" * 2**20, "b": "y"}), "data: Too long", id="more than 1 MiB"),
        pytest.param(config_map(metadata={"name": "A"}), "metadata.name: Invalid value", id="a bad name"),
        pytest.param(secret(data={"": "eA=="}), 'data[]: Invalid value: ""', id="a Secret's empty key"),
        pytest.param(
            secret(type="kubernetes.io/tls"), "data[tls.crt]: Required value", id="a TLS Secret has a certificate"
        ),
        pytest.param(
            settings(crashLoopBackOff={"initialPeriod": "-1s"}),
            "crashLoopBackOff.initialPeriod: Invalid",
            id="a negative wait",
        ),
        pytest.param(
            settings(crashLoopBackOff={"maxPeriod": "1s"}),
            "crashLoopBackOff.maxPeriod: Invalid value: 1.0: must not be less than initialPeriod",
            id="a maximum below the minimum",
        ),
        pytest.param(settings(containerLogMaxFiles=1), "containerLogMaxFiles: Invalid value: 1", id="one log file"),
        pytest.param(settings(podPidsLimit=0), "podPidsLimit: Invalid value: 0: must be greater than 0", id="no pids"),
        pytest.param(settings(console={"format": "x"}), "console.format: Unsupported value", id="a console format"),
        pytest.param(settings(volumes={"mode": "x"}), "volumes.mode: Unsupported value", id="a volume mode"),
        pytest.param(
            settings(listen="6443"), 'listen: Invalid value: "6443": must be an address and a port', id="no address"
        ),
        pytest.param(settings(listen="[]:1"), 'listen: Invalid value: "[]:1": must be an address', id="an empty one"),
        pytest.param(settings(listen=f":{'9' * 5000}"), 'listen: Invalid value: ":99', id="a port of 5000 digits"),
        pytest.param(settings(images={"a": {"rootfs": "x"}}), "images[a].rootfs: Invalid value", id="a relative root"),
    ],
)
def test_other_objects(errors: Errors, given: dict[str, Any], start: str) -> None:
    said = errors(pod(), given)
    assert said
    assert said[0].startswith(start)


def test_an_image_that_is_mapped(errors: Errors) -> None:
    images = {"nginx": {"command": ["/usr/sbin/nginx"]}}
    assert errors(pod({"name": "c", "image": "nginx:1.27"}), settings(images=images)) == []
    assert errors(pod({"name": "c", "image": "other"}), settings(images=images)) != []

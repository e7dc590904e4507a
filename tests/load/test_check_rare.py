"""Validation: the rules that authors meet rarely."""

# ruff: noqa: E501 - Kubernetes' sentences are long

from __future__ import annotations

from typing import Any

import pytest

from initsup.spec.units import SIGNALS

from .conftest import Errors
from .given import FIRST, ONE_ACTION, c, mounting, pod, row

NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
QUALIFIED = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{NAME}')"
)
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    f"with an alphanumeric character (e.g. 'example.com', regex used for validation is '{LABEL}(\\.{LABEL})*')"
)
SECURITY = f"{FIRST}.securityContext"
OWN_USERS = "spec.hostUsers: cannot be given here: containers have the users of the place that initsup runs in"
VOLUME = "spec.volumes[0]"


SIGNAL_WORDS = sorted(f'"{name}"' for name in SIGNALS)
LONG = ".".join(["a" * 60] * 4)


NEEDED, LIKED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
TERM = f"spec.affinity.nodeAffinity.{NEEDED}.nodeSelectorTerms[0]"
AWAY = f"spec.affinity.podAntiAffinity.{LIKED}[0]"
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '({NAME})?')"
)
RFC_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    f"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)


def nodes(*requirements: dict[str, Any]) -> dict[str, Any]:
    """Affinity to nodes whose labels are so."""
    return {"nodeAffinity": {NEEDED: {"nodeSelectorTerms": [{"matchExpressions": list(requirements)}]}}}


def listed(word: str, times: int) -> str:
    """A list as it is shown."""
    return "[" + ",".join([f'"{word}"'] * times) + "]"


def volume(**source: Any) -> dict[str, Any]:
    """A pod with one volume."""
    return pod(volumes=[{"name": "v", **source}])


def env(**source: Any) -> dict[str, Any]:
    """A pod with one variable that comes from somewhere."""
    return pod(c(env=[{"name": "A", "valueFrom": source}]))


ROWS = [
    # metadata
    row("a pod's name is a subdomain", pod(metadata={"name": "a_b"}), f'metadata.name: Invalid value: "a_b": {SUBDOMAIN}'),
    row("a pod's name is at most 253 characters long", pod(metadata={"name": "a." * 130 + "a"}),
        f'metadata.name: Invalid value: "{"a." * 130}a": must be no more than 253 characters'),
    row("a generated name is checked", pod(metadata={"generateName": "A"}),
        f'metadata.generateName: Invalid value: "A": {SUBDOMAIN}'),
    row("a label has one slash", pod(metadata={"labels": {"a/b/c": ""}}),
        f'metadata.labels: Invalid value: "a/b/c": a qualified name {QUALIFIED} with an optional DNS subdomain prefix and '
        "'/' (e.g. 'example.com/MyName')"),
    row("a label's prefix is a subdomain", pod(metadata={"labels": {"A/b": ""}}),
        f'metadata.labels: Invalid value: "A/b": prefix part {SUBDOMAIN}'),
    row("a label's value is short", pod(metadata={"labels": {"a": "x" * 64}}),
        f'metadata.labels: Invalid value: "{"x" * 64}": must be no more than 63 characters'),
    row("an owner is complete", pod(metadata={"ownerReferences": [{"apiVersion": "v1", "kind": "X"}]}),
        'metadata.ownerReferences[0].name: Invalid value: "": must not be empty',
        'metadata.ownerReferences[0].uid: Invalid value: "": must not be empty'),
    # life and network
    row("an operating system has a name", pod(os={}), "spec.os.name: Required value: cannot be empty"),
    row("a host name that wins", pod(hostnameOverride="A." + "a" * 63, setHostnameAsFQDN=True),
        "spec.hostnameOverride: Too long: may not be more than 64 bytes",
        f'spec.hostnameOverride: Invalid value: "A.{"a" * 63}": {SUBDOMAIN}',
        "spec.setHostnameAsFQDN: Forbidden: cannot be true when `hostnameOverride` is set"),
    row("a host alias has names", pod(hostAliases=[{"ip": "1.2.3.4", "hostnames": ["A"]}]),
        f'spec.hostAliases[0].hostnames[0]: Invalid value: "A": {SUBDOMAIN}'),
    row("dnsPolicy None needs a server", pod(dnsPolicy="None", dnsConfig={"searches": ["."]}),
        "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"),
    row("three name servers", pod(dnsConfig={"nameservers": ["1.1.1.1"] * 4}),
        'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more than 3 '
        "nameservers"),
    row("a name server has an address", pod(dnsConfig={"nameservers": ["x"], "options": [{"value": "1"}]}),
        'spec.dnsConfig.nameservers[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        "spec.dnsConfig.options[0]: Required value: must not be empty"),
    row("search domains may have underscores and an end", pod(dnsConfig={"searches": ["_tcp.a_b.", "."]})),
    row("a search domain", pod(dnsConfig={"searches": ["A"]}),
        f'spec.dnsConfig.searches[0]: Invalid value: "A": {SUBDOMAIN}'),
    row("32 search domains", pod(dnsConfig={"searches": ["a"] * 33}),
        f"spec.dnsConfig.searches: Invalid value: {listed('a', 33)}: must not have more than 32 search paths"),
    row("2048 characters of search domains", pod(dnsConfig={"searches": [LONG] * 9}),
        f"spec.dnsConfig.searches: Invalid value: {listed(LONG, 9)}: must not have "
        "more than 2048 characters (including spaces) in the search list"),
    # placement
    row("names of other objects", pod(nodeName="A", serviceAccountName="B", priorityClassName="C", runtimeClassName="D"),
        f'spec.serviceAccountName: Invalid value: "B": {SUBDOMAIN}', f'spec.nodeName: Invalid value: "A": {SUBDOMAIN}',
        f'spec.priorityClassName: Invalid value: "C": {SUBDOMAIN}', f'spec.runtimeClassName: Invalid value: "D": {SUBDOMAIN}'),
    row("a scheduling gate holds back the node", pod(nodeName="n", schedulingGates=[{"name": "a"}]),
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"),
    row("what a node selector is", pod(nodeSelector={"a": "b c"}),
        'spec.nodeSelector: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '
        "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
        f"regex used for validation is '({NAME})?')"),
    row("spreading", pod(topologySpreadConstraints=[{"maxSkew": 0, "whenUnsatisfiable": "X"}]),
        "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
        'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "X": supported values: "DoNotSchedule", '
        '"ScheduleAnyway"'),
    row("spreading the same twice", pod(topologySpreadConstraints=[SPREAD, {**SPREAD, "maxSkew": 2}]),
        "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{zone, DoNotSchedule}\""),
    row("spreading the same twice, of which one says nothing and the other null",
        pod(topologySpreadConstraints=[{**SPREAD, "topologyKey": None}, {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]),
        "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
        'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{, DoNotSchedule}"',
        "spec.topologySpreadConstraints[1].topologyKey: Required value: can not be empty"),
    row("domains and policies of spreading",
        pod(topologySpreadConstraints=[{**SPREAD, "minDomains": 0, "nodeTaintsPolicy": "X", "nodeAffinityPolicy": "Honor"},
                                       {**SPREAD, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 1, "matchLabelKeys": ["a"]}]),
        "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero",
        'spec.topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value: "X": supported values: "Honor", "Ignore"',
        "spec.topologySpreadConstraints[1].minDomains: Invalid value: 1: can only use minDomains if "
        "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        "spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"),
    row("spreading of selected pods",
        pod(topologySpreadConstraints=[{**SPREAD, "labelSelector": {"matchLabels": {"a": "b"}}, "matchLabelKeys": ["c"]}])),
    row("affinity to nodes", pod(affinity=nodes({"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "Exists"},
                                                {"key": "d", "operator": "Gt", "values": ["1"]}))),
    row("null is no affinity", pod(affinity={"nodeAffinity": None, "podAffinity": {LIKED: None}})),
    row("requirements of nodes",
        pod(affinity=nodes({"key": "a", "operator": "In"}, {"key": "a", "operator": "Exists", "values": ["b"]},
                           {"key": "a", "operator": "Lt", "values": ["1", "2"]}, {"key": "a", "operator": "Near"},
                           {"key": "a b", "operator": "NotIn", "values": ["c d"]})),
        f"{TERM}.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        f"{TERM}.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        f"{TERM}.matchExpressions[2].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
        f'{TERM}.matchExpressions[3].operator: Invalid value: "Near": not a valid selector operator',
        f'{TERM}.matchExpressions[4].key: Invalid value: "a b": name part {QUALIFIED}',
        f'{TERM}.matchExpressions[4].values[0]: Invalid value: "c d": {LABEL_VALUE}'),
    row("fields of nodes",
        pod(affinity={"nodeAffinity": {NEEDED: {"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": ["a", "B"]}, {"key": "spec.x", "operator": "Exists"}]}]}}}),
        f"{TERM}.matchFields[0].values: Required value: must be only one value when `operator` is 'In' or 'NotIn' for node "
        "field selector",
        f'{TERM}.matchFields[0].values[1]: Invalid value: "B": {SUBDOMAIN}',
        f'{TERM}.matchFields[1].operator: Invalid value: "Exists": not a valid selector operator',
        f'{TERM}.matchFields[1].key: Invalid value: "spec.x": not a valid field selector key'),
    row("no node is meant", pod(affinity={"nodeAffinity": {NEEDED: {}, LIKED: [{"weight": 101, "preference": {}}]}}),
        f"spec.affinity.nodeAffinity.{NEEDED}.nodeSelectorTerms: Required value: must have at least one node selector term",
        f"spec.affinity.nodeAffinity.{LIKED}[0].weight: Invalid value: 101: must be in the range 1-100"),
    row("affinity to pods",
        pod(affinity={"podAffinity": {NEEDED: [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}]}})),
    row("terms of pods",
        pod(affinity={"podAffinity": {NEEDED: [{"topologyKey": "", "namespaces": ["A"]}]}, "podAntiAffinity": {LIKED: [
            {"weight": 0, "podAffinityTerm": {"topologyKey": "zone", "namespaceSelector": {"matchLabels": {"a": "b c"}},
                                              "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}}}]}}),
        f'spec.affinity.podAffinity.{NEEDED}[0].namespace: Invalid value: "A": {RFC_LABEL}',
        f"spec.affinity.podAffinity.{NEEDED}[0].topologyKey: Required value: can not be empty",
        f'spec.affinity.podAffinity.{NEEDED}[0].topologyKey: Invalid value: "": name part must be non-empty',
        f'spec.affinity.podAffinity.{NEEDED}[0].topologyKey: Invalid value: "": name part {QUALIFIED}',
        f"{AWAY}.weight: Invalid value: 0: must be in the range 1-100",
        f'{AWAY}.podAffinityTerm.labelSelector.matchExpressions[0].operator: Invalid value: "Gt": not a valid selector operator',
        f'{AWAY}.podAffinityTerm.namespaceSelector.matchLabels: Invalid value: "b c": {LABEL_VALUE}'),
    row("a type of affinity", pod(affinity={"nodeAffinity": {LIKED: [{"weight": "5"}]}}),
        f"spec.affinity.nodeAffinity.{LIKED}[0].weight: Expected `int`, got `str`"),
    row("a field of affinity", pod(affinity={"podAffinity": {"required": []}}),
        "spec.affinity.podAffinity.required: unknown field"),
    row("tolerations",
        pod(tolerations=[{"key": "a b", "operator": "X"}, {"key": "a", "operator": "Exists", "value": "v"},
                         {"key": "a", "tolerationSeconds": 1, "effect": "NoSchedule"}, {"key": "a", "effect": "X"}]),
        f'spec.tolerations[0].key: Invalid value: "a b": name part {QUALIFIED}',
        'spec.tolerations[0].operator: Unsupported value: "X": supported values: "Equal", "Exists", "Gt", "Lt"',
        "spec.tolerations[1].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'",
        "spec.tolerations[2].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set",
        'spec.tolerations[3].effect: Unsupported value: "X": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"'),
    # containers
    row("a port's name", pod(c(ports=[{"name": "-A--" + "a" * 15, "containerPort": 1}])),
        *[f'{FIRST}.ports[0].name: Invalid value: "-A--{"a" * 15}": {rule}' for rule in (
            "must be no more than 15 characters", "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            "must not contain consecutive hyphens", "must not begin or end with a hyphen")]),
    row("a host's port and address", pod(c(ports=[{"containerPort": 1, "hostPort": -1, "hostIP": "x"}])),
        f"{FIRST}.ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive",
        f'{FIRST}.ports[0].hostIP: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    row("a signal", pod(c(lifecycle={"postStart": ONE_ACTION, "stopSignal": "SIGX"}), os={"name": "linux"}),
        f'{FIRST}.lifecycle.stopSignal: Unsupported value: "SIGX": supported values: {", ".join(SIGNAL_WORDS)}'),
    row("a mount without a name", pod(c(volumeMounts=[{"mountPath": "/x"}])), f"{FIRST}.volumeMounts[0].name: Required value"),
    row("a sub path in an image that nothing maps",
        pod(c(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "../a"}, {"name": "v", "mountPath": "/w", "subPathExpr": "b"}]),
            volumes=[{"name": "v", "image": {"reference": "x:1"}}]),
        f"{FIRST}.volumeMounts.subPath: Invalid value: \"../a\": must not contain '..'",
        f'{VOLUME}.image.reference: Invalid value: "x:1": there are no files for this image'),
    row("a kind of propagation", mounting({}, mountPropagation="X"),
        f'{FIRST}.volumeMounts.mountPropagation: Unsupported value: "X": supported values: "Bidirectional", "HostToContainer", '
        '"None"'),
    row("two-way propagation of the privileged",
        pod(c(volumeMounts=[{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}],
              securityContext={"privileged": True}), volumes=[{"name": "v"}])),
    row("a kind of recursively read-only", mounting({}, recursiveReadOnly="X"),
        f'{FIRST}.volumeMounts.recursiveReadOnly: Unsupported value: "X": supported values: "Disabled", "Enabled", "IfPossible"'),
    row("recursively read-only is private", mounting({}, recursiveReadOnly="Enabled", readOnly=True, mountPropagation="HostToContainer"),
        f"{FIRST}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified"),
    row("recursively read-only", mounting({}, recursiveReadOnly="IfPossible", readOnly=True, mountPropagation="None")),
    row("devices and mounts", pod(
        c(volumeDevices=[{"name": "v", "devicePath": "/v"}, {"name": "v", "devicePath": "/v"}, {}, {"name": "x", "devicePath": "/../x"}],
          volumeMounts=[{"name": "v", "mountPath": "/v"}]), volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
        f"{VOLUME}.persistentVolumeClaim: cannot be given here: there are no persistent volumes: use hostPath",
        f'{FIRST}.volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices',
        f'{FIRST}.volumeMounts[0].mountPath: Invalid value: "/v": must not already exist as a path in volumeDevices',
        *[f'{FIRST}.volumeDevices[{i}].name: Invalid value: "v": must not already exist in volumeMounts' for i in (0, 1)],
        *[f'{FIRST}.volumeDevices[{i}].devicePath: Invalid value: "/v": must not already exist as a path in volumeMounts' for i in (0, 1)],
        f'{FIRST}.volumeDevices[1].name: Invalid value: "v": must be unique',
        f'{FIRST}.volumeDevices[1].devicePath: Invalid value: "/v": must be unique',
        f"{FIRST}.volumeDevices[2].name: Required value", f"{FIRST}.volumeDevices[2].devicePath: Required value",
        f'{FIRST}.volumeDevices[3].name: Not found: "x"',
        f"{FIRST}.volumeDevices[3].devicePath: Invalid value: \"/../x\": can not contain backsteps ('..')"),
    # environment
    row("a ConfigMap's key is needed", env(configMapKeyRef={"name": "c"}), f"{FIRST}.env[0].valueFrom.configMapKeyRef.key: Required value"),
    row("several sources", env(configMapKeyRef={"name": "c", "key": "k"}, secretKeyRef={"name": "c", "key": "k"}),
        f'{FIRST}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'),
    row("a key is short and no way up", env(secretKeyRef={"name": "s", "key": "." * 254}),
        f'{FIRST}.env[0].valueFrom.secretKeyRef.key: Invalid value: "{"." * 254}": must be no more than 253 characters',
        f"{FIRST}.env[0].valueFrom.secretKeyRef.key: Invalid value: \"{'.' * 254}\": must not start with '..'"),
    row("a key is not ..", env(secretKeyRef={"name": "s", "key": ".."}),
        f"{FIRST}.env[0].valueFrom.secretKeyRef.key: Invalid value: \"..\": must not be '..'"),
    row("a file's reference is complete", env(fileKeyRef={}),
        *[f"{FIRST}.env[0].valueFrom.fileKeyRef.{field}: Required value" for field in ("key", "volumeName", "path")]),
    row("a file is in the volume",
        pod(c(env=[{"name": "A", "valueFrom": {"fileKeyRef": {"key": "k", "volumeName": "v", "path": "/x"}}}]), volumes=[{"name": "v"}]),
        f'{FIRST}.env[0].valueFrom.fileKeyRef.path: Invalid value: "/x": must be a relative path'),
    row("a prefix, a name that is missing", pod(c(envFrom=[{"prefix": "a=", "secretRef": {}}, {"configMapRef": {"name": "A"}}])),
        f'{FIRST}.envFrom[0].prefix: Invalid value: "a=": a valid environment variable name must consist only of printable ASCII '
        "characters other than '='",
        f"{FIRST}.envFrom[0].secretRef.name: Required value",
        f'{FIRST}.envFrom[1].configMapRef.name: Invalid value: "A": {SUBDOMAIN}'),
    row("a field is needed", env(fieldRef={}), f"{FIRST}.env[0].valueFrom.fieldRef.fieldPath: Required value"),
    row("a field of another version", env(fieldRef={"apiVersion": "v2", "fieldPath": "metadata.name"}),
        f'{FIRST}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod '
        "version: v2"),
    row("only labels and annotations have keys", env(fieldRef={"fieldPath": "metadata.name['a']"}),
        f'{FIRST}.env[0].valueFrom.fieldRef: Invalid value: "metadata.name": does not support subscript'),
    row("a key of nothing", env(fieldRef={"fieldPath": "x['a']"}),
        f"{FIRST}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"x['a']\": error converting fieldPath: field label does not "
        "support subscript: x['a']"),
    row("an annotation's key may have capitals", env(fieldRef={"fieldPath": "metadata.annotations['Example.com/A']"})),
    row("a label's key", env(fieldRef={"fieldPath": "metadata.labels['a b']"}),
        f'{FIRST}.env[0].valueFrom.fieldRef: Invalid value: "a b": name part {QUALIFIED}'),
    row("a resource is needed", env(resourceFieldRef={}), f"{FIRST}.env[0].valueFrom.resourceFieldRef.resource: Required value"),
    row("a divisor is a quantity", env(resourceFieldRef={"resource": "limits.cpu", "divisor": "x"}),
        f'{FIRST}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "x": quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    *[row(f"a divisor of {words}", env(resourceFieldRef={"resource": resource, "divisor": "3"}),
          f'{FIRST}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "{resource}": only divisor\'s values 1, 1k, 1M, 1G, 1T, '
          f"1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the {words} resource")
      for resource, words in (("limits.memory", "memory"), ("requests.ephemeral-storage", "local ephemeral storage"),
                              ("limits.hugepages-2Mi", "hugepages"))],
    # resources
    row("a resource's name", pod(c(resources={"limits": {"a b": "1"}})),
        *[f'{FIRST}.resources.{which}[a b]: Invalid value: "a b": name part {QUALIFIED}' for which in ("limits", "requests")]),
    row("whole huge pages", pod(c(resources={"limits": {"cpu": "1", "hugepages-2Mi": "4Mi", "hugepages-1Gi": "0"}}))),
    row("broken huge pages", pod(c(resources={"limits": {"cpu": "1", "hugepages-2Mi": "3Mi", "hugepages-big": "2Mi"}})),
        *[f'{FIRST}.resources.{which}[{name}]: Invalid value: "{text}": {text} is not positive integer multiple of {name}'
          for which in ("limits", "requests") for name, text in (("hugepages-2Mi", "3Mi"), ("hugepages-big", "2Mi"))]),
    row("a device's name", pod(c(resources={"limits": {"requests.a/b": "1"}})),
        *[f'{FIRST}.resources.{which}[requests.a/b]: Invalid value: "requests.a/b": doesn\'t follow extended resource name standard'
          for which in ("limits", "requests")]),
    row("a bad quantity and the sum", pod(c(resources={"requests": {"cpu": "x"}}), resources={"limits": {"cpu": "1"}}),
        f'{FIRST}.resources.requests[cpu]: Invalid value: "x": quantities must match the regular expression '
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    row("devices are not shared", pod(c(resources={"limits": {"a/b": "2"}, "requests": {"a/b": "1"}})),
        f'{FIRST}.resources.requests: Invalid value: "1": must be equal to a/b limit of 2'),
    row("claims", pod(c(resources={"claims": [{"name": "a"}, {"name": "a"}, {}, {"name": "b"}]}), resourceClaims=[{"name": "a"}]),
        f'{FIRST}.resources.claims[1]: Duplicate value: "a"', f"{FIRST}.resources.claims[2]: Required value",
        f'{FIRST}.resources.claims[3]: Not found: "b"'),
    row("the pod as a whole", pod(c(resources={"limits": {"cpu": "3"}}), resources={
        "claims": [{"name": "x"}], "limits": {"cpu": "2", "ephemeral-storage": "1"}, "requests": {"cpu": "3"}}),
        "spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level",
        'spec.resources.limits[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "hugepages-", "memory"',
        'spec.resources.requests: Invalid value: "3": must be less than or equal to cpu limit of 2',
        'spec.resources.claims[0]: Not found: "x"',
        'spec.resources.containers[0][cpu].limits: Invalid value: "3": must be less than or equal to pod limits of 2'),
    row("overhead", pod(overhead={"x": "1"}), 'spec.overhead[x]: Invalid value: "x": must be a standard resource for containers'),
    row("resize policies are complete", pod(c(resizePolicy=[{}, {"resourceName": "x", "restartPolicy": "Y"}, {"resourceName": "x",
        "restartPolicy": "NotRequired"}])),
        *[f"{FIRST}.resizePolicy: Required value"], f'{FIRST}.resizePolicy[2]: Duplicate value: "x"',
        f'{FIRST}.resizePolicy: Unsupported value: "x": supported values: "cpu", "memory"',
        f'{FIRST}.resizePolicy: Unsupported value: "x": supported values: "cpu", "memory"',
        f'{FIRST}.resizePolicy: Unsupported value: "Y": supported values: "NotRequired", "RestartContainer"'),
    row("an init container is not resized by a restart",
        pod(initContainers=[c("i", resizePolicy=[{"resourceName": "cpu", "restartPolicy": "RestartContainer"}])]),
        "spec.initContainers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' for non-sidecar init containers"),
    # security
    row("groups of a container", pod(c(securityContext={"runAsGroup": -1, "procMount": "X"})),
        f"{SECURITY}.runAsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        f'{SECURITY}.procMount: Unsupported value: "X": supported values: "Default", "Unmasked"'),
    row("an own user namespace", pod(hostUsers=False, hostNetwork=True, hostPID=True, hostIPC=True), OWN_USERS,
        *[f"spec.{field}: Forbidden: when `pod.Spec.HostUsers` is false" for field in ("hostNetwork", "HostPID", "HostIPC")]),
    row("an own /proc", pod(c(securityContext={"procMount": "Unmasked"}), hostUsers=False), OWN_USERS),
    row("seccomp profiles", pod(
        c(securityContext={"seccompProfile": {}}), c("d", securityContext={"seccompProfile": {"type": "X", "localhostProfile": "y"}}),
        c("e", securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "/../x"}})),
        f"{SECURITY}.seccompProfile.type: Required value: type is required when seccompProfile is set",
        'spec.containers[1].securityContext.seccompProfile.type: Unsupported value: "X": supported values: "Localhost", '
        '"RuntimeDefault", "Unconfined"',
        'spec.containers[1].securityContext.seccompProfile.localhostProfile: Invalid value: {"type":"X","localhostProfile":"y"}: can only '
        "be set when seccomp type is Localhost",
        'spec.containers[2].securityContext.seccompProfile.localhostProfile: Invalid value: "/../x": must be a relative path',
        "spec.containers[2].securityContext.seccompProfile.localhostProfile: Invalid value: \"/../x\": must not contain '..'"),
    *[row(f"AppArmor profiles: {said[:20]}", pod(securityContext={"appArmorProfile": profile}), f"spec.securityContext.appArmorProfile.{said}")
      for profile, said in (
        ({}, "type: Required value: type is required when appArmorProfile is set"),
        ({"type": "X"}, 'type: Unsupported value: "X": supported values: "Localhost", "RuntimeDefault", "Unconfined"'),
        ({"type": "Unconfined", "localhostProfile": "x"}, 'localhostProfile: Invalid value: "x": can only be set when AppArmor type is Localhost'),
        ({"type": "Localhost"}, "localhostProfile: Required value: must be set when AppArmor type is Localhost"),
        ({"type": "Localhost", "localhostProfile": " x"}, 'localhostProfile: Invalid value: " x": must not be padded with whitespace'),
        ({"type": "Localhost", "localhostProfile": "x" * 4096}, "localhostProfile: Too long: may not be more than 4095 bytes"))],
    row("options of Windows", pod(c(securityContext={"windowsOptions": {}}), os={"name": "linux"}, securityContext={"windowsOptions": {}}),
        "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
        f"{SECURITY}.windowsOptions: Forbidden: windows options cannot be set for a linux pod"),
    row("kernel parameters", pod(hostNetwork=True, hostIPC=True, securityContext={"sysctls": [
        {"value": "1"}, {"name": "A", "value": "1"}, {"name": "net.x", "value": "1"}, {"name": "kernel.shmmax", "value": "1"}]}),
        "spec.securityContext.sysctls[0].name: Required value",
        'spec.securityContext.sysctls[1].name: Invalid value: "A": must have at most 253 characters and match regex '
        "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
        "spec.securityContext.sysctls[2].name: Invalid value: \"net.x\": may not be specified when 'hostNetwork' is true",
        "spec.securityContext.sysctls[3].name: Invalid value: \"kernel.shmmax\": may not be specified when 'hostIPC' is true"),
    # volumes
    row("a volume without a name", pod(volumes=[{"emptyDir": {}}]), f"{VOLUME}.name: Required value"),
    row("a medium", volume(emptyDir={"medium": "Disk"}),
        f'{VOLUME}.emptyDir.medium: Unsupported value: "Disk": supported values: "", "HugePages", "HugePages-SIZE", "Memory"'),
    row("a ConfigMap has a name", volume(configMap={}), f"{VOLUME}.configMap.name: Required value"),
    row("a Secret has a name and a mode", volume(secret={"defaultMode": -1}), f"{VOLUME}.secret.secretName: Required value",
        f"{VOLUME}.secret.defaultMode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive"),
    row("a file of the pod", volume(downwardAPI={"items": [
        {"mode": 512, "fieldRef": {"fieldPath": "status.podIP"}, "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}]}),
        f"{VOLUME}.downwardAPI.items[0].path: Required value",
        f"{VOLUME}.downwardAPI.items[0].mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
        f'{VOLUME}.downwardAPI.items[0].fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: "metadata.annotations", '
        '"metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
        f'{VOLUME}.downwardAPI.items[0]: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously'),
    row("projected sources", volume(projected={"defaultMode": 512, "sources": [
        {"secret": {}}, {"serviceAccountToken": {"expirationSeconds": 1}}, {"serviceAccountToken": {"path": "/x", "expirationSeconds": 2**33}},
        {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}),
        f"{VOLUME}.projected.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
        f"{VOLUME}.projected.sources[0].secret.name: Required value",
        f"{VOLUME}.projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 "
        "minutes",
        f"{VOLUME}.projected.sources[1].serviceAccountToken.path: Required value",
        f"{VOLUME}.projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 8589934592: may not specify a duration larger "
        "than 2^32 seconds",
        f'{VOLUME}.projected.sources[2].serviceAccountToken.path: Invalid value: "/x": must be a relative path'),
    row("an image has a reference", volume(image={"pullPolicy": "X"}), f"{VOLUME}.image.reference: Required value",
        f'{VOLUME}.image.pullPolicy: Unsupported value: "X": supported values: "Always", "IfNotPresent", "Never"'),
]  # fmt: skip


@pytest.mark.parametrize(("given", "said"), ROWS)
def test_pod(errors: Errors, given: dict[str, Any], said: list[str]) -> None:
    assert sorted(errors(given)) == sorted(said)


def secret(kind: str, *keys: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "type": kind,
        "stringData": dict.fromkeys(keys, "x"),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            secret("kubernetes.io/basic-auth"), ["data[username]", "data[password]"], id="a name or a password"
        ),
        pytest.param(secret("kubernetes.io/basic-auth", "username"), [], id="a name"),
        pytest.param(secret("kubernetes.io/tls", "tls.crt"), ["data[tls.key]"], id="a key"),
        pytest.param(secret("Opaque", "a" * 254), [f"data[{'a' * 254}]"], id="a long key"),
        pytest.param({**secret("Opaque"), "metadata": {}}, ["metadata.name"], id="no name"),
    ],
)
def test_secret(errors: Errors, given: dict[str, Any], said: list[str]) -> None:
    assert [line.partition(": ")[0] for line in errors(pod(), given)] == said

"""What every field of a pod means, and how much of it holds here.

One table is the home of this knowledge: `check` lists what has no effect from it, `explain` prints it, the README's
table is made from it, and a test fails for a field that it does not name. A line is

    MARK FIELD: what it means | how it differs here, or why it has no effect

with the mark `=` for "as in Kubernetes", `~` for "differs", `-` for "no effect" and `!` for "refused": an error, for
there would be no telling that what was asked for is not there. An indented line goes on with the one before, and any
other line without a mark is the type that the fields after it belong to.
"""

from functools import cache
from typing import Literal

import msgspec

Effect = Literal["same", "differs", "no effect", "refused"]


class Support(msgspec.Struct, frozen=True):
    """One field: what it means, and in `note` how it differs here, why it has no effect or is refused (else empty)."""

    effect: Effect
    meaning: str
    note: str = ""


@cache
def table() -> dict[str, dict[str, Support]]:
    """Type → field under Kubernetes' name → what is known about it."""
    effects: dict[str, Effect] = {"=": "same", "~": "differs", "-": "no effect", "!": "refused"}
    found: dict[str, dict[str, Support]] = {}
    fields: dict[str, Support] = {}
    for line in _TABLE.strip().replace("\n    ", " ").split("\n"):
        mark, _, rest = line.partition(" ")
        if mark not in effects:
            fields = found.setdefault(line.strip(), {})
            continue
        name, _, text = rest.partition(": ")
        meaning, _, note = text.partition(" | ")
        fields[name] = Support(effects[mark], meaning, note)
    found["EphemeralContainer"] = {**found["Container"], **found["EphemeralContainer"]}
    return found


_TABLE = """
Pod
= apiVersion: v1.
= kind: Pod.
= metadata: The pod's name, labels and annotations.
= spec: What runs, and how it ends.
ObjectMeta
= name: The name of the object, unique in its namespace.
~ generateName: The beginning of a name that is made up when there is none. | the rest is made up at each start
= namespace: The namespace, `default` if there is none. ConfigMaps and Secrets must be in the same.
- selfLink: Where the API server had the object. | nobody sets it any more
= uid: The identity of this one object; made up when there is none.
- resourceVersion: The API server's version of the object. | counted anew by initsup
= generation: How often it was said what the pod shall be, counted anew for each pod; the deletion counts, too.
~ creationTimestamp: When the object was made. | it is the time of the start
- deletionTimestamp: When the object is to be gone. | set when the pod is deleted
- deletionGracePeriodSeconds: How long the end may take. | set when the pod is deleted
= labels: Words that the pod can be found by; containers can read them.
= annotations: Free texts; containers can read them.
- ownerReferences: The object that made this one. | there are no controllers
- finalizers: Who must agree before the object is gone. | there are no controllers
- managedFields: Who has set which field. | kept by API servers only
OwnerReference
- apiVersion: API version of the owner. | there are no controllers
- kind: Kind of the owner. | there are no controllers
- name: Name of the owner. | there are no controllers
- uid: Identity of the owner. | there are no controllers
- controller: Whether the owner manages the object. | there are no controllers
- blockOwnerDeletion: Whether the owner waits for the object's end. | there are no controllers
PodSpec
= volumes: Directories and files that containers can mount.
= initContainers: Run one after the other before all others; with restartPolicy Always they are sidecars and keep
    running.
= containers: The programs that run side by side for as long as the pod lives.
= ephemeralContainers: Containers added to a running pod, by kubectl debug; not allowed in a manifest.
= restartPolicy: Whether containers that end are started again: Always, OnFailure, Never.
= terminationGracePeriodSeconds: How long containers may take to end after SIGTERM before they are killed.
= activeDeadlineSeconds: How long the pod may live; then it fails.
~ dnsPolicy: Which resolver containers use. | this host's unless it is None, as there is no cluster
- nodeSelector: Labels that the node must have. | there is one node
~ serviceAccountName: The account that the pod uses towards the API. | only its name is there, for fieldRef and tokens
~ serviceAccount: Old name of serviceAccountName. | only its name is there, for fieldRef and tokens
- automountServiceAccountToken: Whether an API token is mounted. | none is, whatever is said here
~ nodeName: The node that runs the pod. | the node is this host, whatever is said here
~ hostNetwork: Whether the host's network is used. | containers always use the network that initsup has
~ hostPID: Whether the host's processes are seen. | containers see the processes that initsup sees, unless
    shareProcessNamespace is false
~ hostIPC: Whether the host's IPC is used. | containers always use the IPC namespace that initsup has
~ shareProcessNamespace: Whether containers see each other's processes. | if empty, they see all that initsup sees;
    false gives each a PID namespace of its own, with its main process as PID 1, where initsup is root and may mount
= securityContext: Identity and privileges of all containers.
- imagePullSecrets: Secrets for the image registry. | no image is pulled
~ hostname: The pod's host name. | where namespaces can be had, else only `$HOSTNAME` says so; if empty, containers have
    this host's name
- subdomain: The pod's DNS domain. | there is no cluster domain
- affinity: Which nodes the pod prefers. | there is one node
- schedulerName: Who finds a node for the pod. | there is one node
- tolerations: Taints of nodes that the pod accepts. | there is one node
~ hostAliases: Lines for /etc/hosts. | refused where mounts are not permitted
- priorityClassName: How important the pod is to the scheduler. | there is one node
- priority: How important the pod is to the scheduler. | there is one node
~ dnsConfig: What is added to /etc/resolv.conf. | refused where mounts are not permitted
= readinessGates: Further conditions that must be True before the pod is Ready.
! runtimeClassName: Which container runtime is used. | containers are plain processes, under no runtime
- enableServiceLinks: Whether variables tell of services. | there are no services
- preemptionPolicy: Whether other pods may be evicted for this one. | there is one node
- overhead: What the runtime itself takes. | containers are plain processes
- topologySpreadConstraints: How pods are spread over nodes. | there is one node
- setHostnameAsFQDN: Whether the host name has its domain. | there is no cluster domain
= os: The operating system; must be linux.
! hostUsers: Whether users are those of the host; false gives the pod users of its own. | containers have the users
    of the place that initsup runs in
- schedulingGates: What holds back scheduling. | there is one node
- resourceClaims: Devices that the pod needs. | there is no device driver interface
~ resources: Limits and requests of the pod as a whole. | limits on cpu and memory hold where a cgroup can be had;
    nothing is reserved
~ hostnameOverride: The pod's host name, wins over hostname. | as for hostname
- workloadRef: The workload that the pod is scheduled with. | there is one node
- schedulingGroup: The pods that this one is scheduled with. | there is one node
Container
= name: The container's name, unique in the pod.
~ image: The image that the container runs. | no image is pulled: a container runs its command on this host, or what
    the settings' images say for its image
= command: The program and its first arguments; `$(NAME)` is expanded. Not run through a shell.
= args: Further arguments.
~ workingDir: The directory the program starts in. | if empty, where initsup was started, as there is no image to say it
~ ports: Ports that the container listens on. | for information, and for probes that name a port; nothing is forwarded
= envFrom: Variables from all keys of ConfigMaps and Secrets.
= env: Environment variables; later ones may use earlier ones as `$(NAME)`.
~ resources: What the container may use at most and needs at least. | limits on cpu and memory hold where a cgroup can
    be had; nothing is reserved
- resizePolicy: What a change of resources does to a running container. | resources are not changed in place
= restartPolicy: The container's own restart policy: Always, OnFailure, Never. Always makes an init container a
    sidecar.
= restartPolicyRules: What certain exit codes lead to, whatever the policy says.
= volumeMounts: Which volumes the container sees, and where.
! volumeDevices: Raw block devices. | there are no persistent volumes: use hostPath
= livenessProbe: A check whose failure kills the container.
= readinessProbe: A check whose failure makes the pod not Ready.
= startupProbe: A check that must succeed once before the others begin; its failure kills the container.
= lifecycle: Hooks after the start and before the stop, and the stop signal.
~ terminationMessagePath: The file whose content becomes the message of the container's end. | where mounts are not
    permitted, containers with the same path share it, also those of different pods
= terminationMessagePolicy: File, or FallbackToLogsOnError: the end of the log if the file is empty and the container
    failed.
- imagePullPolicy: When the image is pulled. | no image is pulled
= securityContext: Identity and privileges of this container; wins over the pod's.
= stdin: Whether stdin is kept open; else it is /dev/null.
= stdinOnce: Whether stdin is closed after one client.
= tty: Whether the container has a terminal.
EphemeralContainer
= targetContainerName: The container to look into, whose processes are seen.
SecurityContext
~ capabilities: Linux capabilities to add and drop. | if nothing is said of them or of privileged, what initsup itself
    has
~ privileged: Whether all capabilities and devices are there. | all capabilities that initsup itself has, and in a
    root of its own the host's devices
! seLinuxOptions: The SELinux label. | no SELinux label is given to plain processes
- windowsOptions: Windows only. | this host runs Linux
~ runAsUser: The user id that the program has. | if nobody says it, the user of initsup
~ runAsGroup: The group id that the program has. | if nobody says it, that of the user
= runAsNonRoot: Whether the user id 0 is refused.
~ readOnlyRootFilesystem: Whether only volumes can be written to. | also where the file system is this host's; refused
    where mounts are not permitted
= allowPrivilegeEscalation: false means that no program can get more privileges (no_new_privs).
~ procMount: Default hides some of /proc and /sys, and protects some from writing. | if empty, only for containers with
    a root of their own: others see what this host has
! seccompProfile: Which system calls are allowed. | no seccomp profile is applied to plain processes; give the type
    Unconfined, or leave it out
! appArmorProfile: The AppArmor profile. | no AppArmor profile is applied to plain processes; give the type
    Unconfined, or leave it out
PodSecurityContext
! seLinuxOptions: The SELinux label. | no SELinux label is given to plain processes
- windowsOptions: Windows only. | this host runs Linux
~ runAsUser: The user id of all containers. | if nobody says it, the user of initsup
~ runAsGroup: The group id of all containers. | if nobody says it, that of the user
= runAsNonRoot: Whether the user id 0 is refused.
= supplementalGroups: Further group ids of all containers.
~ supplementalGroupsPolicy: Merge adds the groups that /etc/group has for the user, Strict does not. | /etc/group is
    this host's, unless the container has a root of its own
= fsGroup: The group that owns the volumes; all containers are in it.
! sysctls: Kernel parameters of the pod's namespaces. | they are the whole host's: set them there
= fsGroupChangePolicy: OnRootMismatch leaves a volume alone whose top directory fits already.
! seccompProfile: Which system calls are allowed. | no seccomp profile is applied to plain processes; give the type
    Unconfined, or leave it out
! appArmorProfile: The AppArmor profile. | no AppArmor profile is applied to plain processes; give the type
    Unconfined, or leave it out
- seLinuxChangePolicy: How volumes get their SELinux label. | volumes get none
Capabilities
= add: Capabilities to add, without `CAP_`; ALL for all.
= drop: Capabilities to drop, without `CAP_`; ALL for all.
SELinuxOptions
! user: User of the label. | no SELinux label is given to plain processes
! role: Role of the label. | no SELinux label is given to plain processes
! type: Type of the label. | no SELinux label is given to plain processes
! level: Level of the label. | no SELinux label is given to plain processes
WindowsSecurityContextOptions
- gmsaCredentialSpecName: Windows only. | this host runs Linux
- gmsaCredentialSpec: Windows only. | this host runs Linux
- runAsUserName: Windows only. | this host runs Linux
- hostProcess: Windows only. | this host runs Linux
SeccompProfile
! type: Localhost, RuntimeDefault or Unconfined. | only Unconfined can be given
! localhostProfile: A file of the node. | no seccomp profile is applied to plain processes
AppArmorProfile
! type: Localhost, RuntimeDefault or Unconfined. | only Unconfined can be given
! localhostProfile: A profile that is loaded on the node. | no AppArmor profile is applied to plain processes
Sysctl
! name: Name of the kernel parameter. | the kernel parameters are the whole host's
! value: Its value. | the kernel parameters are the whole host's
ResourceRequirements
~ limits: The most of each resource that may be used. | cpu and memory, with no swap on top, hold where a cgroup can
    be had; ephemeral-storage and hugepages do not
~ requests: What is needed at least; the default is the limit. | give CPU weight and the order of OOM kills; nothing
    is reserved
- claims: Devices that are used. | there is no device driver interface
ResourceClaim
- name: A name out of the pod's resourceClaims. | there is no device driver interface
- request: A request within the claim. | there is no device driver interface
ContainerPort
= name: A name that probes can use.
- hostPort: The port of the host. | nothing is forwarded
= containerPort: The port that the container listens on.
- protocol: TCP, UDP or SCTP. | for information
- hostIP: The address of the host. | nothing is forwarded
ContainerResizePolicy
- resourceName: cpu or memory. | resources are not changed in place
- restartPolicy: NotRequired or RestartContainer. | resources are not changed in place
ContainerRestartRule
= action: Restart, or RestartAllContainers: the whole pod starts anew.
= exitCodes: The exit codes that the rule is for.
ContainerRestartRuleOnExitCodes
= operator: In or NotIn.
= values: Exit codes.
EnvVar
= name: The name of the variable.
= value: Its value; `$(NAME)` is expanded, `$$` is a dollar.
= valueFrom: Where the value comes from instead.
EnvVarSource
= fieldRef: A field of the pod.
= resourceFieldRef: A limit or request of a container.
= configMapKeyRef: A key of a ConfigMap.
= secretKeyRef: A key of a Secret.
= fileKeyRef: A variable of a file that another container has written.
ObjectFieldSelector
= apiVersion: v1.
= fieldPath: The field, such as metadata.name, metadata.labels['app'], status.podIP.
ResourceFieldSelector
= containerName: The container; this one if it is not said.
= resource: Such as limits.cpu, requests.memory.
= divisor: The unit of the result, such as 1m or 1Mi; rounded up.
ConfigMapKeySelector
= name: The ConfigMap.
= key: The key.
= optional: Whether it may be missing.
SecretKeySelector
= name: The Secret.
= key: The key.
= optional: Whether it may be missing.
FileKeySelector
= volumeName: An emptyDir volume of the pod.
= path: The file in it.
= key: The variable in the file.
= optional: Whether it may be missing.
EnvFromSource
= prefix: What stands before each key.
= configMapRef: The ConfigMap whose keys become variables.
= secretRef: The Secret whose keys become variables.
ConfigMapEnvSource
= name: The ConfigMap.
= optional: Whether it may be missing.
SecretEnvSource
= name: The Secret.
= optional: Whether it may be missing.
Probe
= exec: A command; exit code 0 is success.
= httpGet: An HTTP request; a status from 200 to 399 is success.
= tcpSocket: A TCP connection; being accepted is success.
= grpc: The gRPC health service; SERVING is success.
= initialDelaySeconds: How long after the container's start the first check comes.
= periodSeconds: How often it is checked.
= timeoutSeconds: How long one check may take.
= successThreshold: How many successes in a row make it good again.
= failureThreshold: How many failures in a row make it bad.
= terminationGracePeriodSeconds: How long the container may take to end when this probe kills it; the pod's if not
    said.
Lifecycle
= postStart: Runs right after the start; its failure kills the container.
= preStop: Runs before SIGTERM, within the grace period.
= stopSignal: The signal instead of SIGTERM; needs os.name.
LifecycleHandler
= exec: A command.
= httpGet: An HTTP request.
= tcpSocket: Accepted, but fails when it runs, as in Kubernetes.
= sleep: Wait.
ExecAction
= command: The command and its arguments, not run through a shell.
HTTPGetAction
= path: The path of the request.
= port: The port, by number or by the name of one of the container's ports.
~ host: The host; the pod's own address if it is not said. | the pod's own address is 127.0.0.1
= scheme: HTTP or HTTPS; certificates are not verified.
= httpHeaders: Headers of the request.
HTTPHeader
= name: Name of the header.
= value: Its value.
TCPSocketAction
= port: The port, by number or by the name of one of the container's ports.
~ host: The host; the pod's own address if it is not said. | the pod's own address is 127.0.0.1
GRPCAction
= port: The port, by number.
= service: The service that is asked for.
SleepAction
= seconds: How long; at most the grace period.
Volume
= name: The volume's name, unique in the pod.
~ emptyDir: A directory that is empty at first and lives as long as the pod. | where mounts are permitted it is in
    memory, unless its sizeLimit is more than half of that
= hostPath: A file or directory of this host.
= configMap: The keys of a ConfigMap as files.
= secret: The keys of a Secret as files.
= downwardAPI: Fields of the pod as files.
= projected: Several sources in one directory.
= image: The files of an image, which the settings' images give as a directory or an archive; read-only, and without
    programs that could be run.
! gcePersistentDisk: A disk of Google. | there are no persistent volumes: use hostPath
! awsElasticBlockStore: A disk of Amazon. | there are no persistent volumes: use hostPath
! gitRepo: A Git repository. | removed from Kubernetes
! nfs: An NFS export. | mount it on this host and use hostPath
! iscsi: An iSCSI disk. | mount it on this host and use hostPath
! glusterfs: A Gluster volume. | removed from Kubernetes
! persistentVolumeClaim: A persistent volume. | there are no persistent volumes: use hostPath
! rbd: A Ceph disk. | mount it on this host and use hostPath
! flexVolume: A volume of a driver. | there are no volume drivers: use hostPath
! cinder: A disk of OpenStack. | there are no persistent volumes: use hostPath
! cephfs: A Ceph file system. | mount it on this host and use hostPath
! flocker: A Flocker volume. | removed from Kubernetes
! fc: A Fibre Channel disk. | mount it on this host and use hostPath
! azureFile: A share of Azure. | there are no persistent volumes: use hostPath
! azureDisk: A disk of Azure. | there are no persistent volumes: use hostPath
! vsphereVolume: A disk of vSphere. | there are no persistent volumes: use hostPath
! quobyte: A Quobyte volume. | removed from Kubernetes
! photonPersistentDisk: A disk of Photon. | removed from Kubernetes
! portworxVolume: A Portworx volume. | there are no persistent volumes: use hostPath
! scaleIO: A ScaleIO volume. | removed from Kubernetes
! storageos: A StorageOS volume. | removed from Kubernetes
! csi: A volume of a CSI driver. | there are no volume drivers: use hostPath
! ephemeral: A claim made for the pod. | there are no persistent volumes: use emptyDir
EmptyDirVolumeSource
= medium: Memory for a file system in memory, HugePages for one of huge pages; empty for either memory or disk.
= sizeLimit: How much may be in it.
HostPathVolumeSource
= path: The path on this host.
= type: What must be there, or is made: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice,
    BlockDevice.
ConfigMapVolumeSource
= name: The ConfigMap.
= items: Only these keys, under these names.
= defaultMode: Permission bits of the files.
= optional: Whether it may be missing.
SecretVolumeSource
= secretName: The Secret.
= items: Only these keys, under these names.
= defaultMode: Permission bits of the files.
= optional: Whether it may be missing.
DownwardAPIVolumeSource
= items: The files.
= defaultMode: Permission bits of the files.
DownwardAPIVolumeFile
= path: The file's name.
= fieldRef: A field of the pod.
= resourceFieldRef: A limit or request of a container.
= mode: Permission bits of the file.
KeyToPath
= key: The key.
= path: The file's name.
= mode: Permission bits of the file.
ProjectedVolumeSource
= sources: What is in the directory; later ones win.
= defaultMode: Permission bits of the files.
VolumeProjection
= secret: Keys of a Secret.
= downwardAPI: Fields of the pod.
= configMap: Keys of a ConfigMap.
~ serviceAccountToken: A token of the pod's account, renewed in time. | a stand-in: what it says is true, but nobody has
    signed it, so that it opens nothing
! clusterTrustBundle: Certificates of the cluster. | there is no cluster
! podCertificate: A certificate for the pod. | there is no cluster
SecretProjection
= name: The Secret.
= items: Only these keys, under these names.
= optional: Whether it may be missing.
ConfigMapProjection
= name: The ConfigMap.
= items: Only these keys, under these names.
= optional: Whether it may be missing.
DownwardAPIProjection
= items: The files.
ServiceAccountTokenProjection
= audience: Who the token is for.
= expirationSeconds: How long the token is valid; it is renewed at 80 percent of that, or after a day.
= path: The file's name.
ImageVolumeSource
= reference: The image, a name in the settings' images.
- pullPolicy: When the image is pulled. | no image is pulled
VolumeMount
= name: The volume.
~ readOnly: Whether it can only be read. | refused where mounts are not permitted
= recursiveReadOnly: Whether mounts inside of it can only be read, too.
~ mountPath: Where the container sees the volume. | only this container does where a private mount namespace can be
    had; else it is a link that all see
= subPath: A path inside of the volume.
~ mountPropagation: Whether mounts made later get in (HostToContainer) or out (Bidirectional). | all get in and out
    where mounts are not permitted; Bidirectional is refused in a user namespace
= subPathExpr: A path inside of the volume, with `$(NAME)` expanded.
VolumeDevice
! name: The volume. | there are no persistent volumes
! devicePath: Where the container sees the device. | there are no persistent volumes
LocalObjectReference
- name: The Secret. | no image is pulled
HostAlias
= ip: The address.
= hostnames: Its names.
PodDNSConfig
= nameservers: Addresses of resolvers.
= searches: Domains to search.
= options: Resolver options.
PodDNSConfigOption
= name: Name of the option.
= value: Its value.
PodReadinessGate
= conditionType: The type of the condition.
PodOS
= name: linux.
PodSchedulingGate
- name: Name of the gate. | there is one node
Toleration
- key: Key of the taint. | there is one node
- operator: Exists or Equal. | there is one node
- value: Value of the taint. | there is one node
- effect: Effect of the taint. | there is one node
- tolerationSeconds: How long the taint is accepted. | there is one node
PodResourceClaim
- name: Name of the claim in the pod. | there is no device driver interface
- resourceClaimName: The claim. | there is no device driver interface
- resourceClaimTemplateName: The template of the claim. | there is no device driver interface
SupervisorConfiguration
= apiVersion: initsup.dev/v1alpha1.
= kind: SupervisorConfiguration.
= metadata: A name, for the reader.
= crashLoopBackOff: How long containers that ended wait before they start again.
= containerLogMaxSize: Size at which a log file is rotated.
= containerLogMaxFiles: How many log files of a container are kept, at least 2.
= images: What containers without a command run on this host, by the name of their image.
= imageCache: Where archives of images are unpacked to, when it shall not be /var/cache/initsup/images (as root) or
    initsup/images in the user's cache directory.
= imageMaxSize: How large an image may be when it is unpacked.
= podPidsLimit: How many processes and threads the containers of the pod may have together, where a cgroup can be had.
= console: What initsup writes to its own stdout.
= volumes: How volumes get to their mount paths.
= bestEffort: Whether to run also where a promise of isolation or safety cannot be kept.
= listen: The address and port where kubectl is let in on TCP as well; with TLS and a token.
= inheritEnv: Variables that containers inherit from the environment of initsup.
CrashLoopBackOff
= initialPeriod: The first wait; doubled each time.
= maxPeriod: The longest wait.
ImageMapping
= command: The program and its first arguments.
= args: Further arguments.
= env: Environment variables.
= workingDir: The directory the program starts in.
= user: The user, by name or id.
= rootfs: A directory that is the container's root.
= archive: An image on disk (the directory of an OCI image layout, a tar file of one or of docker save; #NAME after it
    says which of several), whose files are the container's root and which says the rest where it is not said here.
Console
= format: text with the container's name before each line, json, raw, none, or auto: text, coloured on a terminal.
Volumes
= mode: mount (seen by the container only), link (a symlink that all see), or auto: mount where it is permitted.
"""

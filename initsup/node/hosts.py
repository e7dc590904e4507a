"""/etc/hosts for pods with hostAliases, or with a host name of their own.

The network is the host's, so this is what kubelet makes for pods with hostNetwork (kubelet_pods.go,
nodeHostsFileContent): the host's own file, and the aliases behind it.
"""

from __future__ import annotations

from initsup.spec.pod import HostAlias

PATH = "/etc/hosts"
_HEADER = "# Kubernetes-managed hosts file (host network).\n"
_ALIASES = "\n# Entries added by HostAliases.\n"

LOOPBACK = "127.0.0.1"
"""The pod's own address, by which it finds itself."""


def content(own: str, aliases: tuple[HostAlias, ...], name: str = "") -> str:
    """The file, `own` being the host's, `name` the pod's own name, if it has one."""
    if name:
        own = f"{own.rstrip()}\n{LOOPBACK}\t{name}\n"
    lines = [f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases]
    return _HEADER + own + ((_ALIASES + "".join(lines)) if lines else "")

"""/etc/hosts for pods with hostAliases.

The network is the host's, so this is what kubelet makes for pods with hostNetwork (kubelet_pods.go,
nodeHostsFileContent): the host's own file, and the aliases behind it.
"""

from __future__ import annotations

from initsup.spec.pod import HostAlias

PATH = "/etc/hosts"
_HEADER = "# Kubernetes-managed hosts file (host network).\n"
_ALIASES = "\n# Entries added by HostAliases.\n"


def content(own: str, aliases: tuple[HostAlias, ...]) -> str:
    """The file, `own` being the host's."""
    lines = [f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases]
    return _HEADER + own + ((_ALIASES + "".join(lines)) if lines else "")


def host_file() -> str:
    """The host's /etc/hosts; "" if there is none."""
    try:
        with open(PATH, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""

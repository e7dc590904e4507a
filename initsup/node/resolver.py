"""/etc/resolv.conf for pods with a dnsConfig (pkg/kubelet/network/dns/dns.go, GetPodDNS).

There is no cluster's DNS server here, so every dnsPolicy but None begins with what the host has, as ClusterFirst does
for a kubelet that knows of none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from initsup.spec.pod import PodDNSConfig

PATH = "/etc/resolv.conf"
_MAX_SERVERS = 3
_MAX_SEARCHES = 32
_MAX_SEARCH = 253
_MAX_SEARCH_LINE = 2048
"""Characters, with the blanks between (KEP-2595)."""


def content(own: str, config: PodDNSConfig, policy: str, say: Callable[[str], None] = lambda _: None) -> str:
    """The file, `own` being the host's. `say` hears, in kubelet's words, what resolvers could not take."""
    servers, searches, options = _parsed(own) if policy != "None" else ([], [], [])
    given = (option.name + (f":{option.value}" if option.value else "") for option in config.options)
    servers = _fitting_servers(_each_once([*servers, *config.nameservers]), say)
    searches = _fitting_searches(_each_once([*searches, *config.searches]), say)
    options = list({option.partition(":")[0]: option for option in (*options, *given)}.values())
    lines = [f"search {' '.join(searches)}"] if searches else []
    lines += [f"nameserver {server}" for server in servers]
    lines += [f"options {' '.join(options)}"] if options else []
    return "".join(f"{line}\n" for line in lines)


def _parsed(own: str) -> tuple[list[str], list[str], list[str]]:
    """Servers, search domains and options of a resolv.conf(5); of several lines of the latter two the last holds."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in own.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search", *domains]:
                searches = [domain if domain == "." else domain.removesuffix(".") for domain in domains]
            case ["options", *words]:
                options = words
    return servers, searches, options


def _each_once(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _fitting_servers(servers: list[str], say: Callable[[str], None]) -> list[str]:
    fitting = servers[:_MAX_SERVERS]
    if fitting != servers:
        say(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            + " ".join(fitting)
        )
    return fitting


def _fitting_searches(searches: list[str], say: Callable[[str], None]) -> list[str]:
    fitting = [search for search in searches[:_MAX_SEARCHES] if len(search) <= _MAX_SEARCH]
    while len(" ".join(fitting)) > _MAX_SEARCH_LINE:
        fitting.pop()
    if fitting != searches:
        say(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            + " ".join(fitting)
        )
    return fitting

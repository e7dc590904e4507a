"""What a pod's /etc/resolv.conf says: the host's and the pod's own settings, within the limits of resolvers."""

from __future__ import annotations

import pytest

from initsup.node.resolver import content
from initsup.spec.pod import PodDNSConfig, PodDNSConfigOption

HOST = "# by hand\nnameserver 192.0.2.1\nsearch a.example. b.example\noptions ndots:2 rotate\n"
HOST_AS_IT_IS = "search a.example b.example\nnameserver 192.0.2.1\noptions ndots:2 rotate\n"
LONG = tuple(f"{'x' * 60}.{number:02}.{'y' * 60}.example" for number in range(20))
EDNS = PodDNSConfigOption(name="edns0")


def config(servers: str = "", searches: str = "", *options: PodDNSConfigOption) -> PodDNSConfig:
    return PodDNSConfig(nameservers=tuple(servers.split()), searches=tuple(searches.split()), options=options)


@pytest.mark.parametrize(
    ("own", "policy", "asked", "expected"),
    [
        pytest.param(
            HOST,
            "None",
            config("198.51.100.1 ::1", "c.example", PodDNSConfigOption(name="ndots", value="1"), EDNS),
            "search c.example\nnameserver 198.51.100.1\nnameserver ::1\noptions ndots:1 edns0\n",
            id="None: only what the pod asks for",
        ),
        pytest.param(HOST, "None", config("::1"), "nameserver ::1\n", id="what nobody asks for has no line"),
        pytest.param(HOST, "Default", config(), HOST_AS_IT_IS, id="Default: as the host has it"),
        pytest.param(
            HOST,
            "Default",
            config("198.51.100.1", "c.example", EDNS),
            "search a.example b.example c.example\nnameserver 192.0.2.1\nnameserver 198.51.100.1\n"
            "options ndots:2 rotate edns0\n",
            id="Default: the pod's own come after the host's",
        ),
        pytest.param(
            HOST,
            "Default",
            config("192.0.2.1 192.0.2.1", "b.example a.example"),
            HOST_AS_IT_IS,
            id="what is there twice counts once",
        ),
        pytest.param(
            HOST,
            "Default",
            config("", "", PodDNSConfigOption(name="ndots", value="5"), PodDNSConfigOption(name="rotate", value="")),
            "search a.example b.example\nnameserver 192.0.2.1\noptions ndots:5 rotate\n",
            id="an option of the pod's overrides the host's",
        ),
        pytest.param(HOST, "ClusterFirst", config(), HOST_AS_IT_IS, id="ClusterFirst: there is no cluster"),
        pytest.param(HOST, "ClusterFirstWithHostNet", config(), HOST_AS_IT_IS, id="ClusterFirstWithHostNet, too"),
        pytest.param(
            "search a\nsearch b\noptions one\noptions two\nnameserver\n; nameserver ::2\n",
            "Default",
            config("::1", "."),
            "search b .\nnameserver ::1\noptions two\n",
            id="of several lines the last holds, and nonsense does not count",
        ),
        pytest.param("", "Default", config(), "", id="nothing at all"),
    ],
)
def test_content(own: str, policy: str, asked: PodDNSConfig, expected: str) -> None:
    said: list[str] = []
    assert (content(own, asked, policy, said.append), said) == (expected, [])


@pytest.mark.parametrize(
    ("own", "asked", "kept", "said"),
    [
        pytest.param(
            "nameserver ::1\nnameserver ::2\n",
            config("::3 ::4"),
            "nameserver ::1\nnameserver ::2\nnameserver ::3\n",
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            "::1 ::2 ::3",
            id="three servers",
        ),
        pytest.param(
            "search " + " ".join(f"d{number}" for number in range(32)),
            config("", "more"),
            "search " + " ".join(f"d{number}" for number in range(32)) + "\n",
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            + " ".join(f"d{number}" for number in range(32)),
            id="32 search domains",
        ),
        pytest.param(
            f"search a {'x' * 254} b",
            config(),
            "search a b\n",
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: a b",
            id="253 characters of a search domain",
        ),
        pytest.param(
            "",
            config("", " ".join(LONG)),
            f"search {' '.join(LONG[:15])}\n",
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            + " ".join(LONG[:15]),
            id="2048 characters of all search domains",
        ),
    ],
)
def test_what_resolvers_cannot_take_is_left_out_and_said(own: str, asked: PodDNSConfig, kept: str, said: str) -> None:
    heard: list[str] = []
    assert (content(own, asked, "Default", heard.append), heard) == (kept, [said])

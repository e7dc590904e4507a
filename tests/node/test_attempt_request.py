from __future__ import annotations

import pytest

from initsup.node.http_request import BadRequest, Request, in_plain_text, redirected, request
from initsup.spec.probe import HTTPGetAction, HTTPHeader


def asked(**fields: object) -> Request:
    return request(HTTPGetAction(port=8080, **fields), 8080, "127.0.0.1", "kube-probe/1.36")  # type: ignore[arg-type]


def headers(*pairs: tuple[str, str]) -> tuple[HTTPHeader, ...]:
    return tuple(HTTPHeader(name=name, value=value) for name, value in pairs)


def sent(made: Request) -> list[str]:
    return [f"{name.decode()}: {value.decode()}" for name, value in made.event.headers.raw_items()]


@pytest.mark.parametrize(
    ("fields", "url", "on_the_wire"),
    [
        pytest.param({}, "http://127.0.0.1:8080/", "/", id="the default"),
        pytest.param({"path": ""}, "http://127.0.0.1:8080/", "/", id="an empty path is the root"),
        pytest.param({"path": "healthz"}, "http://127.0.0.1:8080/healthz", "/healthz", id="a missing slash is added"),
        pytest.param({"path": "/a?b=c&d=e"}, "http://127.0.0.1:8080/a?b=c&d=e", "/a?b=c&d=e", id="a query is kept"),
        pytest.param(
            {"path": "/a?u=http://x/y"}, "http://127.0.0.1:8080/a?u=http://x/y", "/a?u=http://x/y", id="a URL in it"
        ),
        pytest.param(
            {"path": "/p/http://x"}, "http://127.0.0.1:8080/p/http://x", "/p/http://x", id="a URL in the path"
        ),
        pytest.param({"path": "/a#b"}, "http://127.0.0.1:8080/a#b", "/a", id="a fragment is not sent"),
        pytest.param({"path": "/a b"}, "http://127.0.0.1:8080/a%20b", "/a%20b", id="a space is escaped"),
        pytest.param({"path": "/a%20b"}, "http://127.0.0.1:8080/a%20b", "/a%20b", id="escapes are kept"),
        pytest.param(
            {"path": "/%zz?x"}, "http://127.0.0.1:8080/%25zz%3Fx", "/%25zz%3Fx", id="what is no URL is a path"
        ),
        pytest.param({"path": "/ü"}, "http://127.0.0.1:8080/%C3%BC", "/%C3%BC", id="other letters are UTF-8"),
        pytest.param(
            {"path": "http://x:1/y"}, "http://127.0.0.1:8080/y", "/y", id="the host of a whole URL is not used"
        ),
        pytest.param({"path": "//x/y"}, "http://127.0.0.1:8080/y", "/y", id="nor that of half a URL"),
        pytest.param({"host": "example.org"}, "http://example.org:8080/", "/", id="a host of its own"),
        pytest.param({"host": "::1"}, "http://[::1]:8080/", "/", id="IPv6"),
        pytest.param({"scheme": "HTTPS"}, "https://127.0.0.1:8080/", "/", id="HTTPS"),
    ],
)
def test_where_it_goes(fields: dict[str, str], url: str, on_the_wire: str) -> None:
    made = asked(**fields)
    assert made.url == url
    assert made.event.target.decode() == on_the_wire


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        pytest.param(
            (),
            ["Host: 127.0.0.1:8080", "User-Agent: kube-probe/1.36", "Accept: */*", "Connection: close"],
            id="what is always sent",
        ),
        pytest.param(
            (("user-agent", "foo/1.0"), ("ACCEPT", "text/plain")),
            ["Host: 127.0.0.1:8080", "User-Agent: foo/1.0", "Accept: text/plain", "Connection: close"],
            id="User-Agent and Accept are replaced, whatever their case",
        ),
        pytest.param(
            (("Accept", ""), ("User-Agent", "")),
            ["Host: 127.0.0.1:8080", "Connection: close"],
            id="an empty value removes them",
        ),
        pytest.param(
            (("Host", "web.example"),),
            ["Host: web.example", "User-Agent: kube-probe/1.36", "Accept: */*", "Connection: close"],
            id="Host replaces the host",
        ),
        pytest.param(
            (("x-b", "1"), ("X-A", "2"), ("X-B", " 3 ")),
            ["Host: 127.0.0.1:8080", "User-Agent: kube-probe/1.36", "Accept: */*", "X-A: 2", "X-B: 1", "X-B: 3",
             "Connection: close"],
            id="repeated headers are repeated, names are canonical and sorted",
        ),
        pytest.param(
            (("Content-Length", "5"), ("Transfer-Encoding", "chunked")),
            ["Host: 127.0.0.1:8080", "User-Agent: kube-probe/1.36", "Accept: */*", "Connection: close"],
            id="what would promise a body is left out",
        ),
    ],
)  # fmt: skip
def test_headers(given: tuple[tuple[str, str], ...], lines: list[str]) -> None:
    made = asked(http_headers=headers(*given))
    assert sorted(sent(made)[2:]) == sorted(lines[2:])
    assert sent(made)[:2] == lines[:2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"http_headers": headers(("X-A", "a\nb"))},
            'net/http: invalid header field value for "X-A"',
            id="a header that would be two",
        ),
        pytest.param(
            {"http_headers": headers(("X A", "a"))},
            'net/http: invalid header field name "X A"',
            id="a name with a space",
        ),
        pytest.param({"scheme": "FTP"}, 'unsupported protocol scheme "ftp"', id="another protocol"),
    ],
)
def test_what_cannot_be_sent(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("location", "url", "host"),
    [
        pytest.param("/b", "http://127.0.0.1:8080/b", "own.example", id="a relative one keeps the Host header"),
        pytest.param("b?c", "http://127.0.0.1:8080/x/b?c", "own.example", id="relative to the path"),
        pytest.param(
            "http://127.0.0.1:8080/b", "http://127.0.0.1:8080/b", "127.0.0.1:8080", id="an absolute one does not"
        ),
        pytest.param("http://127.0.0.1:81/b", "http://127.0.0.1:81/b", "127.0.0.1:81", id="another port"),
        pytest.param("https://127.0.0.1/b", "https://127.0.0.1/b", "127.0.0.1", id="another protocol"),
        pytest.param("//other.example/b", "http://other.example/b", "own.example", id="another host"),
    ],
)
def test_redirects(location: str, url: str, host: str) -> None:
    first = asked(path="/x/a", http_headers=headers(("Host", "own.example"), ("X-A", "1")))
    made = redirected(first, location)
    assert (made.url, made.sent_host) == (url, host)
    assert "X-A: 1" in sent(made)
    assert "Referer: http://127.0.0.1:8080/x/a" in sent(made)


def test_a_redirect_from_https_to_http_tells_no_referer() -> None:
    made = redirected(asked(scheme="HTTPS"), "http://127.0.0.1:8080/b")
    assert not [line for line in sent(made) if line.startswith("Referer")]


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://[::1/", "http://127.0.0.1:99999/"])
def test_redirects_to_nowhere(location: str) -> None:
    with pytest.raises(BadRequest):
        redirected(asked(), location)


def test_the_fall_back_to_plain_http_loses_the_password() -> None:
    first = asked(scheme="HTTPS", path="/a?b", http_headers=headers(("authorization", "secret"), ("X-A", "1")))
    made = in_plain_text(first)
    assert made.url == "http://127.0.0.1:8080/a?b"
    assert "X-A: 1" in sent(made)
    assert not [line for line in sent(made) if "secret" in line]

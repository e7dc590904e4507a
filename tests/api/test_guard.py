"""Who may ask at all."""

from __future__ import annotations

import pytest

from initsup.api.failure import Failure
from initsup.api.guard import admit

TOKEN = "t" * 40
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("path", "headers", "token"),
    [
        pytest.param("/api", {"host": "127.0.0.1:1234"} | BEARER, TOKEN, id="with the token"),
        pytest.param("/api", {"host": "localhost"} | BEARER, TOKEN, id="localhost, without a port"),
        pytest.param("/api", {"host": "[::1]:80"} | BEARER, TOKEN, id="IPv6"),
        pytest.param("/api", {"host": "[::1]"} | BEARER, TOKEN, id="IPv6, without a port"),
        pytest.param("/livez", {"host": "127.0.0.1"}, TOKEN, id="/livez is open"),
        pytest.param("/api", {"host": "localhost"}, None, id="an owner needs no token"),
        pytest.param(
            "/", {"host": "127.0.0.1", "accept": "text/html,*/*;q=0.8"}, TOKEN, id="the page is for everybody"
        ),
    ],
)
def test_let_in(path: str, headers: dict[str, str], token: str | None) -> None:
    admit(path, headers, token)


@pytest.mark.parametrize(
    ("path", "headers", "token", "code"),
    [
        pytest.param("/api", {"host": "127.0.0.1"}, TOKEN, 401, id="no token"),
        pytest.param("/", {"host": "127.0.0.1", "accept": "*/*"}, TOKEN, 401, id="the list of paths is not the page"),
        pytest.param("/api", {"host": "127.0.0.1", "accept": "text/html"}, TOKEN, 401, id="only the page is open"),
        pytest.param(
            "//", {"host": "127.0.0.1", "accept": "text/html"}, TOKEN, 401, id="and that by its name only, too"
        ),
        pytest.param("/", {"host": "evil.example", "accept": "text/html"}, TOKEN, 400, id="the page, by another name"),
        pytest.param("/healthz", {"host": "127.0.0.1"}, TOKEN, 401, id="nothing but /livez is open"),
        pytest.param("/livez/", {"host": "127.0.0.1"}, TOKEN, 401, id="and that by its name only"),
        pytest.param("/api", {"host": "[::1]", "authorization": "Bearer x"}, TOKEN, 401, id="a wrong token"),
        pytest.param("/api", {"host": "[::1]", "authorization": f"Basic {TOKEN}"}, TOKEN, 401, id="no bearer token"),
        pytest.param("/api", {"host": "[::1]", "authorization": "Bearer \xff"}, TOKEN, 401, id="no ASCII"),
        pytest.param("/livez", {"host": "evil.example:80"}, TOKEN, 400, id="another name for this host"),
        pytest.param("/api", {"host": "evil.example"} | BEARER, TOKEN, 400, id="… with the token"),
        pytest.param("/api", {"host": "127.0.0.1.evil.example"}, None, 400, id="a name that looks like an address"),
        pytest.param("/api", {}, None, 400, id="no host"),
        pytest.param(
            "/api", {"host": "127.0.0.1:1", "origin": "https://evil.example"} | BEARER, TOKEN, 403, id="another site"
        ),
        pytest.param("/api", {"host": "127.0.0.1:1", "origin": "null"}, None, 403, id="a site that hides"),
        pytest.param("/api", {"host": "[::1]", "impersonate-user": "bob"} | BEARER, TOKEN, 403, id="as another one"),
        pytest.param("/api", {"host": "[::1]", "impersonate-group": "g"}, None, 403, id="as one of a group"),
        pytest.param("/api", {"host": "[::1]", "impersonate-user": "bob"}, TOKEN, 401, id="as another, no token"),
    ],
)
def test_kept_out(path: str, headers: dict[str, str], token: str | None, code: int) -> None:
    with pytest.raises(Failure) as refused:
        admit(path, headers, token)
    assert refused.value.code == code


def test_our_own_site_may_ask() -> None:
    admit("/api", {"host": "127.0.0.1:1", "origin": "https://127.0.0.1:1"} | BEARER, TOKEN)

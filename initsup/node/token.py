"""A stand-in for the tokens of service accounts, for programs that insist on the file or look into it.

It is a JSON Web Token (RFC 7519) with the claims that Kubernetes' have (pkg/serviceaccount/claims.go), and they are
true. Its signature is random: nobody has a key for it, so that it opens nothing, neither a cluster nor initsup's own
API. It is renewed when kubelet would do so (pkg/kubelet/token/token_manager.go, requiresRefresh).
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from initsup.node.fields import service_account
from initsup.spec.pod import Pod
from initsup.spec.volume import ServiceAccountTokenProjection

if TYPE_CHECKING:
    from collections.abc import Callable

    from initsup.node.volumes import Volumes

ISSUER = "initsup"
"""Who has made it, and whom it is for when nobody else is named."""
_OLDEST = 24 * 3600.0
_SHARE = 0.8


class Token(msgspec.Struct, frozen=True):
    """A token, and when it is to be renewed (wall seconds)."""

    data: bytes
    renew_at: float


def issue(pod: Pod, asked: ServiceAccountTokenProjection, now: float) -> Token:
    """A new token, at the wall time `now`."""
    meta, account = pod.metadata, service_account(pod)
    namespace = meta.namespace or "default"
    seconds = asked.expiration_seconds
    claims = {
        "aud": [asked.audience or ISSUER],
        "exp": int(now) + seconds,
        "iat": int(now),
        "iss": ISSUER,
        "jti": os.urandom(16).hex(),
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": os.uname().nodename},
            "pod": {"name": meta.name, "uid": meta.uid},
            "serviceaccount": {"name": account},
        },
        "nbf": int(now),
        "sub": f"system:serviceaccount:{namespace}:{account}",
    }
    parts = (msgspec.json.encode({"alg": "HS256", "typ": "JWT"}), msgspec.json.encode(claims), os.urandom(32))
    return Token(b".".join(map(_base64url, parts)), now + min(_SHARE * seconds, _OLDEST))


def _base64url(data: bytes) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False).translate(bytes.maketrans(b"+/", b"-_")).rstrip(b"=")


class Renewal:
    """An observer of the engine, which owns the time: has tokens renewed when they are due."""

    def __init__(self, volumes: Volumes, renew: Callable[[], None]) -> None:
        self._volumes = volumes
        self._renew = renew

    def happened(self, engine: Any, notices: Any) -> None:
        """Nothing that happens to containers makes a token older."""

    def look_at(self, engine: Any) -> float | None:
        """Renew what is due, and say when the next one is."""
        if engine.facts.finished:
            return None
        due = self._volumes.tokens_due()
        if due is not None and due <= time.time():
            self._renew()
            due = self._volumes.tokens_due()
        return None if due is None else float(engine.now()) + max(due - time.time(), 1.0)

"""What a client on TCP must know (a token) and what it can know us by (a certificate), and the kubeconfig with both."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from initsup.errors import InitsupError

if TYPE_CHECKING:
    from initsup.engine import Engine


class Credential:
    """What a client on TCP must know, and what it can know us by."""

    def __init__(self, tcp: socket.socket, token: str = "", certificate: bytes = b"", key: bytes = b"") -> None:
        """The socket tells what the certificate is for; or all is there already."""
        host, port = tcp.getsockname()[:2]
        wild = host in ("0.0.0.0", "::")
        self.token, self.certificate, self.key = token, certificate, key
        self._server = f"https://{'127.0.0.1' if wild else f'[{host}]' if ':' in host else host}:{port}"
        if not token:
            self._make(_own_addresses() if wild else (host,))
        self._context: Any = None

    def _make(self, hosts: tuple[str, ...]) -> None:
        from secrets import token_urlsafe

        from initsup.api.certificate import certificate

        self.token = token_urlsafe(32)
        self.certificate, self.key = certificate(hosts)

    def context(self) -> Any:
        """The TLS context, made at the first client."""
        if self._context is None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            with open(os.memfd_create("key", os.MFD_CLOEXEC), "wb") as file:  # ssl(3) reads files only
                file.write(self.certificate + self.key)
                file.flush()
                context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
            self._context = context
        return self._context

    def write_kubeconfig(self, path: str, engine: Engine) -> None:
        """Write the kubeconfig, for this user's eyes only. Raises InitsupError."""
        import base64
        import json

        name = engine.plan.pod.metadata.name
        authority = base64.b64encode(self.certificate).decode()
        namespace = engine.plan.pod.metadata.namespace or "default"
        tree = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self._server, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }
        try:
            descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(tree, file, indent=1)
            os.rename(path + ".new", path)
        except OSError as problem:
            raise InitsupError(f"cannot write {path}: {problem.strerror}") from None


def _own_addresses() -> tuple[str, ...]:
    from initsup.node.machine import Machine

    return tuple(dict.fromkeys(("127.0.0.1", "::1", *Machine().ips)))

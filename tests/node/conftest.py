"""What tests of the node share."""

from __future__ import annotations

import ssl

import pytest


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody has signed."""
    from tests.node.attempt_world import certificate

    return certificate(tmp_path_factory.mktemp("tls"))

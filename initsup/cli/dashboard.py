"""`initsup dashboard`: the address of a pod's page, for a browser."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `dashboard`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# Open the page of the only pod there is
initsup dashboard

# From another machine, at a port that stays the same
initsup run pod.toml --listen 127.0.0.1:7443
ssh -L 7443:127.0.0.1:7443 HOST initsup dashboard
""")
    add_pod(parser)


def dashboard(args: Namespace) -> int:
    """Print the address. Where none was asked for by --listen, a port of the loopback interface is opened.

    The token stands behind the `#`, which browsers never send. On a terminal also the certificate's fingerprint is
    printed (on stderr), as browsers ask about a certificate that nobody but initsup vouches for.
    """
    import json
    from base64 import b64decode

    from initsup.api.client import call
    from initsup.cli.arguments import pod_name, state_dir, warn

    with open(call(state_dir(args, pod_name(args.words)), "kubeconfig")["path"], encoding="utf-8") as file:
        config = json.load(file)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    print(f"{cluster['server']}/#token={user['token']}")
    if sys.stderr.isatty():
        warn(f"The browser will ask about the certificate, which is initsup's own. Its SHA-256 fingerprint is\n"
             f"{fingerprint(b64decode(cluster['certificate-authority-data']).decode())}")  # fmt: skip
    return 0


def fingerprint(certificate: str) -> str:
    """The SHA-256 fingerprint of a certificate in PEM, as browsers show it."""
    import ssl
    from hashlib import sha256

    return sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest().hex(":").upper()

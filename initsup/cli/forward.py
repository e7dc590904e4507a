"""`initsup port-forward`: another address for a port of the pod. The pod's network is that of its host."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

PIECE = 65536


def forward_arguments(parser: Parser) -> None:
    """The options of `port-forward`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# Port 8080 here is port 80 of the pod
initsup port-forward 8080:80

# Let others in as well
initsup port-forward --address 0.0.0.0 8080:80
""")
    parser.add_argument("words", nargs="+", metavar="[LOCAL:]REMOTE", help="ports; LOCAL may be left out, 0 is any")
    parser.add_argument("--address", default="127.0.0.1", metavar="ADDRESS", help="where to listen")
    add_state_dir(parser)


def forward(args: Namespace) -> int:
    """Carry connections until Ctrl-C."""
    from initsup.api.client import get_pod
    from initsup.cli.arguments import split_pod, state_dir
    from initsup.errors import InitsupError, UsageError

    pod, words = split_pod(args.words)
    ports = [word for word in words if word.replace(":", "").isdecimal()]
    names = [word for word in words if word not in ports]
    if not ports or len(names) > 1:
        raise UsageError("name at least one port, such as 8080:80")
    named = get_pod(state_dir(args, pod or (names[0] if names else None)))
    phase = (named.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise InitsupError(f"unable to forward port because pod is not running. Current status={phase}")
    listeners = [_listen(args.address, word, named) for word in ports]
    threads = [threading.Thread(target=_serve, args=pair, daemon=True) for pair in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0


def _listen(address: str, word: str, pod: object) -> tuple[socket.socket, int]:
    from initsup.errors import InitsupError, UsageError
    from initsup.spec.units import whole_number

    local, colon, remote = word.partition(":")
    here, there = whole_number(local or "0"), whole_number(remote if colon else local)
    if here is None or here > 65535 or there is None or not 0 < there < 65536:
        raise UsageError(f"{word} is not a pair of ports")
    try:
        listener = socket.create_server((address, here))
    except OSError as problem:
        raise InitsupError(f"cannot listen on {address}:{local}: {problem.strerror}") from None
    print(f"Forwarding from {address}:{listener.getsockname()[1]} -> {there}", flush=True)
    return listener, there


def _serve(listener: socket.socket, port: int) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connection, args=(client, port), daemon=True).start()


def _connection(client: socket.socket, port: int) -> None:
    from initsup.cli.arguments import warn

    with client:
        try:
            server = socket.create_connection(("localhost", port), timeout=10)
        except OSError as problem:
            warn(f"initsup: cannot connect to port {port} of the pod: {problem.strerror or problem}")
            return
        with server:
            server.settimeout(None)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(PIECE):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return

"""`initsup kubeconfig` and `initsup kubectl`: a pod for kubectl, and for whatever else speaks to Kubernetes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def kubeconfig_arguments(parser: Parser) -> None:
    """The options of `kubeconfig`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# Use kubectl on a pod
export KUBECONFIG=$(initsup kubeconfig --path)
kubectl get pods

# Take what it needs elsewhere
initsup kubeconfig > pod.kubeconfig
""")
    add_pod(parser)
    parser.flag("--path", help="print where the file is, not what is in it")


def kubeconfig(args: Namespace) -> int:
    """Print the kubeconfig. Where no address was asked for by --listen, a port of the loopback interface is opened."""
    from initsup.api.client import call
    from initsup.cli.arguments import pod_name, state_dir

    path = call(state_dir(args, pod_name(args.words)), "kubeconfig")["path"]
    if args.path:
        print(path)
        return 0
    with open(path, encoding="utf-8") as file:
        print(file.read())
    return 0


def kubectl_arguments(parser: Parser) -> None:
    """The options of `kubectl`."""
    from initsup.cli.arguments import add_state_dir

    parser.examples("""
# What is in the only pod there is
initsup kubectl get pods -o wide

# Of another one
initsup kubectl --state-dir /run/initsup/web describe pod web
""")
    add_state_dir(parser)
    parser.passed_on("words")


def kubectl(args: Namespace) -> int:
    """Become the kubectl that is on PATH, with these words."""
    from initsup.api.client import call
    from initsup.cli.arguments import state_dir
    from initsup.errors import InitsupError

    path = call(state_dir(args), "kubeconfig")["path"]
    try:
        os.execvpe("kubectl", ["kubectl", *args.words], {**os.environ, "KUBECONFIG": path})
    except OSError as problem:
        raise InitsupError(f"cannot run kubectl: {problem.strerror}; is it on PATH?") from None

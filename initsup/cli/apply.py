"""`initsup apply`: change a running pod to what a file says now."""

from __future__ import annotations

from argparse import Namespace

from initsup.cli.arguments import add_overrides, overrides, state_dir
from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """Define the options of `apply`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="manifest in YAML, JSON or TOML; - is stdin")
    add_overrides(parser)
    parser.add_argument("--state-dir", metavar="DIR", help="the pod's state directory")
    parser.flag("--replace", help="end the pod gracefully and start the new one, under the same initsup")
    parser.examples("""
# New ConfigMap data, another image mapping, a shorter deadline
initsup apply pod.yaml

# Anything else
initsup apply --replace pod.yaml
""")


def apply(args: Namespace) -> int:
    """Print what has changed. Raises InvalidManifest for a pod that cannot be had, in this place or at all."""
    import msgspec

    from initsup.api import client
    from initsup.cli.check import lacking
    from initsup.load.read import load

    asked = load(args.files, overrides(args))
    lacking(args, asked)  # before the pod that runs is changed, or ended for it
    name = asked.pod.metadata.name
    place = state_dir(args, name)
    manifest = msgspec.json.decode(msgspec.json.encode(asked))
    answer = client.call(place, "apply", manifest=manifest, replace=args.replace)
    if args.replace:
        print(f"pod/{name} replaced")
        return 0
    print(f"pod/{name} {'configured' if answer['changed'] else 'unchanged'}")
    for container in answer["restarted"]:
        print(f"container {container} restarts: its definition changed")
    return 0

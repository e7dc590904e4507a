"""`initsup convert`: a manifest from one form into another, without loss."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser
    from initsup.load.write import Form
    from initsup.spec.manifest import Manifest

FORMS: tuple[Form, ...] = ("toml", "yaml", "json")
KINDS = ("Pod", "Deployment", "Job")


def arguments(parser: Parser) -> None:
    """The options of `convert`."""
    parser.examples("""
# A Kubernetes manifest as TOML
initsup convert deployment.yaml > app.toml

# … and back
initsup convert app.toml -o yaml

# For a cluster: images instead of programs of this host, and what differs as comments
initsup convert app.toml -o kubernetes --kind Deployment --image web=registry.example/web:1 | kubectl apply -f -
""")
    parser.add_argument("files", nargs="+", metavar="FILE", help="files that make up one pod; - is stdin")
    parser.add_argument(
        "-o", "--output", metavar="FORM", choices=(*FORMS, "kubernetes"),
        help=f"{', '.join(FORMS)} (default: yaml for TOML, else toml), or kubernetes: for a cluster",
    )  # fmt: skip
    parser.add_argument(
        "--kind", metavar="KIND", choices=KINDS, help=f"for a cluster: {', '.join(KINDS)} (default: Pod)"
    )
    parser.add_argument(
        "--image", metavar="NAME=IMAGE", action="append", default=[],
        help="for a cluster: the image of a container, or what an image of that name is called there; may be repeated",
    )  # fmt: skip


def convert(args: Namespace) -> int:
    """Print the manifest in the other form. Raises InvalidManifest when it cannot be read."""
    from initsup.errors import UsageError
    from initsup.load.read import read
    from initsup.load.write import write

    if args.output == "kubernetes":
        return _for_cluster(args)
    if args.kind or args.image:
        raise UsageError("--kind and --image go with -o kubernetes")
    manifest = read(args.files)
    form: Form = args.output or ("yaml" if args.files[0].endswith(".toml") else "toml")
    _print(manifest, write(manifest, form))
    return 0


def _for_cluster(args: Namespace) -> int:
    from initsup.errors import UsageError
    from initsup.load.kubernetes import for_cluster
    from initsup.load.read import read_valid

    pairs = [text.partition("=") for text in args.image]
    if bad := ["".join(pair) for pair in pairs if not (pair[0] and pair[2])]:
        raise UsageError(f"--image takes NAME=IMAGE, not {bad[0]!r}")
    manifest = read_valid(args.files)  # what is not valid here is not valid there
    _print(manifest, for_cluster(manifest, args.kind or "Pod", {name: image for name, _, image in pairs}))
    return 0


def _print(manifest: Manifest, text: str) -> None:
    """The manifest in its other form; what that leaves out goes to stderr."""
    for what in manifest.ignored:
        print(f"initsup: left out: {what}", file=sys.stderr)
    print(text, end="")

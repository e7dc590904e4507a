"""`initsup convert`: a manifest from one form into another, without loss."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser
    from initsup.load.write import Form

FORMS: tuple[Form, ...] = ("toml", "yaml", "json")


def arguments(parser: Parser) -> None:
    """The options of `convert`."""
    parser.examples("""
# A Kubernetes manifest as TOML
initsup convert deployment.yaml > app.toml

# … and back
initsup convert app.toml -o yaml
""")
    parser.add_argument("files", nargs="+", metavar="FILE", help="files that make up one pod; - is stdin")
    parser.add_argument(
        "-o", "--output", metavar="FORM", choices=FORMS, help=f"{', '.join(FORMS)} (default: yaml for TOML, else toml)"
    )


def convert(args: Namespace) -> int:
    """Print the manifest in the other form. Raises InvalidManifest when it cannot be read."""
    from initsup.load.read import read
    from initsup.load.write import write

    manifest = read(args.files)
    form: Form = args.output or ("yaml" if args.files[0].endswith(".toml") else "toml")
    for what in manifest.ignored:
        print(f"initsup: left out: {what}", file=sys.stderr)
    print(write(manifest, form), end="")
    return 0

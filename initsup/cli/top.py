"""`initsup top`: the CPU and memory that a pod uses now, as `kubectl top pod` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser


def arguments(parser: Parser) -> None:
    """The options of `top`."""
    from initsup.cli.arguments import add_pod

    parser.examples("""
# The pod
initsup top

# Each of its containers
initsup top --containers
""")
    add_pod(parser)
    parser.flag("--containers", help="a line for each container")
    parser.flag("--no-headers", help="leave out the line with the columns' names")


def top(args: Namespace) -> int:
    """Print the figures."""
    from initsup.api.client import call
    from initsup.cli.arguments import pod_name, state_dir
    from initsup.cli.table import Table

    found = call(state_dir(args, pod_name(args.words)), "top")
    used = {name: (one["cpu"], one["memory"]) for name, one in found["containers"].items()}
    rows: list[tuple[str, ...]]
    if args.containers:
        table = Table("POD", "NAME", "CPU(cores)", "MEMORY(bytes)")
        rows = [(found["pod"], name, *_figures(*figures)) for name, figures in sorted(used.items())]
    else:
        table = Table("NAME", "CPU(cores)", "MEMORY(bytes)")
        total = (sum(cpu for cpu, _ in used.values()), sum(memory for _, memory in used.values()))
        rows = [(found["pod"], *_figures(*total))]
    print("\n".join(table.lines(rows, header=not args.no_headers)))
    return 0


def _figures(cpu: float, memory: int) -> tuple[str, str]:
    return f"{round(cpu * 1000)}m", f"{memory >> 20}Mi"

"""Columns of text as kubectl prints them: Go's text/tabwriter, as much of it as is needed."""

from collections.abc import Iterable, Sequence


class Table:
    """A table that is printed line by line and never narrows a column again, so that later rows stay aligned
    (k8s.io/cli-runtime pkg/printers/tabwriter.go: at least 6 wide, 3 blanks between columns).
    """

    def __init__(self, *header: str) -> None:
        self._header = header
        self._widths = [0] * len(header)

    def lines(self, rows: Sequence[Sequence[str]], header: bool = False) -> list[str]:
        """The rows as lines, below the header when that is wanted."""
        every = [self._header, *rows] if header else list(rows)
        for at in range(len(self._widths) - 1):
            self._widths[at] = max([self._widths[at], *(max(len(line[at]) + 3, 6) for line in every)])
        return ["".join(f"{cell:<{width}}" for cell, width in zip(line, self._widths, strict=True)) for line in every]


def align(lines: Iterable[str], gap: int = 2) -> list[str]:
    """Turn tabs into blanks: cells that end with a tab and stand below one another, in lines without a break, get the
    same width. So each block of a longer text has columns of its own.
    """
    rows = [line.split("\t") for line in lines]
    for column in range(max(map(len, rows), default=1) - 1):
        block: list[list[str]] = []
        for row in [*rows, []]:
            if len(row) > column + 1:
                block.append(row)
                continue
            width = max((len(one[column]) + gap for one in block), default=0)
            for one in block:
                one[column] = one[column].ljust(width)
            block = []
    return ["".join(row).rstrip() for row in rows]

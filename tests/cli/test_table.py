"""Columns as kubectl pads them."""

from initsup.cli.table import Table, align


def test_columns_are_at_least_six_wide_with_three_blanks_between() -> None:
    table = Table("A", "LONG COLUMN", "C")
    assert table.lines([("x", "y", "z")], header=True) == [
        "A     LONG COLUMN   C",
        "x     y             z",
    ]


def test_a_later_row_keeps_the_columns_and_may_widen_them() -> None:
    table = Table("NAME", "AGE")
    assert table.lines([("web", "1s")], header=True) == ["NAME   AGE", "web    1s"]
    assert table.lines([("webserver", "2s")]) == ["webserver   2s"]
    assert table.lines([("web", "3s")]) == ["web         3s"]


def test_cells_below_one_another_are_aligned_until_a_line_without_them() -> None:
    assert align(["a:\tb", "long:\tc", "head", "x:\ty", "  deeper:\tz"]) == [
        "a:     b", "long:  c", "head", "x:         y", "  deeper:  z",
    ]  # fmt: skip


def test_a_third_column_is_aligned_only_where_lines_have_it() -> None:
    assert align(["a\tb\tc", "aaaa\tbbb\tc", "a\tb"]) == ["a     b    c", "aaaa  bbb  c", "a     b"]


def test_no_blanks_at_the_end() -> None:
    assert align(["a:\t", "b:\tc"]) == ["a:", "b:  c"]


def test_no_lines() -> None:
    assert align([]) == []

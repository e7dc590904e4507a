"""Rows of the format of environment files (KEP-3721)."""

from __future__ import annotations

import pytest

from initsup.node import env_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("K='v'", "v", id="one line, without an end"),
        pytest.param("A='1'\nK='v'\nK='w'\n", "v", id="the first of several"),
        pytest.param("  \tK='v'\n", "v", id="blanks before the name"),
        pytest.param("\n \n# K='no'\n  # K='no'\nK='v'\n", "v", id="blank lines and comments are skipped"),
        pytest.param("K='v' # K='no'\n", "v", id="a comment behind the quote"),
        pytest.param("K='v'\t \n", "v", id="blanks behind the quote"),
        pytest.param("K='a#b=c \"d\" $E ${F} \\n'\n", "a#b=c \"d\" $E ${F} \\n", id="the text is literal"),
        pytest.param("K='a\n  b\n\nc'\nL='x'\n", "a\n  b\n\nc", id="over several lines"),
        pytest.param("K='  v  '\n", "  v  ", id="blanks inside are kept"),
        pytest.param("K=''\n", "", id="an empty text"),
        pytest.param("K=\n", "", id="nothing behind the equals sign"),
        pytest.param("K= 'v'\n", "", id="a blank behind the equals sign"),
        pytest.param("A='1'\n", "", id="not there"),
        pytest.param("", "", id="an empty file"),
        pytest.param("K='v'\r\nL='x'\r\n", "v", id="line ends of other systems"),
        pytest.param("K='v'\nrubbish\n", "v", id="nothing behind the variable is looked at"),
    ],
)  # fmt: skip
def test_values(text: str, expected: str) -> None:
    assert env_file.find(text, "K") == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("K ='v'\n", id="a blank before the equals sign"),
        pytest.param("='v'\nK='v'\n", id="no name"),
        pytest.param("rubbish\nK='v'\n", id="no equals sign, before the variable"),
        pytest.param("K=v\n", id="no quotes"),
        pytest.param('K="v"\n', id="double quotes"),
        pytest.param("K='v'w\n", id="text behind the closing quote"),
        pytest.param("K='v''w'\n", id="two texts"),
        pytest.param("K='v\n", id="no closing quote"),
        pytest.param("A='x\nK='v'\n", id="the closing quote is that of the next line"),
    ],
)
def test_errors(text: str) -> None:
    with pytest.raises(env_file.BadFile):
        env_file.find(text, "K")

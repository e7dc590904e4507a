"""How a pod is named, and switches."""

import pytest

from initsup.cli.arguments import pod_name, split_pod
from initsup.cli.parser import Parser
from initsup.errors import UsageError


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param([], None, id="no word: the only pod"),
        pytest.param(["web"], "web", id="a name"),
        pytest.param(["pod/web"], "web", id="kubectl's kind/name"),
        pytest.param(["pods/web"], "web", id="… in the plural"),
        pytest.param(["pod", "web"], "web", id="kubectl's kind and name"),
        pytest.param(["po"], None, id="a kind alone"),
        pytest.param(["pods"], None, id="… in the plural"),
    ],
)
def test_pod_name(words: list[str], name: str | None) -> None:
    assert pod_name(words) == name


def test_only_one_pod_can_be_named() -> None:
    with pytest.raises(UsageError, match="one pod at a time, not 2: a b"):
        pod_name(["pod", "a", "b"])


def test_a_pod_beside_other_words() -> None:
    assert split_pod(["pod/web", "app", "some/thing"]) == ("web", ["app", "some/thing"])


@pytest.fixture
def parser() -> Parser:
    made = Parser("try", "Try it")
    made.add_argument("words", nargs="*", metavar="NAME")
    made.add_argument("-o", "--output")
    made.flag("-w", "--watch", help="go on")
    made.flag("--wait", default=True, help="wait")
    made.command_after_dashes("command")
    return made


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        pytest.param("", {"words": [], "watch": False, "wait": True, "command": []}, id="nothing"),
        pytest.param("-w --wait", {"watch": True, "wait": True}, id="a switch sets"),
        pytest.param("--wait=false --watch=true", {"watch": True, "wait": False}, id="a switch with a value"),
        pytest.param("--wait=0 -w=t", {"watch": True, "wait": False}, id="a switch with a short value"),
        pytest.param("-o json a", {"words": ["a"], "output": "json"}, id="a word after options"),
        pytest.param("a -o json b", {"words": ["a", "b"], "output": "json"}, id="words around options"),
        pytest.param("-wo json", {"watch": True, "output": "json"}, id="short options in one word"),
        pytest.param("a -- ls -o x", {"words": ["a"], "output": None, "command": ["ls", "-o", "x"]}, id="a command"),
        pytest.param("-- x --wait=no -- y", {"wait": True, "command": ["x", "--wait=no", "--", "y"]}, id="… as it is"),
    ],
)
def test_parse(parser: Parser, line: str, wanted: dict[str, object]) -> None:
    parsed = vars(parser.parse(line.split()))
    assert {key: parsed[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("line", "is_plain"),
    [
        pytest.param("a.toml b.toml", True, id="words"),
        pytest.param("- -v --set a=b --form json a --set c=d", True, id="options anywhere, stdin as a word"),
        pytest.param("a --form=json", False, id="a value in the same word"),
        pytest.param("a -vf json", False, id="short options in one word"),
        pytest.param("a --verbose=false", False, id="a switch with a value"),
        pytest.param("a -- b", False, id="dashes"),
        pytest.param("a --tail -1", False, id="a value that looks like an option"),
        pytest.param("a --tail 3", False, id="a value that is converted"),
    ],
)
def test_argparse_is_asked_only_about_forms_that_are_not_plain(line: str, is_plain: bool) -> None:
    made = Parser("try", "Try it")
    made.add_argument("files", nargs="+", metavar="FILE")
    made.add_argument("-f", "--form", choices=("json", "text"))
    made.add_argument("--set", action="append", default=[])
    made.add_argument("--tail", type=int, default=-1)
    made.flag("-v", "--verbose", help="say more")
    plain = made._plain(line.split())
    assert (plain is not None) is is_plain
    assert vars(made.parse(line.split())) == vars(made.full().parse(line.split()))


@pytest.mark.parametrize("line", ["", "--nothing", "a --form yaml", "a --form"])
def test_what_is_wrong_is_said_by_argparse(line: str) -> None:
    made = Parser("try", "Try it")
    made.add_argument("files", nargs="+", metavar="FILE")
    made.add_argument("--form", choices=("json", "text"))
    with pytest.raises(UsageError, match="See 'initsup try --help' for usage"):
        made.parse(line.split())


def test_usage_names_positional_words_and_the_command(parser: Parser) -> None:
    assert parser.full().format_help().endswith("Usage:\n  initsup try [NAME] [options] -- COMMAND [ARG …]\n")

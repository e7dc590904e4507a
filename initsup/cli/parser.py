"""The parser of a verb's command line. It notes what the verb defines, and reads the plain forms by itself.

Help, errors, and any form that is not plain are argparse's (`full_parser`), whose import takes as long as all else of
`initsup health`, and comes before the first container of `initsup run`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from initsup.cli.full_parser import FullParser


class Parser:
    """The options of one verb."""

    def __init__(self, verb: str, summary: str) -> None:
        self._verb = verb
        self._summary = summary
        self._noted: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._options: dict[str, dict[str, Any]] = {}
        self._words: list[dict[str, Any]] = []
        self._values: dict[str, Any] = {}
        self._is_plain = True

    def add_argument(self, *names: str, **how: Any) -> None:
        """Define an option or a word, as with argparse."""
        self._noted.append(("add_argument", names, how))
        if names[0].startswith("-"):
            self._option(names, how)
        else:
            self._words.append(how | {"dest": names[0]})

    def flag(self, *names: str, default: bool = False, help: str) -> None:  # noqa: A002
        """A switch; as with kubectl `--name` sets it and `--name=false` clears it."""
        self._noted.append(("flag", names, {"default": default, "help": help}))
        self._option(names, {"action": "store_true", "default": default})

    def _option(self, names: tuple[str, ...], how: dict[str, Any]) -> None:
        long = next((name for name in names if name.startswith("--")), names[0])
        how = {"dest": long.lstrip("-").replace("-", "_"), **how}
        self._options.update(dict.fromkeys(names, how))
        self._values[how["dest"]] = how.get("default")
        self._is_plain = self._is_plain and not how.get("required")

    def set_defaults(self, **values: Any) -> None:
        """Values that are the same whatever is given."""
        self._noted.append(("set_defaults", (), values))
        self._values.update(values)

    def examples(self, text: str) -> None:
        """Lines that show the verb at work: `# what it does` followed by the command."""
        self._noted.append(("examples", (text,), {}))

    def command_after_dashes(self, dest: str) -> None:
        """All words after `--` are kept, untouched, as a list in `dest`."""
        self._noted.append(("command_after_dashes", (dest,), {}))
        self._is_plain = False

    def passed_on(self, dest: str) -> None:
        """All words from the first on that is none of our options are kept, untouched, as a list in `dest`."""
        self._noted.append(("passed_on", (dest,), {}))
        self._is_plain = False

    def parse(self, words: Sequence[str]) -> Namespace:
        """The parsed words; options and positional words may come in any order. Raises UsageError."""
        values = self._plain(words) if self._is_plain else None
        return self.full().parse(words) if values is None else cast("Namespace", SimpleNamespace(**values))

    def full(self) -> FullParser:
        """What reads every form, and has the help."""
        from initsup.cli.full_parser import FullParser

        full = FullParser(self._verb, self._summary)
        for name, given, how in self._noted:
            getattr(full, name)(*given, **how)
        full.add_argument("-h", "--help", action="help", help="show this help")  # last, as in the list of options
        return full

    def _plain(self, words: Sequence[str]) -> dict[str, Any] | None:
        """The values, if each word is a whole option, its value behind it, or no option at all; else None."""
        values, rest, given = dict(self._values), [], iter(words)
        for word in given:
            if not word.startswith("-") or word == "-":
                rest.append(word)
                continue
            how = self._options.get(word)
            if how is None:
                return None
            if how.get("action") == "store_true":
                values[how["dest"]] = True
                continue
            text = next(given, "-")
            if text.startswith("-") or "type" in how or text not in how.get("choices", (text,)):
                return None
            values[how["dest"]] = [*values[how["dest"]], text] if how.get("action") == "append" else text
        return self._placed(rest, values)

    def _placed(self, rest: list[str], values: dict[str, Any]) -> dict[str, Any] | None:
        """The values with the positional words."""
        if [how.get("nargs") for how in self._words] not in ([], ["*"], ["+"]):
            return None
        if self._words:
            values[self._words[0]["dest"]] = rest
        wants_some = bool(self._words) and self._words[0]["nargs"] == "+"
        return None if (rest and not self._words) or (wants_some and not rest) else values

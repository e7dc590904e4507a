"""argparse, with help in kubectl's order and kubectl's switches: for what `initsup.cli.parser` leaves to it."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

WIDTH = 100
"""Columns of the help's text."""
_TRUTH = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class FullParser(argparse.ArgumentParser):
    """The options of one verb. Help is kubectl's: what it does, examples, options, usage."""

    def __init__(self, verb: str, summary: str) -> None:
        super().__init__(
            prog=f"initsup {verb}".rstrip(),
            description=summary,
            add_help=False,
            allow_abbrev=False,
        )
        self._examples = ""
        self._command = ""
        self._passed_on = ""
        self._flags: dict[str, str] = {}

    def examples(self, text: str) -> None:
        """Lines that show the verb at work: `# what it does` followed by the command."""
        self._examples = text.strip("\n")

    def flag(self, *names: str, default: bool = False, help: str) -> None:  # noqa: A002
        """A switch; as with kubectl `--name` sets it and `--name=false` clears it."""
        action = self.add_argument(*names, action="store_true", default=default, help=help)
        self._flags.update(dict.fromkeys(names, action.dest))

    def command_after_dashes(self, dest: str) -> None:
        """All words after `--` are kept, untouched, as a list in `dest`."""
        self._command = dest

    def passed_on(self, dest: str) -> None:
        """All words from the first on that is none of our options are kept, untouched, as a list in `dest`."""
        self._passed_on = dest

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The parsed words; options and positional words may come in any order. Raises UsageError."""
        self.usage = self._usage()  # argparse would compute one that names each option, at the price of 5 ms
        words = list(words)
        values: dict[str, Any] = {}
        if self._command:
            cut = words.index("--") if "--" in words else len(words)
            words, values[self._command] = words[:cut], words[cut + 1 :]
        if self._passed_on:
            words, values[self._passed_on] = self._split(words)
        end = words.index("--") if "--" in words else len(words)
        kept = [word for word in words[:end] if not self._switch(word, values)]
        args = self.parse_intermixed_args(kept + words[end:])
        vars(args).update(values)
        return args

    def _split(self, words: list[str]) -> tuple[list[str], list[str]]:
        """Our own options, each of which has a value, and all that follows."""
        own = {option: action for action in self._actions for option in action.option_strings}
        at = 0
        while at < len(words) and words[at].partition("=")[0] in own:
            name, equals, _ = words[at].partition("=")
            at += 1 if equals or own[name].nargs == 0 else 2
        return words[:at], words[at:]

    def _switch(self, word: str, values: dict[str, Any]) -> bool:
        """Take in a word of the form `--flag=true`; False when it is none."""
        name, equals, value = word.partition("=")
        if not equals or name not in self._flags:
            return False
        if value.lower() not in _TRUTH:
            self.error(f"invalid argument {value!r} for {name!r}: true or false is expected")
        values[self._flags[name]] = _TRUTH[value.lower()]
        return True

    def _usage(self) -> str:
        """`initsup get [NAME] [options]`."""
        forms = {"*": "[{}]", "?": "[{}]", "+": "{} …"}
        words = [forms.get(str(a.nargs), "{}").format(a.metavar) for a in self._actions if not a.option_strings]
        command = " -- COMMAND [ARG …]" if self._command else " ARG …" if self._passed_on else ""
        return " ".join([self.prog, *words, "[options]"]) + command

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the whole usage."""
        from initsup.errors import UsageError

        raise UsageError(f"{message}\nSee '{self.prog} --help' for usage.")

    def _get_formatter(self) -> argparse.HelpFormatter:
        # argparse makes one for each argument, and without a width it imports shutil, lzma and bz2 to ask for it.
        return argparse.RawDescriptionHelpFormatter(prog=self.prog, width=WIDTH, max_help_position=30)

    def format_help(self) -> str:
        """Description, examples, options, usage."""
        formatter = self._get_formatter()
        for group in self._action_groups:
            formatter.start_section("Options" if group.title == "options" else "Arguments")
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        examples = "\n".join(f"  {line}".rstrip() for line in self._examples.splitlines())
        parts = [self.description or "", examples and f"Examples:\n{examples}", formatter.format_help().strip("\n")]
        return "\n\n".join(part for part in [*parts, f"Usage:\n  {self.usage or self._usage()}"] if part) + "\n"

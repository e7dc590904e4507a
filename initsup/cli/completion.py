"""`initsup completion SHELL`, and the words that its code asks for with `initsup __complete WORD… CURRENT`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from initsup.cli.parser import Parser

# Each shell hands over the words after `initsup` up to the cursor, the last one possibly empty. Where nothing is
# proposed, the shell completes file names.
SHELLS = {
    "bash": """\
# In ~/.bashrc:  source <(initsup completion bash)
_initsup() {
    local IFS=$'\\n'
    COMPREPLY=($(initsup __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _initsup initsup
""",
    "zsh": """\
#compdef initsup
# In ~/.zshrc, after compinit:  source <(initsup completion zsh)
_initsup() {
    local -a found
    found=("${(@f)$(initsup __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _initsup initsup
""",
    "fish": """\
# In ~/.config/fish/config.fish:  initsup completion fish | source
complete -c initsup -n 'not __fish_seen_subcommand_from run check convert' -f
complete -c initsup -a '(initsup __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}

_FORMS = ("json", "yaml", "wide", "name")
_CONDITIONS = ("condition=Ready", "condition=Initialized", "condition=ContainersReady", "phase=", "create", "delete")
_LISTS = ("containers", "initContainers", "ephemeralContainers")
_SHORT = {"-c": "--container", "-o": "--output"}


def completion_arguments(parser: Parser) -> None:
    """The options of `completion`."""
    parser.examples("""
# For this bash only; for all to come, put the line into ~/.bashrc
source <(initsup completion bash)

# fish
initsup completion fish | source
""")
    parser.add_argument("shell", metavar="SHELL", choices=[*SHELLS], help=f"one of {', '.join(SHELLS)}")


def completion(args: Namespace) -> int:
    """Print the code for a shell."""
    print(SHELLS[args.shell], end="")
    return 0


def complete_arguments(parser: Parser) -> None:
    """The words so far."""
    parser.command_after_dashes("line")


def complete(args: Namespace) -> int:
    """Print what the last word may become, one a line."""
    *before, current = args.line or [""]
    print("".join(f"{word}\n" for word in candidates(before, current) if word.startswith(current)), end="")
    return 0


def candidates(before: list[str], current: str) -> list[str]:
    """Words that may stand after `before`. Empty when a file name, or something we do not know, belongs there."""
    from initsup.cli.main import VERBS, load

    if not before:
        return [*VERBS] if not current.startswith("-") else ["--help", "--version"]
    verb, *rest = before
    if "--" in rest or verb not in VERBS:
        return []
    parser, _ = load(verb)
    if current.startswith("-"):
        return sorted(
            option for action in parser.full()._actions for option in action.option_strings if option[:2] == "--"
        )
    option = _SHORT.get(rest[-1], rest[-1]) if rest else ""
    if option in ("--container", "--target"):
        return _containers(rest)
    if option == "--output":
        return ["toml", "yaml", "json"] if verb == "convert" else [*_FORMS]
    if option == "--for":
        return [*_CONDITIONS]
    return _fields(current) if verb == "explain" else _positional(verb, rest)


def _positional(verb: str, rest: list[str]) -> list[str]:
    if verb == "restart":
        return _containers(rest)
    if verb == "completion":
        return [*SHELLS]
    if verb == "signal":
        return ["HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2", "WINCH"]
    if verb in ("get", "describe", "logs", "events", "wait", "exec", "delete"):
        return _pods()
    return []


def _fields(current: str) -> list[str]:
    """The fields of what stands before the last dot of the current word."""
    from initsup.cli.explain import fields_of

    above = current.rpartition(".")[0]
    if not above:
        return [*fields_of("pod.spec"), "pod", "supervisor"]
    return [f"{above}.{name}" for name in fields_of(above)]


def _containers(rest: list[str]) -> list[str]:
    """The containers of the pod that the words so far mean; none when there is no pod."""
    from initsup.api.client import find_state_dir, get_pod
    from initsup.errors import InitsupError

    given = next((rest[at + 1] for at, word in enumerate(rest[:-1]) if word == "--state-dir"), None)
    try:
        spec = get_pod(find_state_dir(given))["spec"]
    except InitsupError:
        return []
    return [container["name"] for kind in _LISTS for container in spec.get(kind) or ()]


def _pods() -> list[str]:
    import os

    from initsup.api.client import state_dirs

    return sorted(set(map(os.path.basename, state_dirs())))

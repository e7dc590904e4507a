"""The command line: one table of verbs, each a function in a module that is imported when it is chosen."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from initsup.cli.parser import Parser

VERBS: dict[str, tuple[str, str]] = {
    "run": ("initsup.cli.run:run", "Run a pod in the foreground until it ends"),
    "get": ("initsup.cli.get:get", "Show a pod as a table, or the whole object"),
    "describe": ("initsup.cli.describe:describe", "Show a pod in detail, with its events"),
    "logs": ("initsup.cli.logs:logs", "Print what a container has written"),
    "events": ("initsup.cli.events:events", "List what has happened to a pod"),
    "timeline": ("initsup.cli.timeline:timeline", "Draw what a run has been through, along the time"),
    "wait": ("initsup.cli.wait:wait", "Wait until a pod meets a condition"),
    "top": ("initsup.cli.top:top", "Show the CPU and memory that a pod uses"),
    "health": ("initsup.cli.health:health", "Tell by the exit code whether a pod is ready"),
    "attach": ("initsup.cli.attach:attach", "Join the streams of a running container"),
    "debug": ("initsup.cli.debug:debug", "Add a container to a running pod, to look into it"),
    "cp": ("initsup.cli.cp:cp", "Copy files into or out of a container"),
    "port-forward": ("initsup.cli.forward:forward", "Carry connections to a port of the pod"),
    "exec": ("initsup.cli.execute:execute", "Run a command in a container"),
    "restart": ("initsup.cli.ask:restart", "Restart a container, or all of them"),
    "signal": ("initsup.cli.ask:signal", "Send a signal to a container's main process"),
    "apply": ("initsup.cli.apply:apply", "Change a running pod to what a file says now"),
    "delete": ("initsup.cli.delete:delete", "End a pod gracefully"),
    "reexec": ("initsup.cli.reexec:reexec", "Have a running initsup replaced by the one installed now"),
    "check": ("initsup.cli.check:check", "Check a manifest without running it"),
    "convert": ("initsup.cli.convert:convert", "Turn a manifest into TOML, YAML, JSON, or one for a cluster"),
    "explain": ("initsup.cli.explain:explain", "Describe a field of a manifest"),
    "schema": ("initsup.cli.schema:schema", "Print the JSON Schema of a manifest"),
    "kubeconfig": ("initsup.cli.kubectl:kubeconfig", "Let kubectl in, and print what it needs"),
    "kubectl": ("initsup.cli.kubectl:kubectl", "Run kubectl against a pod"),
    "dashboard": ("initsup.cli.dashboard:dashboard", "Print the address of a pod's page for a browser"),
    "completion": ("initsup.cli.completion:completion", "Print the shell code that completes initsup's words"),
}
"""Verb → its function and what it does in a line. The function's module has `arguments(parser)` beside it (or
`VERB_arguments`, where one module has several verbs), which defines the verb's options and imports nothing heavy.
"""

HIDDEN = {"__complete": ("initsup.cli.completion:complete", "Print the words that may come next")}

GROUPS = {
    "Run a pod": ("run",),
    "Look at it": ("get", "describe", "logs", "events", "timeline", "dashboard", "top", "wait", "health"),
    "Work with it": ("apply", "exec", "attach", "debug", "cp", "port-forward", "restart", "signal", "delete"),
    "Write manifests": ("check", "convert", "explain", "schema"),
    "Set up": ("kubeconfig", "kubectl", "reexec", "completion"),
}


def program() -> NoReturn:
    """The command `initsup`: `main`, after which the process ends at once.

    All that counts is written and closed by then. To take the interpreter apart, object by object, would take 2 ms more
    after a run, 4 ms after one of a thousand containers, and 4 to 8 ms after other verbs.
    """
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # the interpreter says what could not be written
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is the verb's own, 2 for bad input or usage, 130 after Ctrl-C, 1 for a fault."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:  # as the interpreter has it when it is closed
        from initsup.node.ground import open_streams

        open_streams()
    try:
        return _run_verb(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as end:  # argparse after --help
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _give_up_stdout()
    except Exception as problem:
        return _explain(problem)


def _run_verb(words: list[str]) -> int:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        return _help(words[1:])
    if verb in ("--version", "version"):
        from initsup import __version__

        print(f"initsup {__version__}")
        return 0
    parser, function = load(verb)
    code = function(parser.parse(words[1:]))
    sys.stdout.flush()
    return code


def load(verb: str) -> tuple[Parser, Callable[[Namespace], int]]:
    """The parser and the function of a verb. Raises UsageError for an unknown one."""
    from initsup.cli.parser import Parser

    target, summary = {**VERBS, **HIDDEN}.get(verb) or _unknown(verb)
    module_name, _, name = target.partition(":")
    module = __import__(module_name, fromlist=(name,))  # importlib's own import would cost the first container 0.3 ms
    parser = Parser(verb, summary)
    (getattr(module, f"{name}_arguments", None) or module.arguments)(parser)
    return parser, getattr(module, name)


def _unknown(verb: str) -> tuple[str, str]:
    from difflib import get_close_matches

    from initsup.errors import UsageError

    close = get_close_matches(verb, VERBS, 1)
    hint = f", did you mean {close[0]}?" if close else ""
    raise UsageError(f"unknown command {verb!r}{hint}\nSee 'initsup --help' for the commands there are.")


def _help(words: list[str]) -> int:
    """Help on one verb, or the list of all."""
    if words and not words[0].startswith("-"):
        print(load(words[0])[0].full().format_help(), end="")
        return 0
    print("initsup runs a Kubernetes Pod as plain processes of this host.\n")
    for title, verbs in GROUPS.items():
        print(f"{title}:")
        print("".join(f"  {verb:<14}{VERBS[verb][1]}\n" for verb in verbs))
    print("Usage:\n  initsup COMMAND [options]\n")
    print("Use 'initsup COMMAND --help' for examples and options, 'initsup --version' for the version.")
    return 0


def _explain(problem: Exception) -> int:
    """Say what went wrong: in a line when it was foreseen, with a traceback when it was not."""
    from initsup.errors import InitsupError, InvalidManifest

    if isinstance(problem, InvalidManifest):  # one line for each problem, as compilers have it: file:line: what
        print(problem, file=sys.stderr)
        return problem.exit_code
    if isinstance(problem, InitsupError):
        print(f"initsup: {problem}", file=sys.stderr)
        return problem.exit_code
    import traceback

    traceback.print_exception(problem)
    print("initsup: this is a fault of initsup itself, please report it", file=sys.stderr)
    return 1


def _give_up_stdout() -> int:
    """The reader of our output has gone: end quietly, as a shell would report the death by SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141

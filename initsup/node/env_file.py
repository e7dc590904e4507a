"""One variable out of an environment file (fileKeyRef; KEP-3721, pkg/kubelet/util/env).

A file has lines `NAME='text'`. The text is literal and may go over several lines; there are no escapes, so it cannot
hold a single quote. Blanks before a name, blank lines and comments (`#`, also behind the closing quote) are skipped.
"""

from __future__ import annotations


class BadFile(ValueError):
    """The file breaks the format before, or at, the variable that is looked for."""


def find(text: str, key: str) -> str:
    """The value of `key` in the file's `text`, "" when it is not there. Raises BadFile.

    Nothing behind the variable is looked at.
    """
    rest = text.replace("\r\n", "\n")
    while rest:
        line, _, after = rest.partition("\n")
        line = line.lstrip(" \t")
        if not line or line[0] == "#":
            rest = after
            continue
        name, equals, _ = line.partition("=")
        if not equals or not name or name != name.rstrip(" \t"):
            raise BadFile(f"not NAME='text': {line}")
        # From here on in `rest`, as the text may go on in the next lines.
        value, rest = _value(rest[rest.index("=") + 1 :])
        if name == key:
            return value
    return ""


def _value(rest: str) -> tuple[str, str]:
    """The value at the start of `rest`, and what follows its line."""
    if rest[:1] in ("", " ", "\t", "\n"):
        return "", rest.partition("\n")[2]
    if rest[0] != "'":
        raise BadFile("value must be enclosed in single quotes")
    value, quote, rest = rest[1:].partition("'")
    if not quote:
        raise BadFile("the closing quote is missing")
    tail, _, rest = rest.partition("\n")
    if tail.strip(" \t") and tail.lstrip(" \t")[0] != "#":
        raise BadFile("unexpected content after closing quote")
    return value, rest

"""YAML → builtins, as Kubernetes reads it, and the line of each value.

The parser (PyYAML, with libyaml where it is there) gives events; the values are made here, because PyYAML's own
constructors differ from what `kubectl` does: repeated keys are kept silently, `1:30` is ninety, dates are no strings,
`0o644` is a string. Rules of plain values are those of go-yaml v2 behind sigs.k8s.io/yaml.
"""

from collections.abc import Iterator
from typing import Any

from .document import MOST_VALUES, Lines, Path, malformed

MOST_DEPTH = 200
"""How deep values may be nested; Kubernetes' own objects stay below 20."""
MOST_ALIASED = 100_000
"""How many values the aliases of one document may repeat: a few lines of aliases of aliases can stand for billions."""

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INFINITE = (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
_TAG = "tag:yaml.org,2002:"


def parse(text: str) -> list[Any]:
    """All documents of a text. Raises InvalidManifest with the line."""
    return [value for value, _ in _documents(text, marking=False)]


def lines(text: str) -> list[Lines]:
    """The lines of all documents of a text that could be parsed."""
    return [marks for _, marks in _documents(text, marking=True)]


def plain(text: str) -> Any:
    """What a value that is not quoted means: a string unless it looks like something else. Raises OverflowError."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "0123456789+-.":
        return _number(text)
    return text


def _number(text: str) -> Any:
    """A number, or the text itself if it is none."""
    bare = text.replace("_", "")
    sign, digits = (bare[0], bare[1:]) if bare[:1] in ("+", "-") else ("", bare)
    if digits in _INFINITE:
        raise OverflowError
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2].lower(), 8 if digits[:1] == "0" and digits.isdigit() else 10)
    try:
        if digits[:1].isdigit() and len(digits) < 40:
            number = int(digits, base)
            return -number if sign == "-" else number
    except ValueError:
        pass
    if not digits or digits.strip("0123456789.eE+-") or digits[0] in "eE+-":
        return text
    try:
        number_ = float(bare)
    except ValueError:
        return text
    if number_ in (float("inf"), float("-inf")):
        raise OverflowError
    return number_


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("anchor", "key", "keys", "line", "merged", "path", "start", "value")

    def __init__(self, value: Any, path: Path, anchor: str | None, start: int, line: int) -> None:
        self.value = value
        self.path = path
        self.anchor = anchor
        self.start = start
        self.line = line
        self.key: str | None = None
        self.keys: dict[str, int] = {}
        self.merged: list[dict[str, Any]] = []


_MERGE = "<<"
_UNFINISHED = object()


def _documents(text: str, marking: bool) -> Iterator[tuple[Any, Lines]]:
    import yaml

    loader = getattr(yaml, "CLoader", None) or yaml.Loader
    parser = loader(text)
    try:
        while True:
            event = parser.get_event()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                yield _Builder(parser, yaml, marking).document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise malformed("a character that YAML does not allow", 'write it as an escape such as "\\x07"', line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = error.problem or error.context or "not YAML"
        hint = "indent with spaces, YAML takes no tabs" if "\\t" in message or _is_tab(text, mark) else ""
        raise malformed(f"not YAML: {message}", hint, mark.line + 1 if mark else 0) from None
    finally:
        parser.dispose()


def _is_tab(text: str, mark: Any) -> bool:
    """Whether a parser stumbled over a tab."""
    if mark is None:
        return False
    rows = text.split("\n", mark.line + 1)
    return bool(mark.line < len(rows) and rows[mark.line].lstrip(" ").startswith("\t"))


class _Builder:
    """Makes one document from events. Not recursive, so that no nesting can exhaust the stack."""

    def __init__(self, parser: Any, yaml: Any, marking: bool) -> None:
        self.parser = parser
        self.yaml = yaml
        self.marking = marking
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.marks: Lines = {}
        self.count = 0
        self.aliased = 0
        self.result: Any = None

    def document(self) -> tuple[Any, Lines]:
        """Reads up to the end of the document."""
        yaml = self.yaml
        while True:
            event = self.parser.get_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self.count += 1
                self.scalar(event)
            elif kind is yaml.MappingStartEvent:
                self.start(event, {})
            elif kind is yaml.SequenceStartEvent:
                self.start(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.end()
            elif kind is yaml.AliasEvent:
                self.alias(event)
            else:
                return self.result, self.marks

    def scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        top = self.open[-1] if self.open else None
        if event.tag is None and event.implicit[0]:
            if top is not None and top.key is None and type(top.value) is dict:
                self.key(top, event.value, line)
                if event.anchor:
                    self.anchors[event.anchor] = (event.value, 1)
                return
            try:
                value = plain(event.value)
            except OverflowError:
                raise malformed(f"{event.value} is not a number that JSON can hold", "put it in quotes", line) from None
        else:
            value = _tagged(event, line)
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.add(value, line)

    def key(self, top: _Open, text: str, line: int) -> None:
        """A key that is not quoted."""
        try:
            value = text if text == _MERGE else plain(text)
        except OverflowError:
            value = None
        if type(value) is int and str(value) == text:
            value = text
        if type(value) is not str:
            raise malformed(f"the key {text or 'of this entry'} is not a string", "put it in quotes", line)
        if value == _MERGE:
            top.key = _MERGE
        else:
            self.named(top, value, line)

    def named(self, top: _Open, name: str, line: int) -> None:
        """Notes the key of the value that comes next."""
        if name in top.keys:
            raise malformed(f"the key {name} is there twice, first in line {top.keys[name]}", "remove one", line)
        top.keys[name] = line
        top.key = name
        if self.marking:
            self.marks[(*top.path, name)] = line

    def start(self, event: Any, value: Any) -> None:
        line = event.start_mark.line + 1
        self.count += 1
        if len(self.open) >= MOST_DEPTH:
            raise malformed(f"nested more than {MOST_DEPTH} levels deep", "", line)
        path: Path = ()
        if self.open:
            top = self.open[-1]
            step = len(top.value) if type(top.value) is list else top.key
            if step is None:
                raise malformed("a key that is a list or a mapping", "keys are strings", line)
            path = (*top.path, step)
        if self.marking:
            self.marks.setdefault(path, line)
        if event.tag not in (None, "!", _TAG + ("map" if type(value) is dict else "seq")):
            raise malformed(f"unknown tag {event.tag}", "remove it", line)
        if event.anchor:
            self.anchors[event.anchor] = (_UNFINISHED, 0)
        self.open.append(_Open(value, path, event.anchor, self.count, line))

    def end(self) -> None:
        top = self.open.pop()
        for merged in top.merged:
            for name, value in merged.items():
                top.value.setdefault(name, value)
        if top.anchor:
            self.anchors[top.anchor] = (top.value, self.count - top.start + 1)
        self.add(top.value, top.line)

    def alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        value, size = self.anchors.get(event.anchor, (None, 0))
        if not size:
            fault = "contains itself" if value is _UNFINISHED else "is not defined above"
            raise malformed(f"the anchor {event.anchor} {fault}", "", line)
        self.count += size
        self.aliased += size
        if self.aliased > MOST_ALIASED:
            raise malformed(f"the aliases repeat more than {MOST_ALIASED} values", "write the values out", line)
        self.add(value, line)

    def add(self, value: Any, line: int) -> None:
        """Puts a finished value where it belongs."""
        if self.count > MOST_VALUES:
            raise malformed(f"more than {MOST_VALUES} values", "this is no manifest", line)
        if not self.open:
            self.result = value
            if self.marking:
                self.marks.setdefault((), line)
            return
        top = self.open[-1]
        if type(top.value) is list:
            if self.marking:
                self.marks.setdefault((*top.path, len(top.value)), line)
            top.value.append(value)
        elif top.key is None:
            if type(value) is not str:
                raise malformed("a key that is not a string", "put it in quotes", line)
            self.named(top, value, line)
        elif top.key is _MERGE and _MERGE not in top.keys:
            parts = value if type(value) is list else [value]
            if not all(type(part) is dict for part in parts):
                raise malformed("<< takes a mapping or a list of mappings", "", line)
            top.merged.extend(parts)
            top.key = None
        else:
            top.value[top.key] = value
            top.key = None


def _tagged(event: Any, line: int) -> Any:
    """A value that is quoted or has a tag."""
    tag = event.tag
    if tag is None or tag in ("!", _TAG + "str"):
        return event.value
    try:
        value = plain(event.value)
    except OverflowError:  # also .inf and .nan
        value = ()  # of no type that there is a tag for
    wanted = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}.get(
        tag.removeprefix(_TAG), ()
    )
    if type(value) not in wanted:
        raise malformed(f"{event.value} does not fit its tag {tag.replace(_TAG, '!!')}", "remove the tag", line)
    return value

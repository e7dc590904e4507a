"""Files → documents: which form a file has, and what cannot be a manifest at all."""

import os
import sys
from functools import partial
from types import ModuleType

from initsup.errors import InvalidManifest, Problem

from .document import Document, Source, malformed

MOST_BYTES = 4 * 2**20
"""No manifest is larger: the Kubernetes API takes at most 3 MiB at once."""

_FORMS = {".toml": "toml", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def documents(path: str, problems: list[Problem]) -> list[Document]:
    """The documents of one file, `-` being stdin; empty ones are left out.

    Adds to `problems` what hinders no other part of it. Raises InvalidManifest if it cannot be read.
    """
    try:
        text = _text(_bytes(path))
        name = _FORMS.get(os.path.splitext(path)[1].lower()) or _form_of(text)
        form = _module(name)
        values = form.parse(text)
    except InvalidManifest as error:
        raise InvalidManifest([problem._replace(file=path) for problem in error.problems]) from None
    source = Source(path, partial(form.lines, text))
    found = [Document(source, index, value) for index, value in enumerate(values) if value is not None]
    for document in found:
        if not isinstance(document.body, dict):
            raise InvalidManifest(
                [document.problem("", "not an object", "expected apiVersion, kind, metadata and spec")]
            )
    if not found:
        raise InvalidManifest([document_of_nothing(source).problem("", "there is nothing in it", "describe a pod")])
    if name == "toml" and "kind" not in found[0].body:
        from .toml_pod import kubernetes_form

        return kubernetes_form(found[0], problems)
    return [inner for document in found for inner in _items(document)]


def document_of_nothing(source: Source) -> Document:
    """What a problem of the whole file belongs to."""
    return Document(source, 0, {})


def _bytes(path: str) -> bytes:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise malformed(f"cannot read it: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise malformed(f"larger than {MOST_BYTES // 2**20} MiB", "this is no manifest; one pod takes a few KiB")
    return data


def _text(data: bytes) -> str:
    """UTF-8, with or without a byte order mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise malformed("UTF-16 text", "save it as UTF-8")
    if b"\0" in data:
        raise malformed("not a text file", "expected YAML, JSON or TOML", data.count(b"\n", 0, data.find(b"\0")) + 1)
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise malformed(f"not UTF-8: byte 0x{data[error.start]:02x}", "save it as UTF-8", line) from None


def _module(form: str) -> ModuleType:
    """What reads a form; nobody waits for the others to be imported."""
    if form == "toml":
        from . import toml_form

        return toml_form
    if form == "json":
        from . import json_form

        return json_form
    from . import yaml_form

    return yaml_form


def _form_of(text: str) -> str:
    """The form of a text whose name does not tell it, from its first line that says something."""
    for row in text.split("\n"):
        start = row.strip()
        if start and not start.startswith("#"):
            break
    else:
        return "yaml"
    if start.startswith("{"):
        inner = text[text.index("{") + 1 :].lstrip()[:1]
        return "json" if inner in ('"', "}") else "yaml"
    key, equals, _ = start.partition("=")
    is_toml = start.startswith("[") or (equals and ":" not in key.strip("\"' "))
    return "toml" if is_toml else "yaml"


def _items(document: Document) -> list[Document]:
    """The objects of a list, or the document itself if it is none."""
    items = document.body.get("items")
    if not document.kind.endswith("List") or not isinstance(items, list):
        return [document]
    found = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise InvalidManifest([document.problem(f"items[{index}]", "not an object")])
        item.setdefault("kind", document.kind.removesuffix("List"))
        item.setdefault("apiVersion", document.body.get("apiVersion"))
        inner = Document(document.source, document.index, item, moves=(((), ("items", index)),))
        found += _items(inner)
    return found

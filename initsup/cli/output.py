"""`-o json|yaml|name|jsonpath=…`: objects as kubectl prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from initsup.cli.parser import Parser


def add_output(parser: Parser, *forms: str) -> None:
    """`-o`, for a verb that knows these forms; `jsonpath` stands for `jsonpath=TEMPLATE`."""
    shown = [form if form != "jsonpath" else "jsonpath=TEMPLATE" for form in forms]
    parser.add_argument("-o", "--output", metavar="FORM", default="", help=f"one of {', '.join(shown)}")
    parser.set_defaults(forms=forms)


def check_form(form: str, forms: tuple[str, ...]) -> None:
    """Raises UsageError when the verb does not know the form asked for."""
    if form and form.partition("=")[0] not in forms:
        from initsup.errors import UsageError

        raise UsageError(f"unable to match a printer suitable for the output format {form!r}, "
                         f"allowed formats are: {','.join(forms)}")  # fmt: skip


def render(obj: dict[str, Any], form: str) -> str:
    """An object in one of the forms `json`, `yaml`, `name`, `jsonpath=TEMPLATE`, with its last newline."""
    if form == "json":
        import json

        return json.dumps(obj, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    if form == "yaml":
        return _yaml(obj)
    if form == "name":
        return f"{obj.get('kind', 'Pod').lower()}/{obj['metadata']['name']}\n"
    from initsup.cli.jsonpath import fill

    return fill(form.removeprefix("jsonpath="), obj)


def _yaml(obj: Any) -> str:
    """YAML as kubectl writes it: keys sorted, blocks, text of several lines as a literal block."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(obj, Dumper=Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False, width=10**6))

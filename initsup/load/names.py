"""What names may look like (apimachinery `pkg/util/validation`): each function gives the rules that a text breaks.

The words are Kubernetes'. No regular expression is used: these run for every name of every pod at start-up.
"""

from collections.abc import Callable

Rules = Callable[[str], list[str]]
"""What each of these functions is."""

_LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
_ALNUM = _LOWER + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)

PORT_RANGE = "must be between 1 and 65535, inclusive"
ID_RANGE = "must be between 0 and 2147483647, inclusive"
MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"
NOT_NEGATIVE = "must be greater than or equal to 0"


def _only(text: str, allowed: str) -> bool:
    """Whether every character of `text` is one of `allowed`."""
    return not text.strip(allowed)


def _is_label(text: str) -> bool:
    return bool(text) and _only(text, _LOWER + "-") and text[0] != "-" and text[-1] != "-"


def label(text: str) -> list[str]:
    """An RFC 1123 label: names of containers, volumes, hosts."""
    broken = []
    if len(text) > 63:
        broken.append("must be no more than 63 characters")
    if not _is_label(text):
        if all(_is_label(part) for part in text.split(".")):
            return [*broken, "must not contain dots"]
        broken.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            f"'{_LABEL}')"
        )
    return broken


def subdomain(text: str) -> list[str]:
    """An RFC 1123 subdomain: names of pods and other objects, host names with dots."""
    broken = []
    if len(text) > 253:
        broken.append("must be no more than 253 characters")
    if not all(_is_label(part) for part in text.split(".")):
        broken.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{_LABEL}(\\.{_LABEL})*')"
        )
    return broken


def qualified(text: str) -> list[str]:
    """The key of a label or annotation, the type of a condition: `[example.com/]Name`."""
    *prefix, name = text.split("/")
    if len(prefix) > 1:
        return [
            f"a qualified name {_QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    broken = []
    if prefix:
        broken = (
            [f"prefix part {rule}" for rule in subdomain(prefix[0])] if prefix[0] else ["prefix part must be non-empty"]
        )
    if not name:
        broken.append("name part must be non-empty")
    elif len(name) > 63:
        broken.append("name part must be no more than 63 characters")
    if not _is_word(name):
        broken.append(f"name part {_QUALIFIED_RULE}")
    return broken


def label_value(text: str) -> list[str]:
    """The value of a label; may be empty."""
    broken = []
    if len(text) > 63:
        broken.append("must be no more than 63 characters")
    if text and not _is_word(text):
        broken.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            f"validation is '({_QUALIFIED})?')"
        )
    return broken


def _is_word(text: str) -> bool:
    return bool(text) and _only(text, _ALNUM + "-_.") and text[0] in _ALNUM and text[-1] in _ALNUM


def env_name(text: str) -> list[str]:
    """The name of an environment variable, or a prefix of such names (KEP-4369)."""
    if text and text.isascii() and text.isprintable() and "=" not in text:
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def config_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret."""
    broken = []
    if len(text) > 253:
        broken.append("must be no more than 253 characters")
    if not text or not _only(text, _ALNUM + "-_."):
        broken.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )
    if text in (".", ".."):
        broken.append(f"must not be '{text}'")
    elif text.startswith(".."):
        broken.append("must not start with '..'")
    return broken


def port_name(text: str) -> list[str]:
    """The name of a port."""
    broken = []
    if len(text) > 15:
        broken.append("must be no more than 15 characters")
    if not text or not _only(text, _LOWER + "-"):
        broken.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= char <= "z" for char in text):
        broken.append("must contain at least one letter (a-z)")
    if "--" in text:
        broken.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        broken.append("must not begin or end with a hyphen")
    return broken


def port_number(number: int) -> list[str]:
    """A TCP or UDP port."""
    return [] if 1 <= number <= 65535 else [PORT_RANGE]


def user_id(number: int) -> list[str]:
    """A user or group id."""
    return [] if 0 <= number <= 2**31 - 1 else [ID_RANGE]


def mode(number: int | None) -> list[str]:
    """The permission bits of a file."""
    return [] if number is None or 0 <= number <= 0o777 else [MODE_RANGE]


def header_name(text: str) -> list[str]:
    """The name of an HTTP header."""
    if text and _only(text, _ALNUM + "-"):
        return []
    return [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
        "validation is '[-A-Za-z0-9]+')"
    ]


def ip_address(text: str) -> list[str]:
    """An IPv4 or IPv6 address."""
    from ipaddress import ip_address as parse

    try:
        parse(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def sysctl_name(text: str) -> list[str]:
    """The name of a kernel parameter."""
    segments = text.replace("/", ".").split(".")
    if len(text) <= 253 and all(
        segment and _only(segment, _LOWER + "-_") and segment[0] in _LOWER and segment[-1] in _LOWER
        for segment in segments
    ):
        return []
    segment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
    return [f"must have at most 253 characters and match regex ^({segment}[\\./])*{segment}$"]


def no_back_steps(path: str) -> list[str]:
    """A path that does not go up."""
    return ["must not contain '..'"] if ".." in path.split("/") else []


def descending(path: str) -> list[str]:
    """A relative path that does not go up."""
    return (["must be a relative path"] if path.startswith("/") else []) + no_back_steps(path)


def unreserved(path: str) -> list[str]:
    """A descending path whose first name does not start with two dots, which mark a volume's own files."""
    reserved = path.startswith("..") and not path.startswith("../")
    broken = descending(path)
    return [*broken, "must not start with '..'"] if reserved and path != ".." else broken

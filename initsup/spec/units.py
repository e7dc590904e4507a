"""The small languages inside Kubernetes' strings: quantities, durations, ages, signal names.

Everything is exact and pure. Quantities follow apimachinery `pkg/api/resource`, durations Go's `time.ParseDuration`,
ages `pkg/util/duration`; no regular expression is compiled, as most of this runs before the first container starts.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

# -- whole numbers ---------------------------------------------------------------------------------------------------


def whole_number(text: str) -> int | None:
    """The number that `text` is: ASCII digits and nothing else. None for all other text, also for thousands of digits,
    which Python refuses to make a number of (`sys.set_int_max_str_digits`).
    """
    if not (text.isascii() and text.isdecimal()):  # of digits there are more, such as ²
        return None
    try:
        return int(text)
    except ValueError:
        return None


# -- quantities ------------------------------------------------------------------------------------------------------

NANO = 10**9
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def nanos(text: str) -> int:
    """A quantity in billionths, the finest step that Kubernetes keeps (finer ones are rounded away from zero).

    Raises ValueError when `text` is no quantity.
    """
    digits, suffix = _split_quantity(text)
    whole, _, fraction = digits.lstrip("+-").partition(".")
    number = int((whole + fraction) or "x") * NANO
    if suffix in _BINARY:
        number *= _BINARY[suffix]
        shift = -len(fraction)
    else:
        shift = _exponent(suffix) - len(fraction)
    scale = int("1" + "0" * abs(shift))
    number = number * scale if shift >= 0 else -(-number // scale)
    return -number if digits.startswith("-") else number


def value(text: str) -> int:
    """A quantity as whole units (bytes, CPUs), rounded up: Kubernetes' `Quantity.Value()`. Raises ValueError."""
    return -(-nanos(text) // NANO)


def milli_value(text: str) -> int:
    """A quantity in thousandths, rounded up, as CPU is counted: `Quantity.MilliValue()`. Raises ValueError."""
    return -(-nanos(text) // 10**6)


def parse_quantity(text: str) -> "Fraction":
    """A quantity exactly. Raises ValueError. Where whole or milli units do, `value` and `milli_value` are cheaper."""
    from fractions import Fraction

    return Fraction(nanos(text), NANO)


def format_quantity(text: str) -> str:
    """The canonical form of a quantity: `1024Mi` → `1Gi`, `0.5` → `500m`, `1.5Gi` → `1536Mi`. Raises ValueError."""
    return format_nanos(nanos(text), text)


def format_nanos(number: int, like: str) -> str:
    """`number` billionths as a canonical quantity with the kind of suffix that the quantity `like` has.

    Kubernetes' rule: no fraction, the largest suffix that allows it; binary suffixes only for whole units.
    """
    suffix = _split_quantity(like)[1]
    sign, number = ("-", -number) if number < 0 else ("", number)
    if number == 0:
        return "0"
    if suffix in _BINARY and number >= NANO * 1024 and number % NANO == 0:
        name, unit = max(
            (pair for pair in [("", 1), *_BINARY.items()] if number % (pair[1] * NANO) == 0), key=lambda pair: pair[1]
        )
        return f"{sign}{number // (unit * NANO)}{name}"
    step = next(power for power in range(18, -12, -3) if number % 10 ** (power + 9) == 0)
    number //= 10 ** (step + 9)
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and suffix not in _BINARY:
        return f"{sign}{number}" + (f"e{step}" if step else "")
    return sign + str(number) + next(name for name, power in _DECIMAL.items() if power == step)


def _split_quantity(text: str) -> tuple[str, str]:
    """The number and the suffix of a quantity; raises ValueError when it has no proper number."""
    end = 1 if text[:1] in ("+", "-") else 0
    while end < len(text) and (text[end] in "0123456789."):
        end += 1
    digits = text[:end]
    bare = digits.lstrip("+-")
    if not bare or bare == "." or bare.count(".") > 1 or len(text) > 100:
        raise ValueError(f"not a quantity: {text!r}")
    return digits, text[end:]


def _exponent(suffix: str) -> int:
    """The power of ten that a decimal suffix or an exponent (`e3`, `E-2`) stands for."""
    power = _DECIMAL.get(suffix)
    if power is not None:
        return power
    digits = suffix[1:].removeprefix("-") if suffix[1:2] == "-" else suffix[1:].removeprefix("+")
    if suffix[0] not in "eE" or not (digits.isascii() and digits.isdigit()) or len(digits) > 3:
        raise ValueError(f"not the suffix of a quantity: {suffix!r}")
    return -int(digits) if suffix[1] == "-" else int(digits)


# -- durations -------------------------------------------------------------------------------------------------------

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": NANO, "m": 60 * NANO, "h": 3600 * NANO}


def parse_duration(text: str) -> float:
    """Seconds from Go's notation: `300ms`, `1m30s`, `1.5h`, `0`. Raises ValueError."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    total = 0
    if not rest:
        raise ValueError("empty")
    while rest:
        end = 0
        while end < len(rest) and rest[end] in "0123456789.":
            end += 1
        stop = end
        while stop < len(rest) and rest[stop] not in "0123456789.":
            stop += 1
        number, unit, rest = rest[:end], rest[end:stop], rest[stop:]
        if unit not in _UNITS or not number.strip(".") or number.count(".") > 1:
            raise ValueError(f"not a duration: {text!r}")
        whole, _, fraction = number.partition(".")
        total += int((whole + fraction) or "0") * _UNITS[unit] // 10 ** len(fraction)
    return (-total if text[0] == "-" else total) / NANO


def format_duration(seconds: float) -> str:
    """Go's `Duration.String()`: `10s`, `1m20s`, `5m0s`, `1.5s`, `300ms`, `0s`."""
    left = round(abs(seconds) * NANO)
    sign = "-" if seconds < 0 and left else ""
    if left == 0:
        return "0s"
    if left < NANO:
        unit = "ms" if left >= 10**6 else "µs" if left >= 10**3 else "ns"
        return sign + _decimal(left, _UNITS[unit]) + unit
    minutes, left = divmod(left, 60 * NANO)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return sign + head + _decimal(left, NANO) + "s"


def _decimal(number: int, unit: int) -> str:
    """`number / unit` in decimal without trailing zeros; `unit` is a power of ten."""
    whole, rest = divmod(number, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0").rstrip(".") if rest else str(whole)


def human_duration(seconds: float) -> str:
    """An age as kubectl prints it, coarser the longer it is: `90s`, `5m30s`, `3h`, `8d`, `2y40d`."""
    if seconds < 0:
        return "<invalid>" if seconds <= -1 else "0s"
    total = int(seconds)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")


# -- signals ---------------------------------------------------------------------------------------------------------

SIGRTMIN, SIGRTMAX = 34, 64
"""The first and last real-time signal that programs may use with the usual C libraries."""

_STANDARD = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT "
    "CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)

SIGNALS: dict[str, int] = {
    **{f"SIG{name}": number for number, name in enumerate(_STANDARD.split(), 1)},
    "SIGIOT": 6,
    "SIGCLD": 17,
    "SIGPOLL": 29,
    "SIGRTMIN": SIGRTMIN,
    **{f"SIGRTMIN+{step}": SIGRTMIN + step for step in range(1, 16)},
    **{f"SIGRTMAX-{step}": SIGRTMAX - step for step in range(14, 0, -1)},
    "SIGRTMAX": SIGRTMAX,
}
"""Number of each signal name that `lifecycle.stopSignal` may have (Linux, the generic numbering of x86 and ARM)."""

_SIGNAL_NAMES = {number: name for name, number in reversed(SIGNALS.items())}


def signal_number(name: str) -> int:
    """The number of a signal given as `SIGTERM`, `TERM`, `sigterm`, `15` or `SIGRTMIN+3`. Raises ValueError."""
    given = whole_number(name)
    if given is not None and 0 < given <= SIGRTMAX:
        return given
    upper = name.upper()
    number = SIGNALS.get(upper) or SIGNALS.get("SIG" + upper)
    if number is None:
        raise ValueError(f"not a signal: {name!r}")
    return number


def signal_name(number: int) -> str:
    """`15` → `SIGTERM`; a number that has no name is given as it is."""
    return _SIGNAL_NAMES.get(number, str(number))

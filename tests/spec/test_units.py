"""Quantities, durations, ages and signals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initsup.spec.units import (
    format_duration,
    format_quantity,
    human_duration,
    milli_value,
    nanos,
    parse_duration,
    parse_quantity,
    signal_name,
    signal_number,
    value,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param("0042", 42, id="zeros before it"),
        pytest.param("", None, id="nothing"),
        pytest.param("-1", None, id="a sign"),
        pytest.param(" 1", None, id="a blank"),
        pytest.param("1_0", None, id="what Python takes"),
        pytest.param("\u00b2", None, id="a digit that is no number"),
        pytest.param("\u0663", None, id="a number that is not of ASCII"),
        pytest.param("9" * 5000, None, id="more digits than a number may have"),
    ],
)
def test_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    ("text", "exact", "canonical"),
    [
        pytest.param("0", Fraction(0), "0", id="zero"),
        pytest.param("1", Fraction(1), "1", id="a plain number"),
        pytest.param("0.5", Fraction(1, 2), "500m", id="a fraction becomes milli"),
        pytest.param(".5", Fraction(1, 2), "500m", id="a number may begin with its point"),
        pytest.param("5.", Fraction(5), "5", id="a number may end with its point"),
        pytest.param("+1", Fraction(1), "1", id="a plus sign"),
        pytest.param("-1Mi", Fraction(-(2**20)), "-1Mi", id="a negative number parses"),
        pytest.param("100m", Fraction(1, 10), "100m", id="milli"),
        pytest.param("1500m", Fraction(3, 2), "1500m", id="milli that is no whole number"),
        pytest.param("2000m", Fraction(2), "2", id="milli that is a whole number"),
        pytest.param("5u", Fraction(5, 10**6), "5u", id="micro"),
        pytest.param("5n", Fraction(5, 10**9), "5n", id="nano"),
        pytest.param("0.1n", Fraction(1, 10**9), "1n", id="below nano is rounded up"),
        pytest.param("-0.1n", Fraction(-1, 10**9), "-1n", id="below nano is rounded away from zero"),
        pytest.param("1k", Fraction(1000), "1k", id="decimal kilo"),
        pytest.param("1000", Fraction(1000), "1k", id="a plain thousand"),
        pytest.param("1Ki", Fraction(1024), "1Ki", id="binary kilo"),
        pytest.param("1024Mi", Fraction(2**30), "1Gi", id="the largest suffix that fits"),
        pytest.param("1.5Gi", Fraction(3 * 2**29), "1536Mi", id="a binary fraction"),
        pytest.param("512", Fraction(512), "512", id="a small number without suffix"),
        pytest.param("3M", Fraction(3 * 10**6), "3M", id="mega"),
        pytest.param("1E", Fraction(10**18), "1E", id="exa is no exponent"),
        pytest.param("1Ei", Fraction(2**60), "1Ei", id="exbi"),
        pytest.param("1e3", Fraction(1000), "1e3", id="an exponent"),
        pytest.param("1E-3", Fraction(1, 1000), "1e-3", id="a negative exponent"),
        pytest.param("12e4", Fraction(120000), "120e3", id="an exponent becomes a multiple of three"),
    ],
)
def test_quantity(text: str, exact: Fraction, canonical: str) -> None:
    assert parse_quantity(text) == exact
    assert format_quantity(text) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "ten", "1.2.3", "1KB", "Ki", "--1", "+-1", "1e", "1ee3", "1 Ki", " 1", "1i", ".", "-", "1mm", "١", "1_0"],
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        nanos(text)


def test_no_quantity_takes_long() -> None:
    with pytest.raises(ValueError, match="quantity"):
        nanos("1e999999999")
    with pytest.raises(ValueError, match="quantity"):
        nanos("9" * 100_000)


@pytest.mark.parametrize(
    ("text", "whole", "milli"),
    [
        pytest.param("250m", 1, 250, id="value rounds up"),
        pytest.param("1", 1, 1000, id="a whole number"),
        pytest.param("0.1m", 1, 1, id="milli rounds up, too"),
        pytest.param("64Mi", 2**26, 2**26 * 1000, id="bytes"),
    ],
)
def test_rounded_values(text: str, whole: int, milli: int) -> None:
    assert (value(text), milli_value(text)) == (whole, milli)


@given(st.integers(-(10**20), 10**20), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "n", "u", "e3", "E-6"]))
def test_canonical_form_means_the_same(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert nanos(format_quantity(text)) == nanos(text)
    assert format_quantity(format_quantity(text)) == format_quantity(text)


@pytest.mark.parametrize(
    ("text", "seconds", "again"),
    [
        ("0", 0.0, "0s"),
        ("0s", 0.0, "0s"),
        ("10s", 10.0, "10s"),
        ("1m20s", 80.0, "1m20s"),
        ("5m", 300.0, "5m0s"),
        ("1h", 3600.0, "1h0m0s"),
        ("1.5h", 5400.0, "1h30m0s"),
        ("1.5s", 1.5, "1.5s"),
        ("300ms", 0.3, "300ms"),
        ("2us", 2e-6, "2µs"),
        ("5ns", 5e-9, "5ns"),
        ("-1.5s", -1.5, "-1.5s"),
        ("1h1ms", 3600.001, "1h0m0.001s"),
    ],
)
def test_duration(text: str, seconds: float, again: str) -> None:
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == again


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "1d", "ten", "-", "1.2.3s", ".s", "1m10"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|empty"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (1.9, "1s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60 + 59, "179m"),
        (180 * 60, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 59 * 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400 + 3600, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (9 * 365 * 86400 + 86400, "9y"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("9", 9),
        ("SIGRTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("SIGUSR1", 10),
    ],
)
def test_signal(name: str, number: int) -> None:
    assert signal_number(name) == number


def test_signal_names() -> None:
    assert (signal_name(15), signal_name(29), signal_name(37), signal_name(99)) == (
        "SIGTERM",
        "SIGIO",
        "SIGRTMIN+3",
        "99",
    )
    for bad in ("", "SIGNONE", "0", "65", "SIGRTMIN+16", "9" * 5000):
        with pytest.raises(ValueError, match="not a signal"):
            signal_number(bad)


def test_signal_numbers_are_those_of_this_host() -> None:
    import signal

    for name in ("SIGHUP", "SIGTERM", "SIGUSR1", "SIGCHLD", "SIGWINCH", "SIGSYS", "SIGRTMIN", "SIGRTMAX"):
        assert signal_number(name) == getattr(signal, name)

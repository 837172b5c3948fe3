"""Figures as a person reads them."""

import math


def share(value: float) -> str:
    """A fraction with two decimals, never rounded onto a 0 or a 1 that it is not."""
    text = f"{value:.2f}"
    if (text in ("0.00", "1.00")) and value not in (0.0, 1.0):
        return f"{value:.4f}" if 0.0001 <= value <= 0.9999 else ("> 0.9999" if value > 0.5 else "< 0.0001")
    return text


def percent(value: float) -> str:
    """A fraction in per cent, never rounded onto a 0 % or a 100 % that it is not."""
    if value != value:
        return "not defined"
    whole = round(100 * value)
    if whole in (0, 100) and value not in (0.0, 1.0):
        return f"{100 * value:.1f} %" if 0.0005 <= value < 0.9995 else ("> 99.9 %" if value > 0.5 else "< 0.1 %")
    return f"{whole} %"


def number(value: float, unit: str) -> str:
    """A value without its unit: one decimal in millimetres and pixels, whole numbers from 100 on, else two decimals."""
    if unit in ("mm", "px"):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"
    return share(value) if 0 <= value <= 1 else f"{value:.2f}"


def with_unit(value: float, unit: str) -> str:
    """A value with its unit where it has one."""
    return f"{number(value, unit)} {unit}" if unit not in ("", "share") else number(value, unit)


def interval(low: float, high: float, unit: str) -> str:
    """`low to high`, or an empty text where an end is missing."""
    return "" if math.isnan(low) or math.isnan(high) else f"{number(low, unit)} to {number(high, unit)}"


def patients(count: int) -> str:
    """`1 patient`, `11 patients`."""
    return f"{count} patient" if count == 1 else f"{count} patients"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""

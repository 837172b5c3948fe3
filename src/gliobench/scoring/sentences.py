"""A comparison in one sentence, which never claims more than its interval and its corrected p."""

import math

from gliobench.scoring.clustered import OBUCHOWSKI
from gliobench.scoring.paired import DELONG, MCNEMAR, Difference
from gliobench.scoring.power import ALPHA
from gliobench.scoring.registry import named


def sentence(
    names: tuple[str, str], metric: str, difference: Difference, p_holm: float, comparisons: int, notes: tuple[str, ...]
) -> str:
    """The conclusion from one difference. `comparisons`: how many were made; `notes`: what else a reader has to
    know."""
    said = _said(names, metric, difference, p_holm, comparisons)
    return "; ".join((said, *notes))


def is_shown(difference: Difference, p_holm: float) -> bool:
    """Whether a difference is shown: its interval excludes 0, and p, corrected for all tests, is below 0.05."""
    figure = difference.figure
    return (figure.low > 0 or figure.high < 0) and p_holm < ALPHA


def amount(value: float, metric: str) -> str:
    """A value with its unit: one decimal for mm, two otherwise, more where it would be rounded to 0."""
    unit = named(metric).unit
    text = f"{value:.1f}" if unit == "mm" else f"{value:.2f}"
    if float(text) == 0:
        text = "0" if value == 0 else f"{value:.1g}"
    return text if unit == "share" else f"{text} {unit}"


def _said(names: tuple[str, str], metric: str, difference: Difference, p_holm: float, comparisons: int) -> str:
    figure, n = difference.figure, f"n={difference.n}"
    if math.isnan(figure.value):
        return f"not comparable ({figure.reason}), {n}"
    if math.isnan(figure.low) or math.isnan(difference.p):
        return f"no difference shown: {amount(figure.value, metric)}, {n}, too few patients for an interval and a test"
    ends = f"({amount(figure.low, metric)} to {amount(figure.high, metric)})"
    if is_shown(difference, p_holm):
        higher, lower = names if figure.value > 0 else names[::-1]
        low, high = sorted((abs(figure.low), abs(figure.high)))
        by = f"{amount(abs(figure.value), metric)} ({amount(low, metric)} to {amount(high, metric)})"
        word = "farther off" if named(metric).unit == "mm" else "higher"
        return f"difference shown: {higher} is {word} than {lower} by {by}, {n}, {_p(p_holm, comparisons)}"
    clear, reach = figure.low > 0 or figure.high < 0, _reach(difference, metric)
    if figure.low == figure.high == 0:
        return f"no difference shown: {amount(figure.value, metric)} in every patient, {n}; {reach}"
    text = f"no difference shown: {amount(figure.value, metric)} {ends}, {n}"
    if clear and difference.p < ALPHA:
        # No detectable difference here: it is that of a single comparison, and less than the observed one.
        text += f", p={difference.p:.2g} alone but {_p(p_holm, comparisons)}"
        if difference.test not in (DELONG, OBUCHOWSKI) and _smallest_p(difference.n) * comparisons > ALPHA:
            text += "; so few patients cannot show anything among so many comparisons: name a reference to make fewer"
        return text
    if clear or p_holm < ALPHA:
        text += f", interval and test do not agree (p={difference.p:.2g} before correction)"
    return f"{text}; {reach}"


def _smallest_p(n: int) -> float:
    """The smallest p of swaps within n patients: all in one direction, or all in the other."""
    return 2.0 ** (1 - n)


def _reach(difference: Difference, metric: str) -> str:
    smallest = difference.smallest_detectable
    if math.isnan(smallest) and difference.test == MCNEMAR:
        return "no difference is detectable with so few patients"
    if math.isnan(smallest):
        return "minimum detectable difference undefined"
    return f"minimum detectable difference {amount(smallest, metric)} (80 % power)"


def _p(p_holm: float, comparisons: int) -> str:
    if comparisons == 1:
        return f"p={p_holm:.2g}"
    return f"p={p_holm:.2g} corrected for {comparisons} comparisons"

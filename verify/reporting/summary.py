"""The first screen in words and numbers: do theory and experiment agree, where not, and what could be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from verify.judging.inference import POWER
from verify.judging.judged import Limit, Row
from verify.judging.pairing import LEVEL
from verify.judging.verdict import Comparison
from verify.reporting.names import STATISTIC_TITLES, place

__all__ = ["counted", "counts", "headline", "remarks", "rule"]

NAMED = 3
"""How many disagreements the first sentence names."""


def headline(comparison: Comparison, names: Mapping[str, str]) -> str:
    """One sentence: do theory and experiment agree, and where not."""
    found = Counter(d.verdict for d in comparison.deciding)
    total = sum(found.values())
    both = f"{_theories(comparison)} and experiment"
    where = _where(comparison)
    within = f"within {_within(comparison)}"
    if not total:
        return "Nothing is decided: no comparison has both a prediction and finished networks."
    if comparison.verdict == "fail":
        failing = f"{found['fail']} of {total} comparisons"
        return f"{both[0].upper()}{both[1:]} disagree in {failing} {where}: {_worst(comparison, names)}."
    if comparison.verdict == "pass":
        everywhere = "the one comparison" if total == 1 else f"all {total} comparisons"
        return f"{both[0].upper()}{both[1:]} agree in {everywhere} {where}, {within}."
    unfit = sum(d.verdict == "unclear" and d.trials_needed == 0 for d in comparison.deciding)
    few = found["unclear"] - unfit
    open_ = [
        *([f"for {few} there are too few networks"] if few else []),
        *([f"for {unfit} the declared form of the extrapolation does not fit"] if unfit else []),
    ]
    return (
        f"No disagreement found, not all decided: {both} agree in {found['pass']} of {total} comparisons {where}, "
        f"{within}; {', '.join(open_)}."
    )


def rule(comparison: Comparison) -> str:
    """How the verdict comes about, in two sentences."""
    c = comparison
    cells = "within 1 ± " + _by_order({order: f"({t})" for order, t in c.tolerances.items()})
    limits = "within 1 ± " + _by_order({order: f"{t.limit:g}" for order, t in c.tolerances.items()})
    mixed = len(c.limits) < len(c.deciding)
    alone = "cells decide where there is no limit, and inform elsewhere" if mixed else "single cells inform"
    ratio = (
        f"a₀, measured / predicted extrapolated to infinite width, {limits}; {alone}, {cells}"
        if c.limits
        else f"measured / predicted in each cell, {cells}"
    )
    return (
        f"Verdict on {_theories(c)} at family-wise level {c.alpha:g} (Holm), by two one-sided t-tests "
        f"over networks. What decides is {ratio}."
    )


def remarks(comparison: Comparison, facts: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """What the headline leaves out: how many networks, how the finite widths do, what these trials could have found.

    ``facts``: where the figures come from; they tell what was declared when the networks were measured.
    """
    return [
        _trials(comparison),
        *_redeclared(comparison, facts),
        *_fits(comparison),
        *_finite_widths(comparison, names),
        *_coverage(comparison),
        *_sensitivity(comparison),
    ]


def counts(comparison: Comparison) -> dict[str, dict[str, int]]:
    """How many pass, fail, are unclear or void: among what decides, and among the cells."""
    decides = Counter(d.verdict for d in comparison.deciding)
    cells = Counter(r.verdict for r in comparison.rows)
    return {
        "deciding": {k: decides[k] for k in ("pass", "fail", "unclear")},
        "cells": {k: cells[k] for k in ("pass", "fail", "unclear", "void")},
    }


def counted(found: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The counts as lines: ``decides: 3 pass, 0 fail, 1 unclear``."""
    titles = {"deciding": "decides", "cells": "cells"}
    return [f"{titles[what]}: " + ", ".join(f"{n} {kind}" for kind, n in c.items()) for what, c in found.items()]


def _where(comparison: Comparison) -> str:
    limit, sizes = "in the limit of infinite width", "at the sizes measured"
    if not comparison.limits:
        return sizes
    return limit if len(comparison.limits) == len(comparison.deciding) else f"{limit} or, lacking one, {sizes}"


def _theory(comparison: Comparison) -> str:
    """The theories compared with; the refined one is not there for every metric."""
    names = {"refined": "refined theory", "leading": "leading-order theory"}
    return " and ".join(name for order, name in names.items() if order in comparison.tolerances)


def _theories(comparison: Comparison) -> str:
    """As one subject: each comparison is with one of the theories."""
    if len(comparison.tolerances) == 1:
        return _theory(comparison)
    return "theory (refined where there is one, else leading order)"


def _by_order(values: Mapping[str, str]) -> str:
    """One value, or each with its order where both theories are compared with."""
    if len(values) == 1:
        return next(iter(values.values()))
    return " and ".join(f"{value} ({order})" for order, value in values.items())


def _within(comparison: Comparison) -> str:
    return _by_order({order: _percent(t.limit) for order, t in comparison.tolerances.items()})


def _worst(comparison: Comparison, names: Mapping[str, str]) -> str:
    failing = sorted((d for d in comparison.deciding if d.verdict == "fail"), key=lambda d: -_distance(d))
    named = [f"{place(d, names)}: {d.ratio.value:.3g} of the prediction" for d in failing[:NAMED]]
    return "; ".join([*named, *([f"and {len(failing) - NAMED} more"] if len(failing) > NAMED else [])])


def _trials(comparison: Comparison) -> str:
    failed = sum(comparison.failures.values())
    left_out = " (left out; a table below gives the reasons)" if failed else ""
    return f"{comparison.finished} random networks measured, {failed} failed trials{left_out}."


def _redeclared(comparison: Comparison, facts: Mapping[str, Any]) -> list[str]:
    """What counts as agreement belongs before the measurement: say where it was changed afterwards."""
    sessions = [s for s in facts.get("sessions", ()) if "verdict" in s]
    now = comparison.asked.get("verdict", {})
    starts = [*(s["measured"] for s in sessions[1:]), comparison.finished]
    changes = [
        (networks, {key: (old, now[key]) for key, old in s["verdict"].items() if now.get(key, old) != old})
        for s, networks in zip(sessions, starts, strict=False)
    ]
    told = [(networks, change) for networks, change in changes if change and networks]
    if not told:
        return []
    networks, change = told[-1]
    listed = ", ".join(f"{key.replace('_', ' ')} {old} → {new}" for key, (old, new) in change.items())
    return [f"What counts as agreement was changed after {networks} networks were measured: {listed}."]


def _fits(comparison: Comparison) -> list[str]:
    unfit = sum(not limit.fits for limit in comparison.limits)
    if not unfit:
        return []
    return [
        f"In {unfit} of {len(comparison.limits)} limits the declared form of the extrapolation does not fit the "
        "measurement: such a limit can fail, but not pass."
    ]


def _finite_widths(comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    informing = [r for r in comparison.rows if r.judgement is not None and not r.decides and r.trials]
    if not informing:
        return []
    found = Counter(r.verdict for r in informing)
    worst = max(informing, key=_distance)
    return [
        f"At the finite widths measured, {_theories(comparison)} is shown to be within tolerance in "
        f"{found['pass']} of {len(informing)} cells and outside in {found['fail']}; farthest is the "
        f"{place(worst, names)}: {worst.ratio.value:.3g} of the prediction."
    ]


def _coverage(comparison: Comparison) -> list[str]:
    if not comparison.coverage:
        return []
    level = _percent(LEVEL)
    shares = ", ".join(
        f"{STATISTIC_TITLES[statistic]} {100 * found.share:.1f} %" for statistic, found in comparison.coverage.items()
    )
    networks = max(found.networks for found in comparison.coverage.values())
    return [
        f"Coverage: where the refined theory expects {level} of single networks, the measured share is, over all cells "
        f"(up to {networks} networks a statistic): {shares}."
    ]


def _sensitivity(comparison: Comparison) -> list[str]:
    detectable = sorted(d.judgement.detectable for d in comparison.deciding if d.judgement and d.trials > 1)
    if not detectable:
        return []
    sharpest, median, bluntest = (_percent(detectable[i]) for i in (0, len(detectable) // 2, -1))
    return [
        f"What these trials can tell: with a chance of {_percent(POWER)} they would refute a prediction that is off by "
        f"{sharpest} in the sharpest comparison, {median} in the median one and {bluntest} in the bluntest."
    ]


def _percent(x: float) -> str:
    return f"{100 * x:.2g} %" if x < 1 else f"{100 * x:.0f} %"


def _distance(judged: Row | Limit) -> float:
    return abs(judged.ratio.value - 1)

"""`load`: a data set by its name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from empirical.data.record import DataSet
from empirical.data.scaling import SCALINGS, scaled
from empirical.data.sources import SOURCES, read
from empirical.data.synthetic import SYNTHETICS, draw
from empirical.networks.streams import ROWS, as_seed, child
from meanfield.spec.checks import positive_integer

__all__ = ["NAMES", "load"]

NAMES = (*SOURCES, *SYNTHETICS)


def load(
    name: str,
    n: int | None = None,
    scaling: str = "raw",
    seed: int | None = 0,
    *,
    d: int | None = None,
    c: float | None = None,
) -> DataSet:
    """A data set that a wheel ships (extra ``datasets``), or a drawn one. Never from the network.

    Parameters
    ----------
    name
        ``"digits"``, ``"breast_cancer"``, ``"diabetes"``, ``"wine"``, ``"boston"``, ``"mnist5k"``; or drawn:
        ``"gaussian"`` (i.i.d. N(0, 1)), ``"sloppy"`` (independent features of variances ∝ e^{-c i} with sum d).
    n
        How many samples; all of a shipped set, 500 of a drawn one by default.
    scaling
        ``"raw"``: all numbers by one, so that the mean of |x|²/d is 1. ``"standard"``: each feature's z-score,
        constant ones left out. ``"none"``: untouched. The scale is that of the samples taken.
    seed
        Of the samples' random order, or of the draws: numbers that no network of the same seed has. ``None``: the
        first rows as the source has them.
    d, c
        Of a drawn set: how many features (64 by default); how steep "sloppy" is (0.1).

    Raises
    ------
    ValueError, TypeError
        For what is not as expected, more samples than there are, or a library that isn't installed.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: expected one of {', '.join(SCALINGS)}, got {scaling!r}")
    if name in SYNTHETICS:
        return _drawn(name, n, scaling, seed, d, c)
    for field, value in (("d", d), ("c", c)):
        if value is not None:
            raise ValueError(f"{field}: expected none for {name}, which is not drawn, got {value!r}")
    return _shipped(name, n, scaling, seed)


def _shipped(name: str, n: int | None, scaling: str, seed: int | None) -> DataSet:
    inputs, labels = read(name)
    rows = _chosen(name, n, len(inputs), seed)
    kind = SOURCES[name].labels
    found = scaled(inputs[rows], scaling)
    return DataSet(
        name=name, scaling=scaling, seed=seed, inputs=found.inputs, labels=labels[rows], kind=kind,
        classes=len(np.unique(labels)) if kind == "classes" else 0, rows=rows, dropped=found.dropped,
        scale=found.scale, notes=_notes(found.dropped),
    )  # fmt: skip


def _drawn(name: str, n: int | None, scaling: str, seed: int | None, d: int | None, c: float | None) -> DataSet:
    if seed is None:
        raise ValueError(f"seed: expected an integer for {name}, which is drawn, got None")
    found = scaled(draw(name, n, as_seed(seed), d, c), scaling)
    flat = scaling == "standard" and name == "sloppy"
    more = ("standard scaling gives all features one variance: nothing of the slope is left",) if flat else ()
    return DataSet(
        name=name, scaling=scaling, seed=seed, inputs=found.inputs, labels=None, kind="none", classes=0,
        rows=np.arange(len(found.inputs)), dropped=found.dropped, scale=found.scale,
        notes=(*_notes(found.dropped), *more),
    )  # fmt: skip


def _chosen(name: str, n: int | None, available: int, seed: int | None) -> NDArray[np.intp]:
    """The rows: the first of a random order, so those of a smaller n are the first of a larger."""
    count = available if n is None else positive_integer("n", n)
    if count > available:
        raise ValueError(f"n: expected at most {available}, the samples of {name}, got {count}")
    if seed is None:
        return np.arange(count)
    return np.random.default_rng(child(as_seed(seed), ROWS, 0)).permutation(available)[:count]


def _notes(dropped: tuple[int, ...]) -> tuple[str, ...]:
    if not dropped:
        return ()
    return (f"dropped: {len(dropped)} features that are constant in these samples",)

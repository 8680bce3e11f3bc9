"""The kernel of given inputs: ``ν I_C ⊗ K`` with an N × N matrix K (data_geometry §A).

    K_st = Σ_l q̃^l_st (w_l q̂^{l-1}_st + β_l)

with the coefficients of the metric's row, or q^L itself: the covariance of one output (NNGP).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.exchangeable import Coefficients
from meanfield.propagation.given import GivenLayers, Passed
from meanfield.propagation.samples import GivenSamples
from meanfield.propagation.state import Block
from meanfield.spec import Network

__all__ = ["BLOCK", "Filled", "fill_kernel"]

Floats = NDArray[np.float64]
Write = Callable[[slice, slice, Floats], None]

BLOCK = 256
"""Rows and columns that go through the layers at once: a few MB of arrays."""
_RESOLVED = 1e-10  # of the error of an entry, in units of √(K_ss K_tt)


@dataclass(frozen=True)
class Filled:
    """What is known of a kernel once its blocks are written.

    Attributes
    ----------
    diagonal
        K_ss, (N,).
    error
        A bound on ‖δK‖_F, the numerical error.
    status
        ``"ok"`` or ``"unresolved"``: an entry is not known to 1e-10 √(K_ss K_tt).
    nearest
        The smallest angle between each sample's first preactivation and another sample's, (N,), in radians.
    """

    diagonal: Floats
    error: float
    status: str
    nearest: Floats


def fill_kernel(
    network: Network,
    coefficients: list[Coefficients] | None,
    samples: GivenSamples,
    write: Write,
    others: int = 0,
    told: Callable[[int], None] = lambda _: None,
) -> Filled:
    """Compute K block by block and hand each to ``write``; ``coefficients`` of ``None`` mean q^L.

    With ``others`` = n the first n samples are the rows and the rest the columns; with 0 the matrix is square and only
    blocks on and above its diagonal are computed. ``told`` hears how many entries are there.

    Raises
    ------
    ValueError
        Where an expectation is infinite or overflows.
    """
    layers = GivenLayers(network, samples)
    diagonal = _diagonal(layers, coefficients)
    total, worst = 0.0, 0.0
    nearest = np.full(len(samples.norms), math.pi)
    for rows, columns in _blocks(layers, others):
        gram, known = samples.gram(rows, columns)
        passed = layers.through(rows, columns, gram, known)
        block = _block(passed, coefficients)
        if rows == columns:
            block = (block + block.T) / 2  # symmetric to the last digit
        unit = np.sqrt(diagonal[rows])[:, None] * np.sqrt(diagonal[columns])
        share = passed.forward_error if coefficients is None else passed.forward_error + passed.backward_error
        twice = 1.0 if rows == columns or others else 2.0
        with np.errstate(over="ignore"):
            total += twice * float(np.sum((share * unit) ** 2))
        worst = np.maximum(worst, np.max(share))  # NaN stays
        if not others:
            _approach(nearest, passed, rows, columns)
        write(rows, columns, block)
        told(block.size)
    return Filled(diagonal, math.sqrt(total), "ok" if worst <= _RESOLVED else "unresolved", nearest)


def _blocks(layers: GivenLayers, others: int) -> Iterator[tuple[slice, slice]]:
    if not others:
        yield from layers.blocks(BLOCK)
        return
    count = len(layers.norms)
    for i in range(0, others, BLOCK):
        for j in range(others, count, BLOCK):
            yield slice(i, min(i + BLOCK, others)), slice(j, min(j + BLOCK, count))


def _diagonal(layers: GivenLayers, coefficients: list[Coefficients] | None) -> Floats:
    """K_ss from the variances alone."""
    one = slice(0, 1)
    passed = layers.through(one, one, layers.norms[None, :1])
    diagonal = _sum(passed, coefficients, lambda block: block.variances)
    if not np.all(np.isfinite(diagonal)):
        raise ValueError(
            "inputs: expected finite order parameters, got an overflow or an infinite E[φ'²]: an activation that jumps "
            "or has a cusp, or inputs whose norms it takes too far"
        )
    return diagonal


def _block(passed: Passed, coefficients: list[Coefficients] | None) -> Floats:
    return _sum(passed, coefficients, lambda block: block.cross)


def _sum(passed: Passed, coefficients: list[Coefficients] | None, part: Callable[[Block], Floats]) -> Floats:
    seen = [tuple(part(cast(Block, block)) for block in of_layer) for of_layer in passed.layers]
    if coefficients is None:
        return seen[-1][1]
    terms = [
        backward * (w * forward + b)
        for (forward, _, backward), (w, b) in zip(seen, coefficients, strict=True)
        if np.any(w) or np.any(b)
    ]
    total: Floats = functools.reduce(np.add, terms, np.zeros_like(seen[0][0]))
    return total


def _approach(nearest: Floats, passed: Passed, rows: slice, columns: slice) -> None:
    """Note the smallest angles of a block."""
    made = cast(Block, passed.layers[0].made)  # given samples pass in blocks
    unit = made.unit()
    cosine = np.divide(made.cross, unit, out=np.zeros_like(unit), where=unit > 0)
    same = np.arange(rows.start, rows.stop)[:, None] == np.arange(columns.start, columns.stop)
    angle = np.arccos(np.clip(np.where(same, -1.0, cosine), -1.0, 1.0))
    nearest[rows] = np.minimum(nearest[rows], angle.min(axis=1))
    nearest[columns] = np.minimum(nearest[columns], angle.min(axis=0))

"""The neurons of a layer as the bulk sees them: a table of coefficients over the parts that all samples share.

A neuron of layer l carries z ~ N(0, 1) forward and Y ~ N(0, σ_w² q̃_st^{l+1} I_C) backward, y² = |Y|², the same for all
samples. Given these, its features and gradients act as linear ones plus noise, and everything that the law needs is
their covariance

    A = ζ² σ_w² s + n p,  B = |Y| (ζ ζ₂ σ_w² s + n' p),  G = (ζ₂² y² σ_w²) s + (ζ² σ_w²) t + (...) p,

linear in s = s_{l-1}, t = t_{l+1} and p. This file makes the table of its coefficients over the nodes of (z, y²).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.gaussian.conditional import ConditionalMoments

__all__ = ["NeuronColumns", "NeuronTable", "neuron_table"]

Floats = NDArray[np.float64]

_WINDOW = 1.0  # of z in which neurons count as alike: as many of them share a tail of y²
_BODY = (0.9, 0.8, 0.7, 0.6, 0.5)  # probabilities above the lower bins of y², from where
_BIN_RATIO = 1.86  # they fall by this factor


class NeuronColumns(NamedTuple):
    """The table's columns: the share of a layer's neurons that a row stands for, and their coefficients of A in s and
    p, of B in s and p, and of G in s, t and p."""

    weight: Floats
    As: Floats
    Ap: Floats
    Bs: Floats
    Bp: Floats
    Gs: Floats
    Gt: Floats
    Gp: Floats


@dataclass(frozen=True)
class NeuronTable:
    """Rows of :class:`NeuronColumns`, one a node of (z, y²); those of layer l from ``starts[l]`` to ``starts[l+1]``."""

    rows: Floats
    starts: NDArray[np.int64]


def neuron_table(x: BulkFeatures, rarest: float = 0.0) -> NeuronTable:
    """The table of ``x``, with no neurons rarer than ``rarest`` or than one in the layer's width."""
    none = np.zeros((0, len(NeuronColumns._fields)))
    tables = [none, *(_table(x, layer, rarest) for layer in range(1, x.depth))]
    return NeuronTable(np.concatenate(tables), np.concatenate([[0], np.cumsum([len(t) for t in tables])]))


def _table(x: BulkFeatures, layer: int, rarest: float) -> Floats:
    """The rows of one hidden layer."""
    f, width = x.hidden(layer), 1 / max(rarest, 1 / float(x.widths[layer]))
    # Without backward Grams in this layer or below, y² doesn't enter.
    seen = bool(np.any(x.gradients[1 : layer + 1] > 0))
    blocks = []
    for nodes in _crowds(f, width):
        crowd = width * _WINDOW * math.exp(-0.5 * float(f.z[nodes[0]]) ** 2) / math.sqrt(2 * math.pi)
        y2, share = _chi_square_bins(x.outputs, 1 / crowd) if seen else _whole(x.outputs)
        rows = _rows(x, layer, nodes, y2 * x.common_gradient(layer))
        weights = f.weights[nodes]
        mean = np.einsum("z,zyc->yc", weights, rows) / weights.sum()
        blocks.append(np.concatenate([(weights.sum() * share)[:, None], mean], axis=1))
    return _merged(np.concatenate(blocks))


def _crowds(f: ConditionalMoments, width: float) -> list[NDArray[np.int64]]:
    """The nodes of z, one by one; but each of the two tails that one neuron in ``width`` visits is a crowd."""
    below, above = np.cumsum(f.weights), np.cumsum(f.weights[::-1])[::-1]
    left, right = below * width < 0.5, above * width < 0.5
    middle = np.flatnonzero(~(left | right))
    # The tail's neurons go with the outermost node that is visited.
    first, last = middle[0], middle[-1]
    groups = [np.array([n]) for n in middle[1:-1]]
    if len(middle) == 1:
        return [np.arange(len(f.z))]
    return [np.arange(first, -1, -1), *groups, np.arange(last, len(f.z))]


def _rows(x: BulkFeatures, layer: int, nodes: NDArray[np.int64], y2: Floats) -> Floats:
    """The coefficients of A, B and G at nodes of z (first axis) and of y² (second)."""
    f, variance, theta = x.hidden(layer), x.weight_variance[layer], x.own_gradient(layer)
    zeta, bend, tau = f.slope[nodes, None], f.bend[nodes, None], f.tau
    noise = {key: f.central[key][nodes, None] for key in ((2, 0), (1, 1), (0, 2))}
    # Only B² enters: its sign is that of its first coefficient.
    root = np.sqrt(y2) * np.where(zeta * bend < 0, -1.0, 1.0)
    columns = (
        zeta**2 * variance,
        np.maximum(noise[2, 0] - tau * zeta**2, 0.0),
        root * zeta * bend * variance,
        root * (noise[1, 1] - tau * zeta * bend),
        bend**2 * y2 * variance,
        zeta**2 * x.weight_variance[layer + 1],
        np.maximum(noise[0, 2] - tau * bend**2, 0.0) * y2 + x.outputs * theta * noise[0, 2],
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _merged(rows: Floats) -> Floats:
    """Rows of equal coefficients as one: those of ±z for an odd or even φ, all of a linear one."""
    size = np.max(np.abs(rows[:, 1:]), axis=0)
    scale = np.maximum(size, 1e-3 * np.max(size))  # a column that is nothing but rounding stays so
    _, which = np.unique(np.round(rows[:, 1:] / scale, 11), axis=0, return_inverse=True)
    which = which.ravel()  # NumPy 2.0 gives it two axes
    weights = np.bincount(which, rows[:, 0])
    sums = [np.bincount(which, rows[:, 0] * column) / weights for column in rows[:, 1:].T]
    return np.stack([weights, *sums], axis=1)


def _whole(degrees: int) -> tuple[Floats, Floats]:
    return np.array([float(degrees)]), np.ones(1)


def _chi_square_bins(degrees: int, tail: float) -> tuple[Floats, Floats]:
    """Means and probabilities of bins of the χ² law, the last with the probability ``tail``.

    Finer bins would put the edge of the spectrum where no network of this width has an eigenvalue.
    """
    from scipy.stats import chi2

    if tail >= _BODY[-1]:
        return _whole(degrees)
    count = 1 + math.ceil(math.log(_BODY[-1] / tail) / math.log(_BIN_RATIO))
    above = np.concatenate([[1.0], _BODY[:-1], np.geomspace(_BODY[-1], tail, count), [0.0]])
    probability = -np.diff(above)
    means = -np.diff(degrees * chi2.sf(chi2.isf(above, degrees), degrees + 2)) / probability
    return means, probability / math.fsum(probability)

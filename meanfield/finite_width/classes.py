"""Covariances of exchangeable samples: fifteen numbers.

Samples are exchangeable, so a covariance of two pairs, ``G(s,t; s',t')``, depends only on which of the four labels are
equal: on a partition of four positions. There are fifteen, written as labels in order of appearance (0,1,0,1: a pair of
two samples with itself). An object of two pairs is an array whose last axis holds its value in each of these classes;
whatever is done to it - products, linear maps of either pair, averages over N samples - is an index table of this file.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLASSES", "COUPLED", "EXCHANGED", "FIRST", "OTHER", "PAIR", "SAME", "SECOND", "SWAPPED", "class_of", "crossed",
    "given_covariance", "moved", "occurrences",
]  # fmt: skip

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Labels = tuple[int, ...]

SAME, OTHER = 0, 1  # the two kinds of pair: a sample with itself, two samples


def _canonical(labels: Labels) -> Labels:
    """Labels in order of appearance: (3, 1, 3, 3) is (0, 1, 0, 0)."""
    order = list(dict.fromkeys(labels))
    return tuple(order.index(x) for x in labels)


CLASSES: list[Labels] = sorted({_canonical(x) for x in itertools.product(range(4), repeat=4)})


def class_of(*labels: int) -> int:
    """The class of ``G(s,t; s',t')`` at these labels."""
    return CLASSES.index(_canonical(labels))


def _kind(s: int, t: int) -> int:
    return SAME if s == t else OTHER


def _table(entries: list[object]) -> Integers:
    return np.array(entries, dtype=np.int64)


# The kind of the first and of the second pair of each class, and the class after renaming positions.
FIRST = _table([_kind(s, t) for s, t, _, _ in CLASSES])
SECOND = _table([_kind(p, q) for _, _, p, q in CLASSES])
SWAPPED = _table([class_of(s, t, q, p) for s, t, p, q in CLASSES])  # G(st; t's')
EXCHANGED = _table([class_of(p, q, s, t) for s, t, p, q in CLASSES])  # G(s't'; st)


def _arguments(s: int, t: int) -> list[Labels]:
    """The pairs that a function of two samples depends on: q_ss, q_tt, q_st."""
    return [(s, s), (t, t), (s, t)]


# moved: [class, i, j] is the class of G(q_i; q_j), q_i an argument of the first pair, q_j one of the second.
_MOVED = _table([[[class_of(*a, *b) for b in _arguments(p, q)] for a in _arguments(s, t)] for s, t, p, q in CLASSES])
# A pair with itself, of either kind: its covariances are class 0,0,0,0 and class 0,1,0,1.
PAIR = _table([class_of(0, 0, 0, 0), class_of(0, 1, 0, 1)])
# Q(pq; st): [class, i, j] is the class of Q(p'q'; st) with p' = p, s and q' = q, t.
COUPLED = _table([[[class_of(a, b, s, t) for b in (q, t)] for a in (p, s)] for p, q, s, t in CLASSES])


def moved(covariance: Floats) -> Floats:
    """``G(q_i; q_j)`` for the arguments of both pairs, on two more axes (i, j)."""
    return covariance[..., _MOVED]


def crossed(of_pair: Floats) -> tuple[Floats, Floats]:
    """``f(s,s')`` and ``f(t,t')`` in each class, for an ``f`` with one value for each kind of pair."""
    inner = _table([[_kind(s, p), _kind(t, q)] for s, t, p, q in CLASSES])
    return of_pair[..., inner[:, 0]], of_pair[..., inner[:, 1]]


def given_covariance(deviations: Floats) -> Floats:
    """What pairs of different samples differ by, as covariances over randomly chosen labels: averages of
    ``d_st d_s't'`` over the labels of each class, for a symmetric ``d`` with zero diagonal and zero sum."""
    n = len(deviations)
    squares, rows = float(np.sum(deviations**2)), float(np.sum(deviations.sum(axis=1) ** 2))
    covariance = np.zeros(len(CLASSES))
    sums = {
        2: squares,
        3: rows - squares,
        4: 2 * squares - 4 * rows,
    }  # over different labels: pairs, triples, quadruples
    for labels, index in ((x, class_of(*x)) for x in CLASSES if x[0] != x[1] and x[2] != x[3]):
        different = max(labels) + 1
        if n >= different:
            covariance[index] = sums[different] / math.perm(n, different)
    return covariance


def occurrences(pattern: str, samples: float) -> Floats:
    """How often each class occurs in the sum over ``pattern``, samples running over 1..N.

    ``"st,pq"`` is the sum over all four labels, ``"st,st"`` that of the squares of a matrix, ``"st,sq"`` that of its
    rows' squared sums. A class with r different labels occurs N (N - 1) ... (N - r + 1) times.
    """
    letters = pattern.replace(",", "")
    free = "".join(dict.fromkeys(letters))
    counts = np.zeros(len(CLASSES))
    for labels in {_canonical(x) for x in itertools.product(range(len(free)), repeat=len(free))}:
        at = dict(zip(free, labels, strict=True))
        counts[class_of(*(at[x] for x in letters))] += math.prod(samples - k for k in range(max(labels) + 1))
    return counts

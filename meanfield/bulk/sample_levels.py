"""Linear response of one sample's own norms and overlaps: the diagonal part of the bulk's finite-size terms.

A sample's norms and its overlaps with the common parts m and m' of the neurons,

    T = |h̃|²/M,  O = m·h̃/M,  T' = |δ̃|²,  O' = m'·δ̃,

differ from sample to sample by a relative 1/√M. (T, O) run forward and (T', O') backward through the layers
(:mod:`meanfield.bulk.response`). They modulate the ridge, and the noise and the rows of the linear parts: a level x_s
that is proportional to X(p).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.response import Gains, propagate
from meanfield.bulk.unknowns import Unknowns

__all__ = ["SampleLevels"]

Floats = NDArray[np.float64]

_NORM, _OVERLAP = 0, 1


class SampleLevels:
    """The levels of one sample as linear functions of the fresh noises; ``response`` has T and O, T' and O'."""

    def __init__(self, x: BulkFeatures) -> None:
        self.x = x
        self.slopes = [_Slopes(x, layer) for layer in range(1, x.depth)]
        gains = [Gains(forward=f.forward, across=f.across, backward=f.backward) for f in self.slopes]
        sources = [_fresh(x, layer) / x.widths[layer] for layer in range(1, x.depth)]
        self.response = propagate(gains, sources, (2, 2), x.inputs.levels)

    def ridge(self) -> Floats:
        """A sample's own r."""
        x, (forward, backward, noise) = self.x, (self.response.forward, self.response.backward, self.response.noise)
        v = np.zeros(len(noise))
        for l in range(1, x.depth):
            v += x.weight[l] * (x.backward[l] - x.backward_st[l]) * forward[l - 1, _NORM]
            v += x.weight[l] * (x.forward[l - 1] - x.forward_st[l - 1]) * backward[l, _NORM]
        return v

    def linear(self, start: Unknowns) -> Floats:
        """A sample's own X(0): the layers' noise, and the rows of the linear parts, which mean × fluctuation scales."""
        x, (forward, backward, noise) = self.x, (self.response.forward, self.response.backward, self.response.noise)
        v = np.zeros(len(noise))
        for l, f in enumerate(self.slopes, 1):
            below, above = forward[l - 1], backward[l + 1]
            v += start.S[l] * ((f.forward[_NORM] - np.array([f.below * f.z2, 0.0])) @ below)
            own = (f.across[_NORM] - np.array([f.below * f.y * f.b2, 0.0])) @ below
            v += start.T[l] * (own + f.backward[_NORM] @ above - f.above * f.z2 * above[_NORM])
            if x.backward_st[l] > 0:
                own_features = x.forward[l - 1] - x.forward_st[l - 1]
                v += 2 * x.features[l - 1] * own_features * backward[l, _OVERLAP] / x.backward_st[l]
            v += 2 * x.weight[l] * (x.backward[l] - x.backward_st[l]) * below[_OVERLAP]
        return v

    def rows(self) -> Floats:
        """A sample's own mean over the kernel's row."""
        x, overlap, backward_overlap = self.x, self.response.forward[:, _OVERLAP], self.response.backward[:, _OVERLAP]
        return np.asarray(x.features @ overlap + x.gradients[1:] @ backward_overlap[1 : x.depth])


class _Slopes:
    """Averages over z of one layer, and how (T, O) and (T', O') pass it."""

    def __init__(self, x: BulkFeatures, layer: int) -> None:
        f = x.hidden(layer)
        self.below, self.above = float(x.weight_variance[layer]), float(x.weight_variance[layer + 1])
        self.y, theta = x.common_gradient(layer), x.own_gradient(layer)
        self.z2, self.b2 = f.average(f.slope**2), f.average(f.bend**2)
        # The overlap O moves every neuron's common part √q_st z by its share σ_w² O/q_st.
        by_overlap = f.by_shift * f.z / (f.common or np.inf)

        def by(combine: Callable[[Floats], Floats]) -> Floats:
            """The derivatives with respect to T and to O of the average of some (E[φ²], E[φ], E[φ'²], E[φ'])."""
            return self.below * np.array([f.average(combine(f.by_tau)), f.average(combine(by_overlap))])

        variance, overlap = by(lambda d: d[0] - 2 * f.mean * d[1]), by(lambda d: f.mean * d[1])
        slope_variance, slope_square = by(lambda d: d[2] - 2 * f.slope * d[3]), by(lambda d: d[2])
        slope_overlap = by(lambda d: f.slope * d[3])
        self.forward = np.array([variance, overlap])
        self.across = np.array([self.y * slope_variance + theta * slope_square, self.y * slope_overlap])
        of_norm, of_overlap = f.average(f.slope_square), 2 * f.average(f.central[0, 2])
        self.backward = self.above * np.array([[of_norm, of_overlap], [0.0, self.z2]])


def _fresh(x: BulkFeatures, layer: int) -> Floats:
    """M_l times the covariance of the noises that a layer adds to (T, O, T', O')."""
    f, y, theta = x.hidden(layer), x.common_gradient(layer), x.own_gradient(layer)
    c, m, z = f.central, f.mean, f.slope
    d2 = f.slope_square
    e_d2 = c[0, 3] + 2 * z * c[0, 2]
    e2_d2 = c[0, 4] + 2 * z * c[0, 3] + z**2 * c[0, 2]
    d4 = c[0, 4] + 4 * z * c[0, 3] + 6 * z**2 * c[0, 2] + z**4
    of_e, of_d = c[2, 2] - c[2, 0] * c[0, 2], c[2, 2] + 2 * z * c[2, 1] - c[2, 0] * c[0, 2]
    entries = {
        (0, 0): c[4, 0] - c[2, 0] ** 2,
        (0, 1): m * c[3, 0],
        (1, 1): m**2 * c[2, 0],
        (0, 2): y * of_e + theta * of_d,
        (1, 2): m * (y * c[1, 2] + theta * (c[1, 2] + 2 * z * c[1, 1])),
        (0, 3): z * y * c[2, 1],
        (1, 3): m * z * y * c[1, 1],
        (2, 2): 3 * y**2 * (c[0, 4] - c[0, 2] ** 2)
        + 2 * y * theta * (3 * e2_d2 - c[0, 2] * d2)
        + theta**2 * (3 * d4 - d2**2),
        (2, 3): 3 * z * y * (y * c[0, 3] + theta * e_d2),
        (3, 3): z**2 * y * (3 * y * c[0, 2] + theta * d2),
    }
    result = np.zeros((4, 4))
    for (i, j), values in entries.items():
        result[i, j] = result[j, i] = f.average(values)
    return result

"""Order parameters of given inputs, sample by sample and pair by pair (data_geometry §A).

    q̂^0_st = x_s·x_t/d,   q^l = σ_w² q̂^{l-1} + σ_b²,   q̂^l_st = E φ(u)φ(v),   q̃^l_st = σ_w² q̃^{l+1}_st E φ'(u)φ'(v)

with (u, v) of variances q_ss, q_tt and covariance q_st. A block of rows and columns of the N × N matrices goes through
the layers by itself, so that memory is that of a block.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from meanfield.gaussian.mean import variance_slope
from meanfield.gaussian.pairs import PairExpectations
from meanfield.propagation.expectations import Found, gravest
from meanfield.propagation.linear import Seen
from meanfield.propagation.recursion import map_of, up_and_down
from meanfield.propagation.samples import GivenSamples
from meanfield.propagation.state import Block, State
from meanfield.spec import Network, OrderParameters
from meanfield.spec.activations import Activation

__all__ = ["GivenLayers", "Passed", "given_order_parameters"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LEAST = 1e-140  # variance; below, q_s q_t - b² underflows
_RESOLVED = 1e-10  # relative error of order parameters that are "ok"
_ROUNDING = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Passed:
    """What the weight layers have seen of one block, and the error of it: of forward covariances (S, T), and relative
    of backward ones; in units of √(R(s,s) R(t,t))."""

    layers: tuple[Seen, ...]
    forward_error: Floats
    backward_error: Floats


class _Infinite:
    """E[φ'φ'] of an activation that jumps or has a cusp, and all that comes after an overflow."""

    def __init__(self, variances: Floats) -> None:
        self.squares = np.full_like(variances, math.inf)

    def products(self, rows: slice, columns: slice, covariances: Floats) -> tuple[Floats, Floats]:
        """Infinite, as is what an error of a covariance makes of E φφ where two samples are one."""
        return np.full_like(covariances, math.inf), np.full_like(covariances, math.inf)


_Source: TypeAlias = PairExpectations | _Infinite


class _Pairs:
    """The expectations among given samples: what belongs to single ones is made once for all blocks."""

    def __init__(self, firsts: Integers) -> None:
        self._firsts = firsts
        self._made: dict[tuple[Activation, bytes], tuple[_Source, _Source, float]] = {}

    def __call__(self, activation: Activation, given: State) -> Found:
        u = cast(Block, given.covariance)  # exchangeable samples have their own source
        of_phi, of_slope, rate = self._of(activation, u.variances)
        (feature, own), (slope, slope_own) = (x.products(u.rows, u.columns, u.cross) for x in (of_phi, of_slope))
        unit, size = u.unit(), np.sqrt(of_slope.squares)
        slope_unit = size[u.rows, None] * size[u.columns]
        moved = np.divide(given.other_error, unit, out=np.zeros_like(unit), where=unit > 0)
        known = (slope_unit > 0) & np.isfinite(slope_unit)
        share = np.divide(slope_own, slope_unit, out=np.zeros_like(unit), where=known)
        equal = self._firsts[u.rows, None] == self._firsts[u.columns]
        feature = np.where(equal, of_phi.squares[u.columns], feature)
        slope = np.where(equal, of_slope.squares[u.columns], slope)
        own = np.where(equal, _ROUNDING * np.abs(feature), own)
        share = np.where(equal, _ROUNDING, share)
        lost = share + moved + _turned(activation, u, unit, moved, equal)
        return Found(
            feature=u._replace(variances=of_phi.squares, cross=feature),
            slope=u._replace(variances=of_slope.squares, cross=slope),
            same_error=_ROUNDING * of_phi.squares + rate * given.same_error,
            other_error=own + slope_unit * given.other_error,
            slope_error=lost,
        )

    def _of(self, activation: Activation, variances: Floats) -> tuple[_Source, _Source, float]:
        """Those of φ and φ', and the largest dE[φ²]/dq, at the ends of the variances and in between."""
        key = (activation, variances.tobytes())
        if key not in self._made:
            if np.any((variances > 0) & (variances < _LEAST)):
                raise ValueError(
                    f"inputs: expected preactivations of variance 0 or above {_LEAST:g}, whose products are still "
                    f"numbers, got {np.min(variances[variances > 0]):.1g}"
                )
            finite = bool(np.all(np.isfinite(variances)))
            of_phi = PairExpectations(activation, 0, variances) if finite else _Infinite(variances)
            steep = activation.is_rough or not finite
            of_slope = _Infinite(variances) if steep else PairExpectations(activation, 1, variances)
            positive = variances[(variances > 0) & np.isfinite(variances)]
            some = np.quantile(positive, [0.0, 0.5, 1.0]) if positive.size else positive
            rate = max((abs(variance_slope(activation, float(q))[0]) for q in some), default=0.0)
            self._made[key] = of_phi, of_slope, rate
        return self._made[key]


def _turned(activation: Activation, u: Block, unit: Floats, moved: Floats, equal: NDArray[np.bool_]) -> Floats:
    """How much E φ'φ' of a kink turns with the angle θ between two samples, whose cosine is known to ``moved``: at most
    by δθ, which is moved / sin θ, or √(2 moved) where they are collinear."""
    if not activation.kinks:
        return np.zeros_like(moved)
    cosine = np.divide(u.cross, unit, out=np.zeros_like(unit), where=unit > 0)
    sine = np.sqrt(np.clip((1 - cosine) * (1 + cosine), 0.0, 1.0))
    turned = np.minimum(np.sqrt(2 * moved), moved / np.maximum(sine, 1e-300)) / math.pi
    return np.where(equal, 0.0, turned)


@dataclass(frozen=True)
class GivenLayers:
    """A network's layers, ready for blocks of given samples.

    Parameters
    ----------
    network
        What they go through.
    samples
        The N inputs.
    """

    network: Network
    samples: GivenSamples

    @functools.cached_property
    def _pairs(self) -> _Pairs:
        return _Pairs(self.samples.firsts(slice(None)))

    @property
    def norms(self) -> Floats:
        """q̂^0_ss = |x_s|²/d, (N,)."""
        return self.samples.norms

    def blocks(self, size: int) -> Iterator[tuple[slice, slice]]:
        """The blocks on and above the diagonal of a symmetric matrix."""
        count = len(self.norms)
        starts = range(0, count, size)
        for i in starts:
            for j in starts[i // size :]:
                yield slice(i, min(i + size, count)), slice(j, min(j + size, count))

    def through(self, rows: slice, columns: slice, gram: Floats, error: Floats | float = 0.0) -> Passed:
        """A block of the Gram matrix X Xᵀ/d (S, T), whose absolute error is known, through all layers.

        Raises
        ------
        ValueError
            If an activation is applied to units that are not Gaussian, or a layer type has no row in ``MAPS``.
        """
        maps = [map_of(layer, self._pairs) for layer in self.network.layers]
        block = Block(self.norms, gram, rows, columns)
        rounding = _ROUNDING * block.unit()
        state = State(block, False, _ROUNDING * self.norms, rounding + error)
        one = block._replace(variances=np.ones_like(self.norms), cross=np.ones_like(gram))
        top = up_and_down(maps, state, one)
        unit = top.covariance.unit() if isinstance(top.covariance, Block) else gram
        seen = tuple(seen for layer in maps for seen in layer.seen())
        back = sum((layer.error for layer in maps if np.ndim(layer.error)), np.zeros_like(gram))
        with np.errstate(invalid="ignore"):  # after an overflow
            forward = top.other_error / np.where(unit > 0, unit, 1.0)
        return Passed(seen, forward, np.asarray(back))


def given_order_parameters(network: Network, samples: GivenSamples) -> OrderParameters:
    """Those of each sample and pair, all N × N at once."""
    everything = slice(0, len(samples.norms))
    gram, known = samples.gram(everything, everything)
    passed = GivenLayers(network, samples).through(everything, everything, gram, known)
    error = float(np.max(passed.forward_error + passed.backward_error))
    states = tuple(seen.state() for seen in passed.layers)
    status = "ok" if error <= _RESOLVED else "unresolved"
    finite = all(bool(np.all(np.isfinite(state.q))) for state in states)
    if any(phi.is_rough for phi in network.activation):
        status, error = gravest(status, "infinite"), math.inf
    status = status if finite else gravest(status, "overflow")
    return OrderParameters(states, error if math.isfinite(error) else math.inf, status)

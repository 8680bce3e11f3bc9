"""The routes from a drawn network to the statistics of its metrics: see `plan` for when each is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend
from empirical.dual import eigen
from empirical.dual.gram import Drawn, Dual, dimension, dual_blocks, signals
from empirical.dual.implicit import DualOperator, eigenvectors
from empirical.dual.lanczos import RitzPairs, largest_pairs
from empirical.dual.plan import PROBES, Plan
from empirical.dual.projection import Projection
from empirical.dual.statistics import PowerSums, Scope, from_dual, outlier_count, statistics
from empirical.networks.layers.base import PREACTIVATION
from empirical.networks.overlaps import Sums
from empirical.record import Statistics
from meanfield.spec import Metric

__all__ = ["take"]


def take(plan: Plan, metrics: Sequence[Metric], drawn: Drawn, scope: Scope) -> tuple[list[Statistics], dict[int, Sums]]:
    """The statistics of the metrics by the plan's route, and the sums of δ^l for the order parameters."""
    route = {"dense": _dense, "blocks": _blocks, "probes": _probes}[plan.route]
    return route(plan, metrics, drawn, scope)


# --------------------------------------------------------------------------------------------------------------
# dense: the dual as a matrix


def _dense(
    plan: Plan, metrics: Sequence[Metric], drawn: Drawn, scope: Scope
) -> tuple[list[Statistics], dict[int, Sums]]:
    results: list[Statistics] = []
    for start in range(0, len(metrics), plan.together):
        sums: dict[int, Sums] = {}
        duals = dual_blocks(metrics[start : start + plan.together], drawn, drawn.passed, drawn.passed, sums)
        while duals:  # each matrix is let go before the next is solved
            dual = duals.pop(0)
            projection = Projection(dual.metric, drawn.passed.logits, drawn.backend)
            found, pairs = from_dual(projection, dual.matrix, dual.trace, dimension(dual.metric, drawn), scope)
            results.append(_with_vectors(found, pairs, drawn, scope))
    return results, sums


def _with_vectors(found: Statistics, pairs: RitzPairs | None, drawn: Drawn, scope: Scope) -> Statistics:
    if pairs is None or not scope.vectors:
        return found
    if len(found.outliers) == 0:
        return replace(found, vectors=np.empty((0, found.dimension)))
    rows = eigenvectors(DualOperator(found.metric, drawn), pairs.vectors[:, : len(found.outliers)])
    # What belongs to an eigenvalue that is as good as 0 is rounding, not a direction.
    real = (found.outliers > found.floor)[:, None]
    return replace(found, vectors=np.where(real, drawn.backend.host(rows), np.nan))


# --------------------------------------------------------------------------------------------------------------
# blocks: the dual block by block


def _blocks(
    plan: Plan, metrics: Sequence[Metric], drawn: Drawn, scope: Scope
) -> tuple[list[Statistics], dict[int, Sums]]:
    sums: dict[int, Sums] = {}
    projections = [Projection(m, drawn.passed.logits, drawn.backend) for m in metrics]
    means = [_mean_over_samples(m, drawn) if m.centered else None for m in metrics]
    tally = np.zeros((len(metrics), 3))  # Σλ, Σλ², ‖bare G‖²_F
    for rows, columns in _pairs_of_blocks(drawn.passed.samples, plan.rows):
        left = drawn.passed.rows(rows.start, rows.stop)
        right = left if rows == columns else drawn.passed.rows(columns.start, columns.stop)
        duals = dual_blocks(metrics, drawn, left, right, sums if rows == columns else None)
        for i, dual in enumerate(duals):
            tally[i] += _block_moments(dual, projections[i], rows, columns, means[i])
    results = []
    for (total, squares, bare), metric in zip(tally.tolist(), metrics, strict=True):
        moments = PowerSums(total, squares, eigen.floor(drawn.size, bare, drawn.backend.precision))
        results.append(_with_implicit_extremes(metric, drawn, moments, scope))
    return results, sums


def _pairs_of_blocks(samples: int, step: int) -> Iterator[tuple[slice, slice]]:
    parts = [slice(start, min(start + step, samples)) for start in range(0, samples, step)]
    return ((parts[i], parts[j]) for i in range(len(parts)) for j in range(i + 1))


def _block_moments(
    dual: Dual, projection: Projection, rows: slice, columns: slice, mean: Array | None
) -> NDArray[np.float64]:
    """What a block adds to Σλ, Σλ² and ‖bare G‖²_F; a block off the diagonal stands for its transpose too."""
    backend, weight = projection.backend, 1.0 if rows == columns else 2.0
    trace, bare_squares = eigen.moments(_matrix(dual.matrix, backend), backend)
    if rows == columns:
        expected, size = float(backend.host(dual.trace)), dual.matrix.shape[0] * dual.matrix.shape[1]
        eigen.check_close("trace of a dual block", trace, expected, expected, size, backend.precision)
    total, squares = eigen.moments(_matrix(projection.block(dual.matrix, rows, columns, mean), backend), backend)
    return np.array([total * (rows == columns), weight * squares, weight * bare_squares])


def _matrix(block: Array, backend: Backend) -> Array:
    outputs, rows, _, columns = block.shape
    return backend.xp.reshape(block, (outputs * rows, outputs * columns))


def _mean_over_samples(metric: Metric, drawn: Drawn) -> Array:
    """The bare dual's mean over its row samples, (C, C, N), by one implicit product for each output."""
    xp, (samples, outputs) = drawn.backend.xp, drawn.passed.logits.shape
    everywhere = drawn.backend.zeros((outputs, samples, outputs)) + drawn.backend.eye(outputs)[:, None, :] / samples
    return xp.permute_dims(DualOperator(metric, drawn).bare(everywhere), (2, 0, 1))


# --------------------------------------------------------------------------------------------------------------
# Implicit products: extremes, and moments from probes


def _with_implicit_extremes(metric: Metric, drawn: Drawn, moments: PowerSums, scope: Scope) -> Statistics:
    if scope.spectrum == "moments":
        return statistics(metric, dimension(metric, drawn), moments)
    outputs, size, precision = drawn.passed.logits.shape[1], drawn.size, drawn.backend.precision
    pairs = _implicit_pairs(metric, drawn, moments.floor)
    eigen.check_part("sum of squared eigenvalues", float(pairs.values @ pairs.values), moments.scale, size, precision)
    found = statistics(metric, dimension(metric, drawn), moments, pairs, outputs)
    return _with_vectors(found, pairs, drawn, scope)


def _implicit_pairs(metric: Metric, drawn: Drawn, floor: float) -> RitzPairs:
    count = min(outlier_count(metric, drawn.passed.logits.shape[1]) + 1, drawn.size)
    return largest_pairs(DualOperator(metric, drawn), drawn.size, count, drawn.backend, floor=floor)


def _estimated_floor(operator: DualOperator) -> float:
    """:func:`empirical.dual.eigen.floor` with ``‖G‖²_F = E |Gz|²`` from a few vectors z of random signs."""
    drawn, (samples, outputs) = operator.drawn, operator.drawn.passed.logits.shape
    signs = np.random.default_rng(20191022).choice([-1.0, 1.0], size=(outputs, samples, 4))
    image = drawn.backend.host(operator.bare(drawn.backend.asarray(signs)))
    return eigen.floor(drawn.size, eigen.finite(float(np.sum(image**2)) / 4), drawn.backend.precision)


def _probes(
    plan: Plan, metrics: Sequence[Metric], drawn: Drawn, scope: Scope
) -> tuple[list[Statistics], dict[int, Sums]]:
    sums: dict[int, Sums] = {}
    for signal in signals(metrics, drawn, drawn.passed):
        if signal.kind == PREACTIVATION:
            sums[signal.layer] = Sums(drawn.backend).add(signal.value, drawn.passed.samples)
    results = []
    for metric in metrics:
        operator = DualOperator(metric, drawn)
        floor = _estimated_floor(operator)
        pairs = _implicit_pairs(metric, drawn, floor)
        moments = probe_moments(operator, pairs, drawn.size, floor, drawn.backend)
        shown = None if scope.spectrum == "moments" else pairs
        found = statistics(metric, dimension(metric, drawn), moments, shown, drawn.passed.logits.shape[1])
        results.append(_with_vectors(found, shown, drawn, scope))
    return results, sums


def probe_moments(
    apply: Callable[[Array], Array], pairs: RitzPairs, size: int, floor: float, backend: Backend, probes: int = PROBES
) -> PowerSums:
    """Σλ and Σλ² of a positive operator from its largest eigenpairs and random probes of the rest.

    With U the eigenvectors found and z a vector of random signs, ``A = (I - UUᵀ) G (I - UUᵀ)`` has ``E zᵀAz = tr A``
    and ``E |Az|² = ‖A‖²_F`` (Hutchinson 1990). The outliers, where most of Σλ² is, are taken exactly.
    """
    xp = backend.xp
    signs = backend.asarray(np.random.default_rng(20191022).choice([-1.0, 1.0], size=(size, probes)))

    def outside(x: Array) -> Array:
        return x - pairs.vectors @ (pairs.vectors.T @ x)

    image = outside(apply(outside(signs)))
    totals, squares = backend.host(xp.stack([xp.vecdot(signs, image, axis=-2), xp.vecdot(image, image, axis=-2)]))
    total, square = float(pairs.values.sum() + totals.mean()), float(pairs.values @ pairs.values + squares.mean())
    errors = [float(x.std(ddof=1)) / probes**0.5 for x in (totals, squares)]
    return PowerSums(eigen.finite(total), eigen.finite(square), floor, *errors)

"""``given_kernel``: the kernel of your own inputs as a matrix, with its eigenvalues."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import ArrayLike, NDArray

from meanfield.files import reserve, whole_file
from meanfield.kernels.exchangeable import ROWS, Coefficients, coefficients, dimension_of
from meanfield.kernels.given import fill_kernel
from meanfield.kernels.given_conditions import given_warnings
from meanfield.propagation.samples import GivenSamples, Rows, given_samples
from meanfield.spec import METRICS, Metric, MetricLike, Network, as_metric, positive_integer
from meanfield.text import Json, Table, Tabled, column_table, plain_record

__all__ = ["MOST_SAMPLES", "GivenKernel", "given_kernel", "widths_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_SAMPLES = 20_000
"""N of a kernel in memory: 3 GiB, three times that while its eigenvalues are found, six times for eigenvectors."""
_SHOWN = 4_000_000  # entries, from which progress is shown
_NNGP = "nngp"
_ASSUMPTIONS = (
    "widths M → ∞ at given inputs: one network's eigenvalues differ by a relative order 1/√M, and small ones lie lower "
    "where N/M is not small",
    "weights and biases independent Gaussians (random initialisation)",
)


@dataclass(frozen=True, eq=False)
class GivenKernel(Tabled):
    """An N × N kernel K of given inputs, or its rows for other inputs: the dual is ``ν I_C ⊗ K``.

    Attributes
    ----------
    network, metric
        What was asked; ``metric`` is ``None`` for the NNGP kernel q^L, the covariance of one output.
    matrix
        K, (N, N); or K(X*, X), (N*, N). Not divided by N: ν is ``normaliser``.
    normaliser, dimension
        ν (1/N for FIM and InputMetric, 1 for NTK and NNGP), and P, the divisor of mean and second moment.
    outputs
        C: every eigenvalue of νK is C-fold.
    error
        A bound on the numerical error's Frobenius norm, that of K.
    status
        ``"ok"``, or ``"unresolved"`` where an entry is not known to 1e-10 √(K_ss K_tt).
    nearest
        The smallest angle of each sample's first preactivation to another's, in radians.
    """

    network: Network
    metric: Metric | None
    matrix: Floats = field(repr=False)
    normaliser: float
    dimension: int
    error: float
    status: str
    nearest: Floats = field(repr=False)
    assumptions: tuple[str, ...] = _ASSUMPTIONS
    warnings: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """C."""
        return self.network.outputs

    @property
    def multiplicity(self) -> int:
        """How often each of ``eigenvalues`` is one of the metric's: C."""
        return self.outputs

    @functools.cached_property
    def eigenvalues(self) -> Floats:
        """Those of νK, descending, (N,). Raises ``ValueError`` for rows of other inputs."""
        self._check_square()
        return np.asarray(self.normaliser * np.linalg.eigvalsh(self.matrix)[::-1], dtype=np.float64)

    @functools.cached_property
    def eigenvectors(self) -> Floats:
        """Unit eigenvectors over samples, (N, N), columns as ``eigenvalues``."""
        self._check_square()
        found: Floats = np.linalg.eigh(self.matrix)[1][:, ::-1]
        return found

    @property
    def floor(self) -> float:
        """What an eigenvalue must exceed to be known: N ε λ₁ of rounding, or the error of K."""
        rounding = len(self.matrix) * float(np.finfo(np.float64).eps) * float(self.eigenvalues[0])
        return max(rounding, self.normaliser * self.error)

    @property
    def resolved(self) -> int:
        """How many eigenvalues stand above ``floor``."""
        return int(np.sum(self.eigenvalues > self.floor))

    def to_dict(self) -> dict[str, Json]:
        """What is known of it as JSON-ready plain data, without the matrix."""
        names = ("outputs", "normaliser", "dimension", "error", "status", "assumptions", "warnings")
        metric = _NNGP if self.metric is None else self.metric.to_dict()
        record = {"network": self.network.to_dict(), "metric": metric, "shape": list(self.matrix.shape)}
        return plain_record({**record, **{name: getattr(self, name) for name in names}})

    def _check_square(self) -> None:
        if self.matrix.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"eigenvalues: expected a square kernel, got K(X*, X) of the shape {self.matrix.shape}")

    def _tables(self) -> Iterable[Table]:
        name = self.metric.label if self.metric else "NNGP"
        rows, columns = self.matrix.shape
        numbers = {"least": np.min(self.matrix), "mean": np.mean(self.matrix), "largest": np.max(self.matrix)}
        yield column_table(f"Kernel of {name}, {rows} × {columns}", numbers)

    def _notes(self) -> Iterable[str]:
        return [
            f"numerical error {self.error:.1g} (Frobenius), {self.status}",
            *(f"warning: {w}" for w in self.warnings),
        ]


def given_kernel(
    network: Network,
    inputs: ArrayLike | GivenSamples,
    others: ArrayLike | None = None,
    *,
    metric: MetricLike = "ntk",
    width: int | None = None,
    out: str | Path | None = None,
    force: bool = False,
    progress: bool = True,
) -> GivenKernel:
    """The wide network's kernel K(X, X), or K(X*, X) where ``inputs`` is X* and ``others`` X: data_geometry §A.

    Kernel regression with it is three lines::

        fit = KernelRidge(kernel="precomputed", alpha=1e-3).fit(given_kernel(network, X).matrix, y)
        fit.predict(given_kernel(network, X_test, X).matrix)

    Parameters
    ----------
    network
        With any activation whose derivative is square integrable; its inputs have as many features as X.
    inputs, others
        Arrays (N, d), or for ``inputs`` a :class:`Gram` matrix.
    metric
        As for :func:`predict`, with the loss "mse"; or ``"nngp"`` for the covariance of one output, q^L.
    width
        M, which the FIM's kernel depends on.
    out
        A new ``.npy`` file to write K into, block by block; ``matrix`` is then mapped from it.
    force
        Whether to write over a file that is there.
    progress
        Whether to show it, for large kernels.

    Raises
    ------
    ValueError, TypeError
        For bad input, an activation that jumps, order parameters that overflow, or more than 20,000 samples in memory.
    """
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    if isinstance(metric, str) and metric not in (_NNGP, *METRICS):
        raise ValueError(f"metric: expected one of {', '.join((*METRICS, _NNGP))}, got {metric!r}")
    asked = None if metric == _NNGP else as_metric(metric)
    samples, first = _together(inputs, others)
    network, weights, normaliser, dimension = _terms(network, asked, width, samples, first)
    shape = (first or len(samples.norms), len(samples.norms) - first)
    if out is None and max(shape) > MOST_SAMPLES:
        raise ValueError(
            f"inputs: expected at most {MOST_SAMPLES} samples in memory, got {max(shape)}; out= takes more"
        )
    with _target(out, shape, force) as matrix, _telling(shape, progress) as told:
        filled = fill_kernel(network, weights, samples, _writer(matrix, first), first, told)
        _join(matrix, samples.firsts(slice(first or None)), samples.firsts(slice(first, None)))
        if asked is not None and asked.centered:
            _center(matrix)
    whole = matrix if out is None else np.load(out, mmap_mode="r")
    return GivenKernel(
        network=network,
        metric=asked,
        matrix=whole,
        normaliser=normaliser,
        dimension=dimension,
        error=filled.error,
        status=filled.status,
        nearest=filled.nearest,
        warnings=() if first else given_warnings(network, asked, width, filled.nearest, samples.features),
    )


def _together(inputs: object, others: object) -> tuple[GivenSamples, int]:
    """All samples, and how many of them are rows only."""
    samples = given_samples("inputs", inputs)
    if others is None:
        return samples, 0
    known = given_samples("others", others)
    if not (isinstance(samples, Rows) and isinstance(known, Rows)) or samples.features != known.features:
        raise ValueError(f"others: expected an array (N, {samples.features}), as many features as inputs, got another")
    return Rows(np.concatenate([samples.values, known.values])), len(samples.norms)


def _terms(
    network: Network, metric: Metric | None, width: int | None, samples: GivenSamples, first: int
) -> tuple[Network, list[Coefficients] | None, float, int]:
    """The network of these inputs, the coefficients of its layers' terms, ν and P."""
    columns = float(len(samples.norms) - first)
    if metric is None:
        return network, None, 1.0, network.outputs * int(columns)
    if metric.loss != "mse":
        raise ValueError(
            f"metric.loss: expected mse, whose dual is ν I_C ⊗ K, got {metric.loss!r}; predict sandwiches K"
        )
    if metric.centered and first:
        raise ValueError("metric.centered: expected false for K(X*, X), got true")
    metric.check(network)
    if width is None and metric.family != "ntk":
        raise ValueError(f"width: expected M, which the {metric.title} depends on, got none")
    if width is None:
        widths = np.ones(network.depth + 1)  # which the NTK's coefficients don't depend on
    else:
        network, widths = widths_of(network, samples, positive_integer("width", width))
    row = ROWS[metric.family]
    counts = np.asarray(columns)
    return (
        network,
        coefficients(network, metric, widths),
        float(row.normaliser(counts)),
        int(dimension_of(network, metric, widths, counts)),
    )


def widths_of(network: Network, samples: GivenSamples, width: int) -> tuple[Network, Floats]:
    """The network whose inputs have as many features as the samples, and M_0..M_L at width M."""
    if samples.features is not None:
        network = network.with_features(samples.features, width)
    return network, np.array(network.widths(width), dtype=np.float64)


def _writer(matrix: Floats, first: int) -> Callable[[slice, slice, Floats], None]:
    def write(rows: slice, columns: slice, block: Floats) -> None:
        matrix[rows, columns.start - first : columns.stop - first] = block
        if not first and rows != columns:
            matrix[columns, rows] = block.T

    return write


@contextmanager
def _target(out: str | Path | None, shape: tuple[int, int], force: bool) -> Iterator[Floats]:
    """A matrix in memory, or mapped from what becomes the file when all is written."""
    if out is None:
        yield np.empty(shape)
        return
    with whole_file("out", Path(out), force=force) as partial:
        mapped = open_memmap(partial, mode="w+", dtype=np.float64, shape=shape)
        reserve(partial)
        yield mapped
        mapped.flush()


@contextmanager
def _telling(shape: tuple[int, int], progress: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, for large kernels."""
    from tqdm import tqdm

    total = shape[0] * shape[1]
    size = f"kernel {shape[0]} × {shape[1]}, {8 * total / 2**30:.1f} GiB"
    if progress and total >= _SHOWN:
        print(f"{size}; its eigenvalues take three times that, eigenvectors six", file=sys.stderr, flush=True)
    twice = 2 if shape[0] == shape[1] else 1  # blocks above the diagonal stand for those below
    with tqdm(total=total, disable=None if progress and total >= _SHOWN else True, desc=size, bar_format=_BAR) as bar:

        def told(entries: int) -> None:
            bar.update(min(twice * entries, total - bar.n))

        yield told


_BAR = "{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"


def _join(matrix: Floats, rows: Integers, columns: Integers) -> None:
    """Give equal inputs equal rows and columns, bit for bit: products of blocks round by their place in them."""
    for part, firsts in ((matrix, rows), (matrix.T, columns)):
        later = np.flatnonzero(firsts != np.arange(len(firsts)))
        part[later] = part[firsts[later]]


def _center(matrix: Floats) -> None:
    """``H K H`` with H = I - 1 1ᵀ/N, in place."""
    means = np.mean(matrix, axis=0)
    matrix -= means[:, None]
    matrix -= means - np.mean(means)

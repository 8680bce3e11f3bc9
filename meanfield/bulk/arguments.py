"""What may be asked of :func:`meanfield.spectrum`: every field with what was expected of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec import Metric, MetricLike, Network, OrderParameters, as_metric, positive_integer

__all__ = ["check_kernels", "check_spectrum", "input_eigenvalues", "numbers"]

Floats = NDArray[np.float64]


def check_spectrum(
    network: Network, metric: MetricLike, width: int, samples: int, finite_size: bool
) -> tuple[Metric, int, int]:
    """The metric, width and samples asked for."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    asked = _served(network, metric)
    width, samples = positive_integer("width", width), positive_integer("samples", samples)
    if samples < 2:
        raise ValueError(f"samples: expected at least 2 (one sample has no bulk), got {samples}")
    if not isinstance(finite_size, bool):
        raise TypeError(f"finite_size: expected True or False, got {finite_size!r}")
    return asked, width, samples


def _served(network: Network, metric: MetricLike) -> Metric:
    """The metric, if this law describes its dual for the network."""
    asked = as_metric(metric)
    if asked.family not in ("fim", "ntk"):
        raise ValueError(
            f"metric: expected fim or ntk, got {asked.family}: this law does not describe its dual (that of the input "
            "metric has a random matrix Wᵀ more in every layer); predict gives its mean, second moment and outliers"
        )
    if asked.loss != "mse":
        raise ValueError(
            f"loss: expected mse, got {asked.loss}: it puts a block of its own between the dual's factors, which this "
            "law does not describe; predict gives its mean, second moment and outliers"
        )
    asked.check(network)
    network.check_dense("the whole spectrum")
    return asked


def input_eigenvalues(eigenvalues: ArrayLike | None, width: int) -> tuple[Floats, Floats]:
    """Eigenvalues of the inputs' covariance and their weights."""
    if eigenvalues is None:
        return np.ones(1), np.ones(1)
    expected = "finite eigenvalues of at least 0"
    values = numbers("input_spectrum", eigenvalues, expected)
    if values.size == 0 or not np.all(values >= 0):
        raise ValueError(f"input_spectrum: expected a list of {expected}, got {eigenvalues!r:.60}")
    if abs(values.mean() - 1) > 1e-6:
        raise ValueError(f"input_spectrum: expected mean 1 (scale σ_w² of layer 1 instead), got {values.mean():.6g}")
    different, counts = np.unique(values, return_counts=True)
    return different, counts / values.size


def numbers(field: str, given: ArrayLike, expected: str) -> Floats:
    """``given`` as a list of finite numbers."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full(1, np.nan)
    if values.ndim != 1 or not np.all(np.isfinite(values)):
        raise ValueError(f"{field}: expected a list of {expected}, got {given!r:.60}")
    return values


def check_kernels(kernels: OrderParameters, depth: int) -> OrderParameters:
    """``kernels``. Raises ``ValueError`` unless they are order parameters of a network of this depth."""
    if not isinstance(kernels, OrderParameters):
        raise ValueError(f"kernels: expected order parameters (q, q_st, forward, ...), got {kernels!r:.60}")
    for same, other in (("q", "q_st"), ("forward", "forward_st"), ("backward", "backward_st")):
        for name in (same, other):
            values = getattr(kernels, name)
            if numbers(f"kernels.{name}", values, f"{depth} finite numbers").shape != (depth,):
                raise ValueError(f"kernels.{name}: expected {depth} values, one a layer, got {len(values)}")
        pairs = getattr(kernels, same), getattr(kernels, other)
        if not np.all((pairs[0] > 0) & (np.abs(pairs[1]) <= pairs[0] * (1 + 1e-12))):
            raise ValueError(f"kernels.{other}: expected 0 < {same} and |{other}| <= {same} in each layer, got others")
    return kernels

"""What may be asked of :func:`meanfield.spectrum`: every field with what was expected of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.bulk.inputs import InputLaw, given_inputs, inputs_of_covariance
from meanfield.spec import Metric, MetricLike, Network, OrderParameters, as_metric, positive_integer

__all__ = ["check_kernels", "check_question", "input_law", "input_rows", "numbers", "sample_number"]

Floats = NDArray[np.float64]

_FEWEST = 3  # samples from which a covariance can be estimated


def check_question(network: Network, metric: MetricLike, width: int, finite_size: bool) -> tuple[Metric, int]:
    """The metric and width asked for."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    asked = _served(network, metric)
    if not isinstance(finite_size, bool):
        raise TypeError(f"finite_size: expected True or False, got {finite_size!r}")
    return asked, positive_integer("width", width)


def sample_number(samples: int | None, inputs: Floats | None) -> int:
    """N: that of the inputs unless it is given."""
    if samples is None and inputs is None:
        raise ValueError("samples: expected a number where no inputs are given, got none")
    count = positive_integer("samples", len(inputs) if samples is None and inputs is not None else samples)
    if count < 2:
        raise ValueError(f"samples: expected at least 2 (one sample has no bulk), got {count}")
    return count


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


def input_law(inputs: Floats | None, eigenvalues: ArrayLike | None, features: int, samples: int) -> InputLaw:
    """That of given inputs (:func:`input_rows`), or of Gaussian ones, M_0 features with these eigenvalues."""
    if inputs is None:
        return inputs_of_covariance(np.ones(1) if eigenvalues is None else _eigenvalues(eigenvalues), features)
    if eigenvalues is not None:
        raise ValueError("input_spectrum: expected none where inputs are given, since it follows from them, got one")
    return given_inputs(inputs, samples)


def _eigenvalues(given: ArrayLike) -> Floats:
    expected = "finite eigenvalues of at least 0"
    values = numbers("input_spectrum", given, expected)
    if values.size == 0 or not np.all(values >= 0):
        raise ValueError(f"input_spectrum: expected a list of {expected}, got {given!r:.60}")
    if abs(values.mean() - 1) > 1e-6:
        raise ValueError(f"input_spectrum: expected mean 1 (scale σ_w² of layer 1 instead), got {values.mean():.6g}")
    return values


def input_rows(inputs: ArrayLike) -> Floats:
    """The inputs (N_0, d) as an array."""
    try:
        if np.iscomplexobj(inputs):
            raise TypeError
        x = np.asarray(inputs, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected an array of numbers, got {type(inputs).__name__}") from None
    if x.ndim != 2 or x.shape[1] == 0 or len(x) < _FEWEST:
        raise ValueError(f"inputs: expected the shape (N, d) with N >= {_FEWEST} and d >= 1, got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"inputs: expected finite numbers, got {np.count_nonzero(~np.isfinite(x))} that are not")
    if not np.ptp(x, axis=0).any():
        raise ValueError("inputs: expected samples that differ, got one sample in all rows")
    return x


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

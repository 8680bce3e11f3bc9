"""What ``predict`` is given: checks, and arrays of one shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec import LOSSES, Metric, Network
from meanfield.spec.checks import MOST

__all__ = ["broadcast_sizes", "check_question", "sizes", "usable_logits"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def check_question(network: Network, metric: Metric, order: str, given_logits: bool = False) -> None:
    """Raise ``ValueError`` or ``TypeError`` for a question that makes no sense."""
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {network!r}")
    if order not in ("leading", "refined"):
        raise ValueError(f"order: expected leading or refined, got {order!r}")
    if LOSSES[metric.loss].of_logits and order == "refined" and (metric.centered or given_logits):
        case = "centered" if metric.centered else "given logits and"
        raise ValueError(f"order: expected leading for {case} {metric.loss}, got 'refined'")
    if order == "refined" and min(network.weight_variance) == 0:
        raise ValueError("weight_variance: expected positive numbers for the refined order, got 0.0")
    metric.check(network)


def sizes(field: str, value: ArrayLike) -> Integers:
    """M or N as an array of positive integers."""
    array = np.asarray(value)
    if array.size == 0:
        raise ValueError(f"{field}: expected at least one positive integer, got {value!r}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{field}: expected positive integers, got {value!r}")
    if array.min() < 1:
        raise ValueError(f"{field}: expected positive integers, got {array.min()}")
    if array.max() > MOST[field]:
        raise ValueError(f"{field}: expected integers of at most {MOST[field]}, got {array.max()}")
    return array.astype(np.int64)


def usable_logits(value: ArrayLike, network: Network, metric: Metric, samples: Integers) -> Floats:
    """The logits f (N × C) of one network."""
    if not LOSSES[metric.loss].of_logits:
        raise ValueError(f"logits: expected none for the loss {metric.loss!r}, got an array")
    try:
        logits = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"logits: expected an array of numbers, got {type(value).__name__}") from None
    if logits.ndim != 2 or logits.shape[1] != network.outputs or np.any(samples != len(logits)):
        raise ValueError(f"logits: expected the shape (samples, {network.outputs}), got {logits.shape}")
    if not np.all(np.isfinite(logits)):
        raise ValueError("logits: expected finite numbers, got inf or nan")
    return logits


def broadcast_sizes(width: Integers, samples: Integers) -> tuple[Integers, Integers]:
    """M and N in one shape."""
    try:
        widths, counts = np.broadcast_arrays(width, samples)
    except ValueError:
        raise ValueError(f"samples: expected a shape that broadcasts with {width.shape}, got {samples.shape}") from None
    return widths, counts

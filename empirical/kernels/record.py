"""What is said of a kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.kernels.plan import KernelPlan
from meanfield.spec import Metric

__all__ = ["EmpiricalKernel", "KernelDiagonal"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EmpiricalKernel:
    """The kernel ``ν ∂f_k(n)/∂θ · ∂f_k'(m)/∂θ`` of one network's metric: with X2 left out, its dual matrix.

    Attributes
    ----------
    metric
        ν is 1 for the NTK, 1/N for the FIM and the input metric.
    outputs
        ``"sum"``, ``"each"`` or ``"full"``.
    axes
        What the axes of ``values`` are: "output" and "sample" of X, "output'" and "sample'" of X2. An "output" alone is
        that of both.
    values
        The kernel; read from ``path`` as it is looked at where there is one.
    divisor
        1/ν.
    path
        The file it is in, or ``None``.
    plan
        Blocks and memory.
    seconds
        Wall time of the call that finished it.
    warnings
        What one should know before one uses it.
    provenance
        The question with the hashes of inputs and code; backend, device, versions, threads. JSON-ready.
    """

    metric: Metric
    outputs: str
    axes: tuple[str, ...]
    values: NDArray[Any] = field(repr=False)
    divisor: int
    path: Path | None
    plan: KernelPlan
    seconds: float
    warnings: tuple[str, ...]
    provenance: dict[str, Any] = field(repr=False)

    @property
    def matrix(self) -> NDArray[Any]:
        """``values``, for "full" as the matrix (CN, CN'): row k N + n is output k at sample n. Not copied."""
        if self.outputs != "full":
            return self.values
        outputs, samples, others, columns = self.values.shape
        return self.values.reshape(outputs * samples, others * columns)


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelDiagonal:
    """``K(x_n, x_n)`` without the matrix.

    Attributes
    ----------
    metric, outputs, axes, divisor, seconds, provenance
        As those of :class:`EmpiricalKernel`.
    values
        ("sample",) for the sum over outputs, ("output", "sample") for each of them; float64.
    """

    metric: Metric
    outputs: str
    axes: tuple[str, ...]
    values: NDArray[np.float64] = field(repr=False)
    divisor: int
    seconds: float
    provenance: dict[str, Any] = field(repr=False)

    @property
    def trace(self) -> float:
        """The trace of the whole CN × CN matrix: Σλ of the metric."""
        return float(self.values.sum())

"""What one reads off spectra: how sloppy they are, how many directions count, what bounds and what data make them."""

from meanfield.information.bounds import (
    block_bounds,
    homogeneous_gain,
    homogeneous_traces,
    partial_sum_bounds,
    trace_bounds,
)
from meanfield.information.elbow import Elbow
from meanfield.information.moment_ratio import kernel_participation, participation
from meanfield.information.products import ProductSpectrum, product_spectrum
from meanfield.information.series import KernelSeries, kernel_series
from meanfield.information.sloppy import Sloppiness, effective_dimension, sloppiness

__all__ = [
    "Elbow", "KernelSeries", "ProductSpectrum", "Sloppiness", "block_bounds", "effective_dimension", "homogeneous_gain",
    "homogeneous_traces", "kernel_participation", "kernel_series", "partial_sum_bounds", "participation",
    "product_spectrum", "sloppiness", "trace_bounds",
]  # fmt: skip

"""What `meanfield` hands on, and that it is what it says."""

from __future__ import annotations

import meanfield

PUBLIC = {
    "FIM", "NTK", "Activation", "CriticalLine", "Derivation", "Edge", "GivenKernel", "GivenSpectrum", "Gram",
    "InputMetric", "KernelSeries", "Metric", "Network", "OrderParameters", "PhaseDiagram", "Prediction",
    "PredictionGrid", "ProductSpectrum", "Sloppiness", "SpectralDensity", "activation_names", "block_bounds",
    "critical_line", "derive", "edge_of_chaos", "effective_dimension", "given_kernel", "given_spectrum",
    "homogeneous_traces", "initialisation", "kernel_participation", "kernel_series", "order_parameters",
    "order_parameters_grid", "outlier_eigenvectors", "partial_sum_bounds", "participation", "phase_diagram",
    "plot_density", "plot_eigenvalues", "plot_phase", "plot_predictions", "predict", "predict_grid",
    "product_spectrum", "sloppiness", "spectrum", "trace_bounds",
}  # fmt: skip


def test_public_names() -> None:
    assert set(meanfield.__all__) == PUBLIC == set(dir(meanfield)) - {"__version__"}
    for name in PUBLIC:
        public = getattr(meanfield, name)
        assert callable(public)
        assert public.__doc__, name
        assert public.__module__.startswith("meanfield.")
        assert public.__module__ != f"meanfield.{name}"  # `from meanfield import derive` must not yield a module

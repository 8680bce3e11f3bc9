"""Mean-field theory of wide random networks: order parameters, and the spectra of FIM, NTK and input metric.

>>> from meanfield import FIM, Network, predict
>>> network = Network(depth=3, activation="tanh", weight_variance=3.0, bias_variance=0.64, outputs=10)
>>> round(float(predict(network, FIM(), width=1000, samples=100).largest), 1)
255.9
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meanfield.bulk.given import GivenSpectrum, given_spectrum
    from meanfield.bulk.law import Edge, SpectralDensity
    from meanfield.bulk.whole import spectrum
    from meanfield.figures.density import plot_density
    from meanfield.figures.eigenvalues import plot_eigenvalues
    from meanfield.figures.phase import plot_phase
    from meanfield.figures.scaling import plot_predictions
    from meanfield.information.bounds import block_bounds, homogeneous_traces, partial_sum_bounds, trace_bounds
    from meanfield.information.moment_ratio import kernel_participation, participation
    from meanfield.information.products import ProductSpectrum, product_spectrum
    from meanfield.information.series import KernelSeries, kernel_series
    from meanfield.information.sloppy import Sloppiness, effective_dimension, sloppiness
    from meanfield.kernels.matrix import GivenKernel, given_kernel
    from meanfield.prediction.answer import Prediction
    from meanfield.prediction.asking import predict
    from meanfield.prediction.eigenvectors import outlier_eigenvectors
    from meanfield.prediction.grids import PredictionGrid, predict_grid
    from meanfield.propagation.edge import CriticalLine, critical_line, edge_of_chaos
    from meanfield.propagation.initialisations import initialisation
    from meanfield.propagation.phase import PhaseDiagram, phase_diagram
    from meanfield.propagation.recursion import order_parameters, order_parameters_grid
    from meanfield.propagation.samples import Gram
    from meanfield.spec import FIM, NTK, InputMetric, Metric, Network, OrderParameters
    from meanfield.spec.activations import Activation, activation_names
    from meanfield.symbolic.derivation import Derivation, derive

__all__ = [
    "FIM", "NTK", "Activation", "CriticalLine", "Derivation", "Edge", "GivenKernel", "GivenSpectrum", "Gram",
    "InputMetric", "KernelSeries", "Metric", "Network", "OrderParameters", "PhaseDiagram", "Prediction",
    "PredictionGrid", "ProductSpectrum", "Sloppiness", "SpectralDensity", "activation_names", "block_bounds",
    "critical_line", "derive", "edge_of_chaos", "effective_dimension", "given_kernel", "given_spectrum",
    "homogeneous_traces", "initialisation", "kernel_participation", "kernel_series", "order_parameters",
    "order_parameters_grid", "outlier_eigenvectors", "partial_sum_bounds", "participation", "phase_diagram",
    "plot_density", "plot_eigenvalues", "plot_phase", "plot_predictions", "predict", "predict_grid",
    "product_spectrum", "sloppiness", "spectrum", "trace_bounds",
]  # fmt: skip

# Module → public names: imported on first use, so that `import meanfield` pulls in neither SymPy nor numba.
_NAMES = {
    "spec": ("FIM", "NTK", "InputMetric", "Metric", "Network", "OrderParameters"),
    "spec.activations": ("Activation", "activation_names"),
    "symbolic.derivation": ("Derivation", "derive"),
    "propagation.recursion": ("order_parameters", "order_parameters_grid"),
    "propagation.samples": ("Gram",),
    "propagation.edge": ("CriticalLine", "critical_line", "edge_of_chaos"),
    "propagation.initialisations": ("initialisation",),
    "propagation.phase": ("PhaseDiagram", "phase_diagram"),
    "bulk.given": ("GivenSpectrum", "given_spectrum"),
    "bulk.law": ("Edge", "SpectralDensity"),
    "bulk.whole": ("spectrum",),
    "information.bounds": ("block_bounds", "homogeneous_traces", "partial_sum_bounds", "trace_bounds"),
    "information.moment_ratio": ("kernel_participation", "participation"),
    "information.products": ("ProductSpectrum", "product_spectrum"),
    "information.series": ("KernelSeries", "kernel_series"),
    "information.sloppy": ("Sloppiness", "effective_dimension", "sloppiness"),
    "kernels.matrix": ("GivenKernel", "given_kernel"),
    "prediction.answer": ("Prediction",),
    "prediction.asking": ("predict",),
    "prediction.grids": ("PredictionGrid", "predict_grid"),
    "prediction.eigenvectors": ("outlier_eigenvectors",),
    "figures.density": ("plot_density",),
    "figures.eigenvalues": ("plot_eigenvalues",),
    "figures.phase": ("plot_phase",),
    "figures.scaling": ("plot_predictions",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("meanfield.version").version()
    if name not in _HOME:
        raise AttributeError(f"module 'meanfield' has no attribute {name!r}")
    return getattr(importlib.import_module(f"meanfield.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

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
    from meanfield.activations import Activation, activation_names
    from meanfield.derivation import Derivation, derive
    from meanfield.eigenvectors import outlier_eigenvectors
    from meanfield.grids import PredictionGrid, predict_grid
    from meanfield.phase import PhaseDiagram, edge_of_chaos, initialisation, phase_diagram
    from meanfield.plots import plot_predictions
    from meanfield.prediction import Prediction, predict
    from meanfield.recursion import OrderParameters, order_parameters, order_parameters_grid
    from meanfield.refinements.bulk import spectrum
    from meanfield.refinements.law import Edge, SpectralDensity
    from meanfield.spec import FIM, NTK, InputMetric, Metric, Network

__all__ = [
    "FIM", "NTK", "Activation", "Derivation", "Edge", "InputMetric", "Metric", "Network", "OrderParameters",
    "PhaseDiagram", "Prediction", "PredictionGrid", "SpectralDensity", "activation_names", "derive", "edge_of_chaos",
    "initialisation", "order_parameters", "order_parameters_grid", "outlier_eigenvectors", "phase_diagram",
    "plot_predictions", "predict", "predict_grid", "spectrum",
]  # fmt: skip

# Public name → module: imported on first use, so that `import meanfield` pulls in neither SymPy nor numba.
_HOME = {
    "Activation": "activations", "activation_names": "activations",
    "FIM": "spec", "NTK": "spec", "InputMetric": "spec", "Metric": "spec", "Network": "spec",
    "Derivation": "derivation", "derive": "derivation",
    "PhaseDiagram": "phase", "edge_of_chaos": "phase", "initialisation": "phase", "phase_diagram": "phase",
    "PredictionGrid": "grids", "predict_grid": "grids", "outlier_eigenvectors": "eigenvectors",
    "plot_predictions": "plots",
    "OrderParameters": "recursion", "order_parameters": "recursion", "order_parameters_grid": "recursion",
    "Prediction": "prediction", "predict": "prediction",
    "Edge": "refinements.law", "SpectralDensity": "refinements.law", "spectrum": "refinements.bulk",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'meanfield' has no attribute {name!r}")
    return getattr(importlib.import_module(f"meanfield.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

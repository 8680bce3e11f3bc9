"""What is asked, and the records that theory and measurement exchange. Frozen, validated, hashed; no theory.

What all three packages speak.
"""

from meanfield.spec.checks import digest, positive_integer
from meanfield.spec.layers import LAYERS, Activate, Layer, Linear
from meanfield.spec.losses import LOSSES, Loss
from meanfield.spec.metric import FIM, METRICS, NTK, InputMetric, Metric, MetricLike, as_metric
from meanfield.spec.network import ActivationLike, Network
from meanfield.spec.states import LayerState, OrderParameters

__all__ = [
    "FIM", "LAYERS", "LOSSES", "METRICS", "NTK", "Activate", "ActivationLike", "InputMetric", "Layer", "LayerState",
    "Linear", "Loss", "Metric", "MetricLike", "Network", "OrderParameters", "as_metric", "digest", "positive_integer",
]  # fmt: skip

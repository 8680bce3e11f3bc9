"""What is asked, and the records that theory and measurement exchange. Frozen, validated, hashed; no theory.

What all three packages speak.
"""

from meanfield.spec.checks import digest, positive_integer
from meanfield.spec.layers import LAYERS, Activate, Layer, Linear
from meanfield.spec.losses import LOSSES, Loss
from meanfield.spec.metric import FIM, METRICS, NTK, InputMetric, Metric, MetricLike, as_metric
from meanfield.spec.network import ActivationLike, Network
from meanfield.spec.states import LayerState, OrderParameters
from meanfield.spec.training_losses import (
    TRAINING_LOSSES,
    CriticalRate,
    TrainingLoss,
    critical_learning_rates,
    own_rate,
    rate_tables,
)

__all__ = [
    "FIM", "LAYERS", "LOSSES", "METRICS", "NTK", "TRAINING_LOSSES", "Activate", "ActivationLike", "CriticalRate",
    "InputMetric", "Layer", "LayerState", "Linear", "Loss", "Metric", "MetricLike", "Network", "OrderParameters",
    "TrainingLoss", "as_metric", "critical_learning_rates", "digest", "own_rate", "positive_integer", "rate_tables",
]  # fmt: skip

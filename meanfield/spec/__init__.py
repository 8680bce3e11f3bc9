"""What is asked: networks, metrics, activations. Frozen, validated, hashed; no theory.

What all three packages speak.
"""

from meanfield.spec.network import (
    FIM,
    METRICS,
    NTK,
    ActivationLike,
    InputMetric,
    Metric,
    MetricLike,
    Network,
    as_metric,
    digest,
    positive_integer,
)

__all__ = [
    "FIM", "METRICS", "NTK", "ActivationLike", "InputMetric", "Metric", "MetricLike", "Network", "as_metric", "digest",
    "positive_integer",
]  # fmt: skip

"""The losses that people train with, and up to which learning rate gradient descent bears them.

Gradient descent on E leaves a minimum where η exceeds 2/λ_max of the Hessian of E: the *edge*. At small residuals that
Hessian is the FIM F for E = (1/2N) Σ |f - y|², and (2/C) F for a mean of squares over outputs as well as samples; for
the softmax with cross-entropy it is the FIM of that loss, whatever the labels. Softmax probabilities have a covariance
of norm 1/2 at most, so that E decreases at every step up to η = 4/λ_max(F) whatever they become, in the kernel regime:
the *guaranteed* value. Above the edge of the cross-entropy the loss rises at first; it needn't diverge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec.losses import LOSSES
from meanfield.text import Table, column_table

if TYPE_CHECKING:
    from meanfield.spec.metric import Metric

__all__ = [
    "TRAINING_LOSSES", "CriticalRate", "Kind", "TrainingLoss", "critical_learning_rates", "own_rate", "rate_tables",
]  # fmt: skip

Kind: TypeAlias = Literal["edge", "guaranteed"]


@dataclass(frozen=True)
class TrainingLoss:
    """One loss, and what of a metric bounds its learning rate.

    Attributes
    ----------
    name
        By which people know it: that of a class of ``torch.nn`` where there is one, with its default reduction.
    formula
        The loss, over N samples and C outputs f.
    trained
        The same loss as metrics call it: a name of :data:`meanfield.spec.LOSSES`.
    of
        The loss of the metric whose λ_max counts.
    kind
        "edge" of stability, or "guaranteed".
    factor
        η λ_max there, as a function of C, with λ_max that of the FIM.
    """

    name: str
    formula: str
    trained: str
    of: str
    kind: Kind
    factor: Callable[[int], float]

    @property
    def title(self) -> str:
        """A short heading: the formula where torch has no name for it."""
        return self.name.removesuffix(" (guaranteed)") if self.name[0].isupper() else self.formula


_SOFTMAX = "(1/N) Σ -log softmax(f)_y"

TRAINING_LOSSES: dict[str, TrainingLoss] = {
    loss.name: loss
    for loss in (
        TrainingLoss("half_squared_error", "(1/2N) Σ |f - y|²", "mse", "mse", "edge", lambda c: 2.0),
        TrainingLoss("MSELoss", "(1/NC) Σ |f - y|²", "mse", "mse", "edge", float),
        TrainingLoss("CrossEntropyLoss", _SOFTMAX, "cross_entropy", "cross_entropy", "edge", lambda c: 2.0),
        TrainingLoss("CrossEntropyLoss (guaranteed)", _SOFTMAX, "cross_entropy", "mse", "guaranteed", lambda c: 4.0),
    )
}


@dataclass(frozen=True, eq=False)
class CriticalRate:
    """The learning rate up to which gradient descent on ``loss`` is stable ("edge"), or decreases it ("guaranteed").

    ``value``: a number, or an array as λ_max was; NaN where that is void, infinite where the metric is zero.
    """

    loss: TrainingLoss
    value: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """The value with its kind and the loss's formula."""
        return {"value": self.value, "kind": self.loss.kind, "loss": self.loss.formula}


def critical_learning_rates(
    metric: Metric, largest: Mapping[str, NDArray[np.float64]], samples: ArrayLike, outputs: int
) -> dict[str, CriticalRate]:
    """The rates by the names of :data:`TRAINING_LOSSES`: all that λ_max of ``metric`` decides, and all of its own loss.

    ``largest``: λ_max of the metric with each loss for which it is known. Empty for a metric that gradient descent
    doesn't feel: one layer's block, a centred one, that of the inputs. A softmax of one output has none.
    """
    if not metric.is_felt:
        return {}
    with np.errstate(divide="ignore"):  # a metric that is zero bears every learning rate
        return {
            name: CriticalRate(loss, np.divide(loss.factor(outputs), metric.curvature(largest[loss.of], samples))[()])
            for name, loss in TRAINING_LOSSES.items()
            if loss.of in largest and metric.loss in {loss.of, loss.trained} and outputs > LOSSES[loss.trained].unseen
        }


def rate_tables(rates: Mapping[str, CriticalRate], **sizes: ArrayLike) -> list[Table]:
    """A table with a row for each loss and place of the arrays ``sizes``; none of rates that aren't known."""
    parts = [
        {"learning rate for the loss": rate.loss.title, **sizes, "critical": rate.value, "kind": rate.loss.kind}
        for rate in rates.values()
        if not np.all(np.isnan(rate.value))
    ]
    return [column_table("", *parts)] if parts else []


def own_rate(metric: Metric, rates: Mapping[str, CriticalRate]) -> NDArray[np.float64] | None:
    """The edge of the metric's own loss: (1/2N) Σ |f - y|² for "mse"; ``None`` where there is none."""
    return next((r.value for r in rates.values() if (r.loss.trained, r.loss.kind) == (metric.loss, "edge")), None)

"""Which loss or output head stands behind a metric.

Its Hessian in the outputs of sample n, ``Q_n = R_n R_nᵀ`` (C × C), stands between the dual's factors (theory.md §4).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LOSSES", "Loss"]


@dataclass(frozen=True)
class Loss:
    """What theory and measurement both have to know of one.

    Attributes
    ----------
    name
        What plain data call it.
    title
        What labels add; nothing for the squared error, whose Q_n is the identity.
    unseen
        How many directions among the outputs Q_n does not see: so many outliers fewer than outputs.
    of_logits
        Whether Q_n depends on the outputs of the network.
    """

    name: str
    title: str
    unseen: int
    of_logits: bool


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("mse", title="", unseen=0, of_logits=False),
        Loss("cross_entropy", title="cross-entropy", unseen=1, of_logits=True),  # a shift of all logits
    )
}

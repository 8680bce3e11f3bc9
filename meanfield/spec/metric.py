"""Which metric tensor is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.spec.checks import integer
from meanfield.spec.losses import LOSSES

if TYPE_CHECKING:
    from meanfield.spec.network import Network

__all__ = ["FIM", "METRICS", "NTK", "InputMetric", "Metric", "MetricLike", "as_metric"]

Floats = NDArray[np.float64]

MetricLike: TypeAlias = "Metric | str | Mapping[str, Any]"


@dataclass(frozen=True)
class Metric:
    """One metric tensor. Use its three kinds: :class:`FIM`, :class:`NTK`, :class:`InputMetric`.

    Parameters
    ----------
    layer
        ``None`` for the whole tensor, else the number of one diagonal block.
    loss
        ``"mse"``, or ``"cross_entropy"`` for the metric with the softmax sandwich (theory.md §4).
    centered
        Whether each output's mean over the samples is subtracted (theory.md §3, mean subtraction).
    """

    layer: int | None = None
    loss: str = "mse"
    centered: bool = False

    family: ClassVar[str]
    title: ClassVar[str]
    of_parameters: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.layer is not None:
            object.__setattr__(self, "layer", integer("layer", self.layer, 0))
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if not isinstance(self.centered, bool):
            raise TypeError(f"centered: expected true or false, got {self.centered!r}")

    def layers(self, depth: int) -> range:
        """The layers ``layer`` may name in a network of this depth."""
        return range(1, depth + 1)

    def check_outputs(self, outputs: int) -> None:
        """Raise ``ValueError`` for so few outputs that the loss sees none of them: the metric is zero then."""
        unseen = LOSSES[self.loss].unseen
        if outputs <= unseen:
            expected = f"at least {unseen + 1} for {self.loss}"
            raise ValueError(f"outputs: expected {expected} (with {unseen} the metric is zero), got {outputs}")

    def check(self, network: Network) -> None:
        """Raise ``ValueError`` if ``layer`` does not exist in ``network``, or the loss sees none of its outputs."""
        self.check_outputs(network.outputs)
        allowed = self.layers(network.depth)
        if self.layer is not None and self.layer not in allowed:
            raise ValueError(
                f"layer: expected {allowed[0]}..{allowed[-1]} for {self.family} at depth {network.depth}, "
                f"got {self.layer}"
            )

    @property
    def is_felt(self) -> bool:
        """Whether gradient descent on all parameters feels it: no block, not centred, not of the inputs."""
        return self.of_parameters and self.layer is None and not self.centered

    def curvature(self, largest: Floats, samples: ArrayLike) -> Floats:
        """λ_max of the FIM in the metric's own parameters, if that of the metric is ``largest``."""
        return np.asarray(largest, float)

    def to_dict(self) -> dict[str, object]:
        """The metric as JSON-ready plain data; :func:`as_metric` reads it back."""
        return {"family": self.family, "layer": self.layer, "loss": self.loss, "centered": self.centered}

    @property
    def label(self) -> str:
        """A short name for tables, for example ``"FIM, layer 2, cross-entropy"``."""
        parts = [self.title]
        parts += [] if self.layer is None else [f"layer {self.layer}"]
        parts += [LOSSES[self.loss].title] if LOSSES[self.loss].title else []
        parts += ["centered"] if self.centered else []
        return ", ".join(parts)

    def __str__(self) -> str:
        return self.label


class FIM(Metric):
    """The Fisher information matrix ``F = (1/N) Σ_n Σ_k ∇_θ f_k ∇_θ f_kᵀ`` (P × P), or its block of layer 1..L."""

    family, title = "fim", "FIM"


class NTK(Metric):
    """The neural tangent kernel in NTK parameterisation (CN × CN), or the part that layer 1..L gives to it."""

    family, title = "ntk", "NTK"

    def curvature(self, largest: Floats, samples: ArrayLike) -> Floats:
        found: Floats = np.asarray(largest, float) / np.asarray(samples, float)
        return found


class InputMetric(Metric):
    """The metric of input and feature space ``A = (1/N) Σ_n Σ_k ∇_h f_k ∇_h f_kᵀ``, h = (h^0..h^{L-1}), or the block
    of h^l, ``l = 0..L-1`` (``layer=0``: the input space)."""

    family, title, of_parameters = "input_metric", "Input metric", False

    def layers(self, depth: int) -> range:
        return range(depth)


METRICS: dict[str, type[Metric]] = {kind.family: kind for kind in (FIM, NTK, InputMetric)}


def as_metric(value: object) -> Metric:
    """A metric from a metric, a family name (``"fim"``) or a table (``{"family": "fim", "layer": 2}``).

    Raises
    ------
    ValueError, TypeError
        If the family is unknown, or the table has an unknown key.
    """
    if isinstance(value, Metric):
        return value
    table = {"family": value} if isinstance(value, str) else value
    if not isinstance(table, Mapping):
        raise TypeError(f"metric: expected a family name or a table, got {value!r}")
    options = dict(table)
    family = options.pop("family", None)
    if family not in METRICS:
        raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {family!r}")
    known = {f.name for f in fields(Metric)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(f"metric: expected the keys family, {', '.join(sorted(known))}; got {unknown[0]!r}")
    return METRICS[family](**options)

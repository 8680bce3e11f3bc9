"""What is asked: the network and the metric tensor. Frozen, validated records without any theory.

Axes and indices used in the whole library: layers ``l = 0..L`` (0 is the input, L the output), ``M_l = α_l M`` units in
layer ``l`` with ``M_L = C`` outputs, ``N`` samples. Weights ``W^l`` have shape ``(M_l, M_{l-1})``, for ``l = 1..L``.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from meanfield.spec.activations import Activation, as_activation

if TYPE_CHECKING:
    import sympy

__all__ = ["FIM", "METRICS", "NTK", "InputMetric", "Metric", "Network", "as_metric", "positive_integer"]

ActivationLike: TypeAlias = "str | Activation | sympy.Expr"
MetricLike: TypeAlias = "Metric | str | Mapping[str, Any]"
Loss = Literal["mse", "cross_entropy"]
_POSITIVE = sys.float_info.min
LOSSES: tuple[Loss, ...] = ("mse", "cross_entropy")


@dataclass(frozen=True, init=False)
class Network:
    """A wide random fully connected network: theory.md §1.

    ``u^l = W^l h^{l-1} + b^l``, ``h^l = φ_l(u^l)``, ``f = u^L``, with ``W^l_ij ~ N(0, σ_w²/M_{l-1})``,
    ``b^l_i ~ N(0, σ_b²)`` and inputs ``x_i ~ N(0, 1)``.

    Parameters
    ----------
    depth
        L, the number of weight layers (so there are L - 1 hidden layers).
    activation
        A registered name, an :class:`Activation`, a SymPy expression in one symbol, or a sequence of L - 1 of these.
    weight_variance, bias_variance
        σ_w² and σ_b²: one number, or one per layer (L of them).
    outputs
        C.
    width_ratios
        α_0..α_{L-1}; ``α_l * width`` must be an integer for every width asked. All 1 by default.

    The fields hold the values spread over the layers: ``activation`` has length L - 1, the others length L.

    Raises
    ------
    ValueError, TypeError
        With a sentence that names the field, what was expected and what came.
    """

    depth: int
    activation: tuple[Activation, ...]
    weight_variance: tuple[float, ...]
    bias_variance: tuple[float, ...]
    outputs: int
    width_ratios: tuple[float, ...]

    def __init__(
        self,
        depth: int,
        activation: ActivationLike | Iterable[ActivationLike],
        weight_variance: float | Iterable[float],
        bias_variance: float | Iterable[float] = 0.0,
        outputs: int = 1,
        width_ratios: Iterable[float] | None = None,
    ) -> None:
        depth = positive_integer("depth", depth)
        ratios = (1.0,) * depth if width_ratios is None else width_ratios
        values = {
            "depth": depth,
            "activation": tuple(as_activation(a) for a in _per_layer("activation", activation, depth - 1)),
            "weight_variance": _numbers("weight_variance", weight_variance, depth, minimum=0.0),
            "bias_variance": _numbers("bias_variance", bias_variance, depth, minimum=0.0),
            "outputs": positive_integer("outputs", outputs),
            "width_ratios": _numbers("width_ratios", ratios, depth, minimum=_POSITIVE),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def widths(self, width: int) -> tuple[int, ...]:
        """``(M_0, ..., M_L)`` at width M.

        Raises
        ------
        ValueError
            If ``width`` is not a positive integer, or some ``α_l * width`` is not one.
        """
        width = positive_integer("width", width)
        return (*(_layer_width(layer, a, width) for layer, a in enumerate(self.width_ratios)), self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """The network as JSON-ready plain data: activations as ``{"name", "text", "breakpoints"}``."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["activation"] = [
            {"name": a.name, "text": a.text, "breakpoints": list(a.breakpoints or ())} for a in self.activation
        ]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Network:
        """The inverse of :meth:`to_dict`."""
        activation = [Activation(a["name"], a["text"], tuple(a["breakpoints"])) for a in plain["activation"]]
        return cls(**{**plain, "activation": activation})

    @property
    def digest(self) -> str:
        """A hash of the physics (SHA-256, hex): equal for equal networks, whatever the activations are called."""
        plain = self.to_dict()
        plain["activation"] = [a["text"] for a in plain["activation"]]
        return digest(plain)


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
    loss: Loss = "mse"
    centered: bool = False

    family: ClassVar[str]
    title: ClassVar[str]

    def __post_init__(self) -> None:
        if self.layer is not None:
            object.__setattr__(self, "layer", _integer("layer", self.layer, 0))
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        if not isinstance(self.centered, bool):
            raise TypeError(f"centered: expected true or false, got {self.centered!r}")

    def layers(self, depth: int) -> range:
        """The layers ``layer`` may name in a network of this depth."""
        return range(1, depth + 1)

    def check(self, network: Network) -> None:
        """Raise ``ValueError`` if ``layer`` does not exist in ``network``."""
        allowed = self.layers(network.depth)
        if self.layer is not None and self.layer not in allowed:
            raise ValueError(
                f"layer: expected {allowed[0]}..{allowed[-1]} for {self.family} at depth {network.depth}, "
                f"got {self.layer}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The metric as JSON-ready plain data; :func:`as_metric` reads it back."""
        return {"family": self.family, "layer": self.layer, "loss": self.loss, "centered": self.centered}

    @property
    def label(self) -> str:
        """A short name for tables, for example ``"FIM, layer 2, cross-entropy"``."""
        parts = [self.title]
        parts += [] if self.layer is None else [f"layer {self.layer}"]
        parts += ["cross-entropy"] if self.loss == "cross_entropy" else []
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


class InputMetric(Metric):
    """The metric of input and feature space ``A = (1/N) Σ_n Σ_k ∇_h f_k ∇_h f_kᵀ``, h = (h^0..h^{L-1}), or the block
    of h^l, ``l = 0..L-1`` (``layer=0``: the input space)."""

    family, title = "input_metric", "Input metric"

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


def digest(plain: Any) -> str:
    """SHA-256 (hex) of JSON-ready plain data, in a canonical spelling."""
    spelled = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(spelled.encode()).hexdigest()


def positive_integer(field: str, value: object) -> int:
    """``value`` as an ``int`` of at least 1, or an error that names ``field``."""
    return _integer(field, value, 1)


def _integer(field: str, value: Any, minimum: int) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{field}: expected an integer, got {value!r}") from None
    if number < minimum:
        raise ValueError(f"{field}: expected an integer of at least {minimum}, got {number}")
    return number


def _number(field: str, value: Any, minimum: float) -> float:
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{field}: expected a number, got {value!r}") from None
    if not (math.isfinite(number) and number >= minimum):
        wanted = "a positive finite number" if minimum == _POSITIVE else f"a finite number of at least {minimum:g}"
        raise ValueError(f"{field}: expected {wanted}, got {number!r}")
    return number


def _numbers(field: str, value: Any, length: int, minimum: float) -> tuple[float, ...]:
    return tuple(_number(field, v, minimum) for v in _per_layer(field, value, length))


def _per_layer(field: str, value: Any, length: int) -> tuple[Any, ...]:
    """One value spread over ``length`` layers, or the given sequence if it has that length."""
    single = isinstance(value, str | Activation) or not isinstance(value, Iterable)
    values = (value,) * length if single else tuple(value)
    if len(values) != length:
        raise ValueError(f"{field}: expected one value or {length} (one per layer), got {len(values)}")
    return values


def _layer_width(layer: int, ratio: float, width: int) -> int:
    exact = ratio * width
    # A ratio such as 1/3 is not a binary fraction: 1/3 * 300 must count as 100.
    nearest = round(exact)
    if nearest < 1 or abs(exact - nearest) > 1e-9 * exact:
        raise ValueError(
            f"width: expected α_{layer} * width to be a positive integer, got {ratio:g} * {width} = {exact:g}"
        )
    return nearest

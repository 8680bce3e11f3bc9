"""Which law a network is drawn from: a sequence of layers.

Axes and indices used in the whole library: weight layers ``l = 1..L`` (0 is the input, L the output), ``M_l = α_l M``
units in layer ``l`` with ``M_L = C`` outputs, ``N`` samples. Weights ``W^l`` have shape ``(M_l, M_{l-1})``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from meanfield.spec.activations import Activation, as_activation
from meanfield.spec.checks import POSITIVE, digest, number, numbers, per_layer, positive_integer, table, units
from meanfield.spec.layers import LAYERS, Activate, Layer, Linear
from meanfield.text import Table, Tabled, alike

if TYPE_CHECKING:
    import sympy

__all__ = ["ActivationLike", "Network"]

ActivationLike: TypeAlias = "str | Activation | sympy.Expr"


@dataclass(frozen=True, init=False, repr=False)
class Network(Tabled):
    """A wide random network: theory.md §1. Its constructor makes a fully connected one, :meth:`of` any sequence.

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

    Attributes
    ----------
    layers
        The sequence: a :class:`~meanfield.spec.Linear` and an :class:`~meanfield.spec.Activate` in turn, or any other.
    outputs
        C.
    input_ratio
        α_0.
    depth, weight_variance, bias_variance, width_ratios
        Spread over the weight layers; ``activation`` has the activations in order.

    Raises
    ------
    ValueError, TypeError
        With a sentence that names the field, what was expected and what came.
    """

    layers: tuple[Layer, ...]
    outputs: int
    input_ratio: float

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
        activations = [as_activation(a) for a in per_layer("activation", activation, depth - 1)]
        weights = numbers("weight_variance", weight_variance, depth, minimum=0.0)
        biases = numbers("bias_variance", bias_variance, depth, minimum=0.0)
        outputs = positive_integer("outputs", outputs)
        given = (1.0,) * depth if width_ratios is None else width_ratios
        inputs, *hidden = numbers("width_ratios", given, depth, minimum=POSITIVE)
        linear = map(Linear, weights, biases, (*hidden, 1.0))
        turns = zip(linear, (*map(Activate, activations), None), strict=True)
        self._set(tuple(layer for turn in turns for layer in turn if layer is not None), outputs, inputs)

    @classmethod
    def of(cls, layers: Iterable[Layer], outputs: int = 1, input_ratio: float = 1.0) -> Network:
        """A network of any sequence of layers, from the inputs up. The last one is the ``Linear`` with the C outputs.

        Raises
        ------
        ValueError, TypeError
            For no layers, something else among them, or a last one that is not as expected.
        """
        sequence = tuple(layers)
        wrong = [layer for layer in sequence if not isinstance(layer, Layer)]
        if wrong:
            raise TypeError(f"layers: expected layers ({', '.join(LAYERS)}), got {wrong[0]!r}")
        last = sequence[-1] if sequence else None
        if not isinstance(last, Linear):
            raise ValueError(f"layers: expected a Linear last, which makes the outputs, got {last!r}")
        if last.width_ratio != 1:
            raise ValueError(f"layers: expected the last width_ratio to be 1 (outputs has C), got {last.width_ratio:g}")
        made = object.__new__(cls)
        made._set(sequence, positive_integer("outputs", outputs), number("input_ratio", input_ratio, POSITIVE))
        return made

    def _set(self, layers: tuple[Layer, ...], outputs: int, input_ratio: float) -> None:
        for name, value in (("layers", layers), ("outputs", outputs), ("input_ratio", input_ratio)):
            object.__setattr__(self, name, value)

    @functools.cached_property
    def linear(self) -> tuple[Linear, ...]:
        """The weight layers l = 1..L."""
        return tuple(weights for layer in self.layers for weights in layer.linear)

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.linear)

    @functools.cached_property
    def activation(self) -> tuple[Activation, ...]:
        """The activations, in order."""
        return tuple(phi for layer in self.layers for phi in layer.activations)

    @property
    def weight_variance(self) -> tuple[float, ...]:
        """σ_w² of each weight layer."""
        return tuple(layer.weight_variance for layer in self.linear)

    @property
    def bias_variance(self) -> tuple[float, ...]:
        """σ_b² of each weight layer."""
        return tuple(layer.bias_variance for layer in self.linear)

    @property
    def width_ratios(self) -> tuple[float, ...]:
        """α_0..α_{L-1}."""
        return (self.input_ratio, *(layer.width_ratio for layer in self.linear[:-1]))

    @functools.cached_property
    def is_dense(self) -> bool:
        """Whether it is one that the constructor makes: a ``Linear``, then an ``Activate`` and a ``Linear`` in turn."""
        kinds = (Linear, Activate)
        turns = all(type(layer) is kinds[i % 2] for i, layer in enumerate(self.layers))
        return turns and len(self.layers) % 2 == 1

    def check_dense(self, theory: str) -> None:
        """Raise ``ValueError`` unless it is fully connected, as ``theory`` needs it."""
        if not self.is_dense:
            kinds = ", ".join(layer.kind for layer in self.layers)
            raise ValueError(
                f"network: expected a fully connected one (linear and activate in turn) for {theory}, got {kinds}"
            )

    def widths(self, width: int) -> tuple[int, ...]:
        """``(M_0, ..., M_L)`` at width M.

        Raises
        ------
        ValueError
            If ``width`` is not a positive integer, or some ``α_l * width`` is not one.
        """
        width = positive_integer("width", width)
        return (*(units(layer, a, width) for layer, a in enumerate(self.width_ratios)), self.outputs)

    def with_features(self, features: int, width: int) -> Network:
        """The network whose inputs have so many features at width M, whatever M is; α_0 follows.

        Raises
        ------
        ValueError
            If ``width_ratios`` say another number: an α_0 other than 1 has been asked for.
        """
        asked = self.input_ratio * width
        if self.input_ratio != 1 and abs(asked - features) > 1e-9 * asked:
            raise ValueError(
                f"width_ratios: expected α_0 M = {features}, the features of the inputs, or an α_0 of 1, which follows "
                f"them; got {self.input_ratio:g} * {width}"
            )
        made = object.__new__(type(self))
        made._set(self.layers, self.outputs, features / width)
        return made

    def to_dict(self) -> dict[str, object]:
        """The network as JSON-ready plain data: a fully connected one as the constructor's arguments, activations as
        ``{"name", "text", "breakpoints"}``; another by its ``layers``."""
        if not self.is_dense:
            layers = [layer.to_dict() for layer in self.layers]
            return {"layers": layers, "outputs": self.outputs, "input_ratio": self.input_ratio}
        return {
            "depth": self.depth,
            "activation": [phi.to_dict() for phi in self.activation],
            "weight_variance": list(self.weight_variance),
            "bias_variance": list(self.bias_variance),
            "outputs": self.outputs,
            "width_ratios": list(self.width_ratios),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Network:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        ValueError, TypeError
            For a missing or unknown key, an unknown layer type, or a value that is refused.
        """
        if isinstance(plain, Mapping) and "layers" in plain:
            known = table("network", plain, ("layers", "outputs", "input_ratio"))
            return cls.of(map(_layer, _listed("layers", known["layers"])), known["outputs"], known["input_ratio"])
        optional = ("bias_variance", "outputs", "width_ratios")
        known = table("network", plain, ("depth", "activation", "weight_variance"), optional)
        activations = [Activation.from_dict(a) for a in _listed("activation", known["activation"])]
        return cls(**{**known, "activation": activations})

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the physics (SHA-256, hex): equal for equal networks, whatever the activations are called."""
        return digest(_without_names(self.to_dict()))

    __str__ = object.__str__

    def fields(self) -> dict[str, str | float]:
        """Activation, depth, variances, outputs and width ratios: one value each where all layers have the same, else
        all of them with slashes between."""
        return {
            "activation": alike([phi.name for phi in self.activation] or ["linear"]),
            "depth": self.depth,
            "weight_variance": alike(self.weight_variance),
            "bias_variance": alike(self.bias_variance),
            "outputs": self.outputs,
            "width_ratios": alike(self.width_ratios),
        }

    def _tables(self) -> Iterable[Table]:
        rows = [[str(place), layer.kind, layer.settings] for place, layer in enumerate(self.layers, 1)]
        caption = f"Network of {self.depth} weight layers, {self.input_ratio:g} M inputs, C = {self.outputs}"
        yield Table(caption, ["", "layer", "with"], rows)

    def __repr__(self) -> str:
        if not self.is_dense:
            return f"Network.of({list(self.layers)!r}, outputs={self.outputs}, input_ratio={self.input_ratio:g})"
        names = ("depth", "activation", "weight_variance", "bias_variance", "outputs", "width_ratios")
        return f"Network({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


def _layer(plain: Mapping[str, object]) -> Layer:
    kind = plain.get("kind") if isinstance(plain, Mapping) else plain
    if not isinstance(kind, str) or kind not in LAYERS:
        raise ValueError(f"layers: expected tables of the kinds {', '.join(LAYERS)}, got {kind!r:.60}")
    return LAYERS[kind].from_dict(plain)


def _listed(field: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{field}: expected a list of tables, got {value!r:.60}")
    return list(value)


def _without_names(plain: Any) -> Any:
    """Plain data with every activation reduced to its text."""
    if isinstance(plain, dict):
        return plain.get("text") or {name: _without_names(value) for name, value in plain.items()}
    return [_without_names(value) for value in plain] if isinstance(plain, list) else plain

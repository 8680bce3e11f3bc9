"""Initialisations by name: (σ_w², σ_b²)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import numpy as np

from meanfield.propagation.edge import critical_line
from meanfield.propagation.recursion import variance_grid
from meanfield.spec import ActivationLike
from meanfield.spec.activations import Activation, as_activation

__all__ = ["INITIALISATIONS", "initialisation"]

INITIALISATIONS = ("he", "lecun", "xavier", "torch", "critical")
_ALIASES: Mapping[str, str] = {"kaiming": "he", "glorot": "xavier", "pytorch": "torch", "default": "torch"}


def initialisation(name: str, activation: ActivationLike, bias_variance: float = 0.0) -> tuple[float, float]:
    """(σ_w², σ_b²) of an initialisation by its name.

    ``"he"`` (or ``"kaiming"``): 2 (He et al. 2015), divided by 1 + a² for leaky_relu(a), its published gain;
    ``"lecun"``: 1; ``"xavier"`` (or ``"glorot"``): 1, its 2/(fan-in + fan-out) at equal widths; ``"critical"``: the
    edge of chaos at ``bias_variance``. ``"torch"`` (or ``"pytorch"``, ``"default"``): 1/3, that of
    ``torch.nn.Linear``, ±√(1/fan-in) uniformly; its biases have 1/(3 fan-in), which goes to 0 in wide layers: give it
    as ``bias_variance``.

    Raises
    ------
    ValueError
        For another name, or if the activation has no edge of chaos at this bias variance: with the reason, and the
        largest σ_w² that stays bounded.
    """
    activation = as_activation(activation)
    variance_grid(1.0, bias_variance)
    name = _ALIASES.get(name, name)
    if name == "critical":
        return _critical(activation, bias_variance), bias_variance
    weights = {"he": 2.0 / (1 + _leak(activation) ** 2), "lecun": 1.0, "xavier": 1.0, "torch": 1 / 3}
    if name not in weights:
        names = (*INITIALISATIONS, *_ALIASES)
        close = difflib.get_close_matches(str(name), names, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"initialisation: expected one of {', '.join(names)}, got {name!r}{hint}")
    return weights[name], bias_variance


def _leak(activation: Activation) -> float:
    if not activation.name.startswith("leaky_relu"):
        return 0.0
    left, right = np.abs(activation.function(order=1)(np.array([-1.0, 1.0])))
    return float(left / right)


def _critical(activation: Activation, bias_variance: float) -> float:
    line = critical_line(activation, bias_variance)
    if np.isnan(line.weight_variance):
        raise ValueError(
            f"activation: expected one with an edge of chaos at σ_b² = {bias_variance:g}, got {activation}: "
            f"{line.why_none(0)}"
        )
    return float(line.weight_variance)

"""What figures call a network."""

from __future__ import annotations

from meanfield.spec import Network

__all__ = ["BIAS", "WEIGHT", "network_title"]

WEIGHT, BIAS = r"$\sigma_w^2$", r"$\sigma_b^2$"

_SIGNS = {
    "activation": "", "depth": "$L$", "weight_variance": WEIGHT, "bias_variance": BIAS, "outputs": "$C$",
    "width_ratios": r"$\alpha$",
}  # fmt: skip


def network_title(network: Network, but: tuple[str, ...] = ()) -> str:
    """``tanh, σ_w² = 3, σ_b² = 0.64, L = 3, C = 10``, typeset; without the fields ``but``."""
    told = {name: value for name, value in network.fields().items() if name not in but}
    if told.get("width_ratios") == 1.0:
        del told["width_ratios"]
    return ", ".join(f"{_SIGNS[name]} = {_brief(x)}" if _SIGNS[name] else _brief(x) for name, x in told.items())


def _brief(value: str | float) -> str:
    return value.replace("$", r"\$") if isinstance(value, str) else f"{value:g}"

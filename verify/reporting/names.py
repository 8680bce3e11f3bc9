"""What things are called in a report: statistics, verdicts, networks, places of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from meanfield.spec import Network
from meanfield.text import alike
from verify.asking.records import Law
from verify.judging.judged import Limit, Row

__all__ = [
    "AXES", "ORDER_PARAMETER_TITLES", "STATISTIC_TITLES", "SYMBOLS", "VERDICT_TITLES", "Named", "brief",
    "network_names", "place", "sizes",
]  # fmt: skip

STATISTIC_TITLES = {
    "mean": "mean eigenvalue",
    "second_moment": "second moment",
    "largest": "largest eigenvalue",
    "outliers": "mean outlier",
}
VERDICT_TITLES = {"pass": "✓ pass", "fail": "✗ fail", "unclear": "? unclear", "void": "– void"}
ORDER_PARAMETER_TITLES = {
    "q": "q", "q_st": "q_st", "forward": "q̂", "forward_st": "q̂_st", "backward": "q̃", "backward_st": "q̃_st",
}  # fmt: skip
SYMBOLS = {
    "activation": "activation", "depth": "L", "weight_variance": "σ_w²", "bias_variance": "σ_b²", "outputs": "C",
    "width_ratios": "α", "data": "data",
}  # fmt: skip
"""The fields of a law, as a report's tables and names call them."""

AXES = {"width": "width M", "samples": "samples N"}


@dataclass(frozen=True)
class Named:
    """A law with the short name that it has among others."""

    name: str
    law: Law

    def __str__(self) -> str:
        return self.name

    def parts(self) -> dict[str, str | float]:
        """The name, and each field for programs."""
        return {"": self.name, **{f"_{field}": value for field, value in self.law.fields().items()}}


def network_names(laws: Iterable[Law]) -> dict[str, str]:
    """A short name for each law, by digest: what tells it from the others."""
    described = {law.digest: {**_described(law.network), "data": law.data} for law in laws}
    telling: list[str] = []
    for field in SYMBOLS:
        if _distinct(described.values(), [*telling, field]) > _distinct(described.values(), telling):
            telling.append(field)
    return {key: _joined(d, telling or ["activation"]) for key, d in described.items()}


def _distinct(described: Iterable[Mapping[str, str]], telling: Sequence[str]) -> int:
    return len({_joined(d, telling) for d in described})


def _joined(described: Mapping[str, str], telling: Sequence[str]) -> str:
    return ", ".join(described[field] for field in telling if described[field])


def sizes(judged: Row | Limit) -> str:
    """Where on the axes of the sweep: ``"M → ∞, N = 100"`` or ``"M = 64, N = 100"``."""
    if isinstance(judged, Limit):
        return f"M → ∞, {judged.series.held}"
    return f"M = {judged.observation.cell.width}, N = {judged.observation.cell.samples}"


def place(judged: Row | Limit, names: Mapping[str, str]) -> str:
    """Metric, statistic, network and sizes in one phrase."""
    title = STATISTIC_TITLES[judged.statistic]
    return f"{title} of {judged.metric.label}, {names[judged.law.digest]}, {sizes(judged)}"


def brief(value: str | float) -> str:
    """A name as it is, a number in few digits."""
    return value if isinstance(value, str) else f"{value:g}"


def _described(network: Network) -> dict[str, str]:
    """The fields that may tell a network from others, as they stand in a name."""
    per_layer: dict[str, Sequence[str | float]] = {
        "activation": [a.name for a in network.activation] or ["linear"],
        "depth": [str(network.depth)],
        "weight_variance": network.weight_variance,
        "bias_variance": network.bias_variance,
        "outputs": [str(network.outputs)],
        "width_ratios": network.width_ratios,
    }
    spelled = {field: alike([brief(v) for v in values]) for field, values in per_layer.items()}
    described = {field: f"{SYMBOLS[field]} = {value}" for field, value in spelled.items()}
    described["activation"] = spelled["activation"]
    return described if set(network.width_ratios) != {1.0} else {**described, "width_ratios": ""}

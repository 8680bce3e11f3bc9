"""What things are called in a report: statistics, verdicts, networks, places of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meanfield.spec import Network
from verify.judging.judged import Limit, Row

__all__ = [
    "AXES",
    "ORDER_PARAMETER_TITLES",
    "STATISTIC_TITLES",
    "VERDICT_TITLES",
    "Named",
    "network_names",
    "place",
    "sizes",
]

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
AXES = {"width": "width M", "samples": "samples N"}


@dataclass(frozen=True)
class Named:
    """A network with the short name that it has among others."""

    name: str
    network: Network

    def __str__(self) -> str:
        return self.name

    def parts(self) -> dict[str, str | int | float]:
        """The name, and each field for programs: a number (or a name) where all layers have the same."""
        network = self.network
        return {
            "": self.name,
            "_activation": _same([a.name for a in network.activation] or ["linear"]),
            "_depth": network.depth,
            "_weight_variance": _same(network.weight_variance),
            "_bias_variance": _same(network.bias_variance),
            "_outputs": network.outputs,
            "_width_ratios": _same(network.width_ratios),
        }


def network_names(networks: Iterable[Network]) -> dict[str, str]:
    """A short name for each network, by digest: what tells it from the others."""
    described = {network.digest: _described(network) for network in networks}
    telling: list[str] = []
    for field in _FIELDS:
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
    return f"{title} of {judged.metric.label}, {names[judged.network.digest]}, {sizes(judged)}"


def _described(network: Network) -> dict[str, str]:
    ratios = network.width_ratios
    return {
        "activation": _brief([a.name for a in network.activation] or ["linear"]),
        "depth": f"L = {network.depth}",
        "weight_variance": f"σ_w² = {_brief(network.weight_variance)}",
        "bias_variance": f"σ_b² = {_brief(network.bias_variance)}",
        "outputs": f"C = {network.outputs}",
        "width_ratios": "" if set(ratios) == {1.0} else f"α = {_brief(ratios)}",
    }


_FIELDS = ("activation", "depth", "weight_variance", "bias_variance", "outputs", "width_ratios")


def _same(values: Sequence[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else "/".join(map(str, values))


def _brief(values: Sequence[Any]) -> str:
    spelled = [v if isinstance(v, str) else f"{v:g}" for v in values]
    return spelled[0] if len(set(spelled)) == 1 else "/".join(spelled)

"""How many single networks lie where the refined theory expects 95 % of them: a test of the predicted spread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from verify.judging.observations import Observation
from verify.judging.pairing import LEVEL, STATISTICS

__all__ = ["Coverage", "coverage"]


@dataclass(frozen=True)
class Coverage:
    """``inside`` of ``networks`` lie in the predicted interval of probability ``level``, over all cells."""

    inside: int
    networks: int
    level: float = LEVEL

    @property
    def share(self) -> float:
        return self.inside / self.networks


def coverage(observations: Iterable[Observation]) -> dict[str, Coverage]:
    """The coverage by statistic, of those that have a predicted interval and a network."""
    seen = [(o, o.band) for o in observations if o.band is not None and not o.reason and o.values.size]
    return {
        statistic: Coverage(sum(_inside(o, band) for o, band in found), sum(o.values.size for o, _ in found))
        for statistic in STATISTICS
        if (found := [(o, band) for o, band in seen if o.statistic == statistic])
    }


def _inside(observation: Observation, band: tuple[float, float]) -> int:
    return int(np.sum((observation.values >= band[0]) & (observation.values <= band[1])))

"""Grids of networks: one prediction for each point of a product of settings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.prediction.asking import predict
from meanfield.spec import Metric, Network

if TYPE_CHECKING:
    import pandas

__all__ = ["PredictionGrid", "predict_grid"]


@dataclass(frozen=True)
class PredictionGrid:
    """Predictions over a product of network settings.

    ``axes`` names the settings and their values; ``predictions`` has one axis for each, in that order.
    """

    axes: Mapping[str, tuple[Any, ...]]
    predictions: NDArray[np.object_]

    def values(self, statistic: str) -> NDArray[np.float64]:
        """A statistic ("mean", "largest", ...) as an array: the grid's axes, then those of width and samples."""
        shape = self.predictions.shape
        flat = np.array([getattr(p, statistic) for p in self.predictions.ravel()], dtype=np.float64)
        return flat.reshape(*shape, *flat.shape[1:])

    def to_frame(self) -> pandas.DataFrame:
        """One row for each point, width and sample number. Needs pandas."""
        import pandas

        points = itertools.product(*self.axes.values())
        frames = [
            p.to_frame().assign(**{k: str(v) for k, v in zip(self.axes, point, strict=True)})
            for point, p in zip(points, self.predictions.ravel(), strict=True)
        ]
        return pandas.concat(frames, ignore_index=True)


def predict_grid(
    axes: Mapping[str, Sequence[Any]],
    metric: Metric,
    *,
    width: ArrayLike,
    samples: ArrayLike,
    **fixed: Any,
) -> PredictionGrid:
    """:func:`meanfield.predict` for every combination of the network settings in ``axes``.

    Parameters
    ----------
    axes
        Argument of :class:`Network` → values, for example ``{"depth": [2, 3], "weight_variance": [1.0, 2.0]}``. A value
        for each layer is a tuple.
    metric, width, samples
        As for ``predict``.
    fixed
        The other arguments of :class:`Network`.

    Raises
    ------
    ValueError, TypeError
        As ``Network`` and ``predict`` do; TypeError for an axis that is no sequence of values.
    """
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise TypeError(f"axes: expected a sequence of values for {name}, got {values!r}")
    spread = {name: tuple(values) for name, values in axes.items()}
    predictions = np.empty([len(v) for v in spread.values()], dtype=object)
    for index, point in zip(np.ndindex(predictions.shape), itertools.product(*spread.values()), strict=True):
        network = Network(**fixed, **dict(zip(spread, point, strict=True)))
        predictions[index] = predict(network, metric, width=width, samples=samples)
    return PredictionGrid(spread, predictions)

"""What a data set is once it is loaded."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DataSet", "Labels"]

Labels = Literal["classes", "numbers", "none"]


@dataclass(frozen=True, eq=False, kw_only=True)
class DataSet:
    """Samples of a data set, scaled.

    Attributes
    ----------
    name, scaling, seed
        As they were asked for.
    inputs
        (N, d), float64.
    labels
        (N,): classes as integers from 0, or the numbers to be predicted; ``None`` where there are none.
    kind
        What the labels are: ``"classes"``, ``"numbers"`` or ``"none"``.
    classes
        How many classes the whole set has; 0 where the labels are no classes.
    rows
        (N,): the place of each sample in the whole set. A drawn set has its samples in order.
    dropped
        The columns of the source that ``scaling="standard"`` left out, since they are constant in these samples.
    scale
        What the remaining columns were divided by: a number, or (d,) for "standard".
    notes
        What one should know about it, in sentences.
    """

    name: str
    scaling: str
    seed: int | None
    inputs: NDArray[np.float64] = field(repr=False)
    labels: NDArray[Any] | None = field(repr=False)
    kind: Labels
    classes: int
    rows: NDArray[np.intp] = field(repr=False)
    dropped: tuple[int, ...] = field(repr=False)
    scale: float | NDArray[np.float64] = field(repr=False)
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        """N."""
        return len(self.inputs)

    @property
    def features(self) -> int:
        """d."""
        return int(self.inputs.shape[1])

    @property
    def mean_square(self) -> float:
        """The mean over the samples of |x|²/d."""
        return float(np.mean(self.inputs**2))

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the inputs' float64 bytes: what a measurement of them records, too."""
        return hashlib.sha256(self.inputs.tobytes()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """All but the numbers, JSON-ready."""
        return {
            "name": self.name, "scaling": self.scaling, "seed": self.seed, "samples": self.samples,
            "features": self.features, "labels": self.kind, "classes": self.classes, "dropped": list(self.dropped),
            "mean_square": self.mean_square, "sha256": self.digest, "notes": list(self.notes),
        }  # fmt: skip

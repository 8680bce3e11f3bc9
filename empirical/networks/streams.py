"""Random numbers and inputs from explicit streams.

Every array has a stream of its own, a child of the seed named by (role, layer). So the weights depend neither on the
number of samples nor on other layers' shapes, and the inputs of a smaller N are the first rows of those of a larger.
By default numbers are drawn on the host in float64: the same seed gives the same network on every backend and dtype.
"""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from empirical.backends.base import Array, Backend

__all__ = [
    "BIASES",
    "CONTROL",
    "ROWS",
    "SYNTHETIC",
    "WEIGHTS",
    "Rng",
    "Seed",
    "Source",
    "as_seed",
    "child",
    "describe_inputs",
    "describe_seed",
    "draw_inputs",
    "given_inputs",
]

Seed: TypeAlias = "int | SeedSequence"
Rng = Literal["host", "device"]
INPUTS, WEIGHTS, BIASES, ROWS, SYNTHETIC, CONTROL = range(6)
"""What numbers are drawn for. A role of its own for each purpose: data and weights of one seed share none."""


def as_seed(value: Seed) -> SeedSequence:
    """A seed sequence from an integer or a seed sequence.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or a negative integer.
    """
    if isinstance(value, SeedSequence):
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"seed: expected an integer or a SeedSequence, got {value!r}") from None
    if number < 0:
        raise ValueError(f"seed: expected an integer of at least 0, got {number}")
    return SeedSequence(number)


def describe_seed(seed: SeedSequence) -> dict[str, Any]:
    """The seed as JSON-ready data: ``SeedSequence(entropy, spawn_key=spawn_key)`` gives it back."""
    entropy = seed.entropy
    plain = int(entropy) if isinstance(entropy, int | np.integer) else [int(e) for e in entropy or ()]
    return {"entropy": plain, "spawn_key": [int(k) for k in seed.spawn_key]}


def describe_inputs(given: NDArray[Any] | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """Where the samples come from, JSON-ready: drawn, or the user's with the SHA-256 (hex) of their bytes as used."""
    if given is None:
        return {"kind": "gaussian", "shape": list(shape)}
    return {"kind": "given", "shape": list(given.shape), "sha256": hashlib.sha256(given.tobytes()).hexdigest()}


def child(seed: SeedSequence, role: int, layer: int) -> SeedSequence:
    """The seed of one array."""
    return SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, role, layer), pool_size=seed.pool_size)


@dataclass(frozen=True)
class Source:
    """Standard normal arrays of one seed, on a backend.

    ``rng="host"``: drawn by NumPy in float64 and brought to the device, the same on every backend. ``rng="device"``:
    drawn by the backend, its own numbers.
    """

    seed: SeedSequence
    backend: Backend
    rng: Rng = "host"

    def normal(self, role: int, layer: int, shape: tuple[int, ...], deviation: float = 1.0) -> Array:
        """``N(0, deviation²)`` numbers for one array."""
        seed = child(self.seed, role, layer)
        if self.rng == "device":
            return self.backend.standard_normal(seed, shape) * deviation
        numbers = np.random.default_rng(seed).standard_normal(shape)
        numbers *= deviation
        return self.backend.asarray(numbers)


def draw_inputs(samples: int, units: int, source: Source) -> Array:
    """Inputs ``x_i ~ N(0, 1)``, (N, M_0)."""
    return source.normal(INPUTS, 0, (samples, units))


def given_inputs(inputs: Any, samples: int | None) -> NDArray[np.float64]:
    """The user's inputs (N, d) as a NumPy float64 array.

    Raises
    ------
    ValueError, TypeError
        If they are not numbers, not of shape (samples, d), empty, or not finite.
    """
    try:
        if np.iscomplexobj(inputs):
            raise TypeError
        array = np.array(inputs, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError(f"inputs: expected an array of numbers, got {type(inputs).__name__}") from None
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"inputs: expected shape (N, d) with N, d >= 1, got {array.shape}")
    if samples is not None and array.shape[0] != samples:
        raise ValueError(f"samples: expected {array.shape[0]}, the rows of inputs, got {samples}")
    if not np.isfinite(array).all():
        raise ValueError(f"inputs: expected finite numbers, got {np.count_nonzero(~np.isfinite(array))} that are not")
    return array

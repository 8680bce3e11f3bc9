"""Given inputs of a sweep: what a point names (a data set, a file), and the samples that it stands for.

The samples are part of what is drawn: the hash of their bytes is in the key of their cells. So a store has the hash of
all that its sweep names, and the samples themselves: a report needs neither the file nor the library again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.spec.checks import number, positive_integer

__all__ = ["File", "Floats", "Inputs", "Library", "Named", "Source"]

Floats = NDArray[np.float64]

SAME = 12
"""Significant digits of the mean of |x|²/d that data share with their control: data of one scale share the control."""


@dataclass(frozen=True)
class Named:
    """A data set of `empirical.data.load`; ``d`` and ``c`` are of drawn ones."""

    name: str
    scaling: str = "raw"
    d: int | None = None
    c: float | None = None

    @classmethod
    def of(cls, value: Any) -> Named:
        """From ``"digits"``, ``"digits:standard"``, a table of the fields, or one of its kind.

        Raises
        ------
        ValueError, TypeError
            For anything else, another name or another scaling.
        """
        from empirical.data import NAMES, SCALINGS

        if isinstance(value, Named):
            return value
        if isinstance(value, str):
            value = dict(zip(("name", "scaling"), value.split(":", 1), strict=False))
        if not isinstance(value, Mapping) or not {"name"} <= value.keys() <= _READ.keys():
            raise ValueError(f"expected name, name:scaling, or a table of name, scaling, d and c; got {value!r}")
        found = cls(**{key: _READ[key](one) for key, one in value.items()})
        for label, known, got in (("name", NAMES, found.name), ("scaling", tuple(SCALINGS), found.scaling)):
            if got not in known:
                raise ValueError(f"expected a {label} that is one of {', '.join(known)}; got {got!r}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """The inverse of :meth:`of`."""
        return {key: value for key, value in vars(self).items() if value is not None}

    @property
    def label(self) -> str:
        """What it is called in a report."""
        drawn = [f"{key} = {value:g}" for key in ("d", "c") if (value := getattr(self, key)) is not None]
        known = drawn and self.scaling == "raw"  # drawn ones have the scale of raw to begin with
        return ", ".join([self.name if known else f"{self.name} {self.scaling}", *drawn])

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of a point that name it."""
        return {"data": self.to_dict()}

    def read(self, samples: int | None, seed: int, folder: Path) -> Floats:
        """So many samples (all, if ``None``) in the random order that the seed gives."""
        from empirical.data import load

        try:
            return load(self.name, samples, self.scaling, seed, d=self.d, c=self.c).inputs
        except ValueError as error:
            raise ValueError(str(error).replace("n: ", "samples: ", 1) if str(error)[:3] == "n: " else error) from None


@dataclass(frozen=True)
class File:
    """A .npy or .csv file of samples (rows, d), as they are; its name is relative to the sweep file's folder."""

    name: str

    @property
    def label(self) -> str:
        """What it is called in a report."""
        return self.name

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of a point that name it."""
        return {"inputs": self.name}

    def read(self, samples: int | None, seed: int, folder: Path) -> Floats:
        """So many samples (all, if ``None``) in the random order that the seed gives."""
        from empirical.networks.streams import ROWS, as_seed, child
        from meanfield.reading import read_inputs

        found = read_inputs(folder / self.name)
        if samples is not None and samples > len(found):
            raise ValueError(f"samples: expected at most {len(found)}, the rows of {self.name}, got {samples}")
        return found[np.random.default_rng(child(as_seed(seed), ROWS, 0)).permutation(len(found))[:samples]]


Source: TypeAlias = "Named | File"


@dataclass(frozen=True)
class Inputs:
    """Samples (N, d) that all networks of a cell are given: equal where label and bytes are.

    ``key`` is their name among all of a sweep, ``digest`` the SHA-256 of their float64 bytes. ``settings`` are those of
    a point that names them; a ``control`` (isotropic Gaussian inputs of the same N, d and mean |x|²) has none.
    """

    label: str
    digest: str
    array: Floats = field(compare=False, repr=False)
    key: str = field(compare=False)
    settings: Mapping[str, Any] = field(compare=False, default_factory=dict)
    control: bool = False

    @property
    def features(self) -> int:
        """d."""
        return int(self.array.shape[1])

    @property
    def twins(self) -> tuple[int, int, float]:
        """N, d and the mean of |x|²/d to ``SAME`` digits: what inputs share with their control."""
        return (*self.array.shape, float(f"{np.mean(self.array**2):.{SAME}g}"))


@dataclass(frozen=True)
class Library:
    """Where inputs come from: known samples by their digest, else their sources. All cells share those of one key.

    ``hashes`` has the digests that the inputs of these keys have to have; files are looked for in ``folder``.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Floats] = field(default_factory=dict)
    folder: Path = Path()
    _made: dict[str, Inputs] = field(default_factory=dict, init=False, repr=False, compare=False)

    def inputs(self, source: Source, samples: int | None, seed: int) -> Inputs:
        """The samples of a source, all of them if ``samples`` is ``None``.

        Raises
        ------
        ValueError, TypeError
            If they can't be had, or have another hash.
        """
        key = f"{source.label}, N = {'all' if samples is None else samples}"
        about = {"label": source.label, "settings": {**source.settings, "samples": samples}}
        return self._found(key, lambda: source.read(samples, seed, self.folder), about)

    def control(self, inputs: Inputs, seed: int) -> Inputs:
        """Isotropic Gaussian inputs of the same N, d and mean of |x|²/d: one control for all inputs that share these.

        Raises
        ------
        ValueError
            If they have another hash than the one that is known.
        """
        from empirical.data import isotropic_control

        square = inputs.twins[-1]
        scale = "" if square == 1 else f", |x|²/d = {square:.6g}"
        label = f"control: isotropic, d = {inputs.features}{scale}"
        key = f"{label}, N = {len(inputs.array)}, |x|²/d = {square!r}"
        # It depends on the shape and on the mean square alone.
        alike = np.full_like(inputs.array, np.sqrt(square))
        return self._found(key, lambda: isotropic_control(alike, seed), {"label": label, "control": True})

    def _found(self, key: str, read: Callable[[], Floats], about: Mapping[str, Any]) -> Inputs:
        if key not in self._made:
            array = self._checked(key, read)
            self._made[key] = Inputs(key=key, digest=_digest(array), array=array, **about)
        return self._made[key]

    def _checked(self, key: str, read: Callable[[], Floats]) -> Floats:
        wanted = self.hashes.get(key, "")
        if wanted in self.known:
            return self.known[wanted]
        array = np.ascontiguousarray(read(), dtype=np.float64)
        if wanted and _digest(array) != wanted:
            raise ValueError(f"hashes: expected inputs of the hash {wanted:.12}, got {_digest(array):.12} for {key}")
        array.flags.writeable = False
        return array


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a word, got {value!r}")
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "name": _word,
    "scaling": _word,
    "d": lambda value: positive_integer("d", value),
    "c": lambda value: number("c", value, 0.0),
}


def _digest(array: Floats) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()

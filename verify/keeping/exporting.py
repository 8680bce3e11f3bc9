"""A store's trials as one table, for other tools: a row for each metric of each trial.

Columns: the cell's settings, the metric (``layer`` -1: the whole network), the trial's number, status, reason, seconds
and origin (hash of the measuring code, backend, device, dtype), then what was measured. NetCDF and Parquet carry the
sweep as JSON in the attribute ``sweep``. What a failed trial has not measured is missing (NaN).
Variances and width ratios are numbers if every network of the sweep has the same one in all layers; else all are text,
a JSON list where layers differ.
``outliers``, ``eigenvalues`` and the network's order parameters, one number a layer, are lists (in CSV: numbers with
spaces between; in NetCDF: a second axis, filled up with NaN, and no variable where all lists are empty).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.files import whole_file
from meanfield.spec import Metric, Network, OrderParameters
from meanfield.spec.distribution import installing
from meanfield.text import alike
from verify.asking.records import Cell, Trial
from verify.keeping.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export", "rows"]

# Columns of one number a layer, and of one number where layers agree.
_OF_LAYERS = ("weight_variance", "bias_variance", "width_ratios")

# Columns of lists, and what their second axis counts.
_LISTS = {"outliers": "rank", "eigenvalues": "rank", **dict.fromkeys(OrderParameters.NAMES, "layer")}


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """The table's rows, in the order of the sweep. A failed trial has one row for each metric, without figures."""
    cells = {cell.key: cell for cell in store.sweep().cells()}
    for trial in store.trials():
        cell = cells[trial.cell]
        for metric in cell.metrics:
            yield {**_cell_columns(cell), **_metric_columns(metric), **_trial_columns(trial, metric)}


def export(store: Store, path: str | Path, *, force: bool = False) -> int:
    """Write the table to the new file ``path``: ``.csv``, ``.parquet`` or ``.nc`` (NetCDF, for xarray).

    Whole or not at all. With ``force`` a file that is there is replaced, unless it is a store. Returns the number of
    rows.

    Raises
    ------
    ValueError
        If the name ends otherwise, the file is there or can't be written, there are no trials yet, or the libraries of
        the extra ``data`` are missing.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise ValueError(f"out: expected a name that ends in {', '.join(_WRITERS)}; got {path}")
    try:
        with whole_file("out", path, force=force) as partial:
            frame = _frame(store)
            _WRITERS[path.suffix](frame, partial)
            return len(frame)
    except ImportError as error:
        wanted = f"the extra `data` to be installed for {path.suffix} ({installing('data')})"
        raise ValueError(f"out: expected {wanted}, got {error}") from None


def _frame(store: Store) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows(store))
    if frame.empty:
        raise ValueError(f"store: expected finished trials, got none: {store.path}")
    for name in _OF_LAYERS:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(str)
    frame.attrs["sweep"] = store.sweep().to_json()
    return frame


def _cell_columns(cell: Cell) -> dict[str, Any]:
    network: Network = cell.network
    return {
        "activation": _of_layers([a.name for a in network.activation]),
        "depth": network.depth,
        "weight_variance": _of_layers(network.weight_variance),
        "bias_variance": _of_layers(network.bias_variance),
        "width_ratios": _of_layers(network.width_ratios),
        "outputs": network.outputs,
        "data": cell.law.data,
        "width": cell.width,
        "samples": cell.samples,
        "cell": cell.key,
    }


def _metric_columns(metric: Metric) -> dict[str, Any]:
    return {**metric.to_dict(), "layer": -1 if metric.layer is None else metric.layer, "metric": metric.label}


def _trial_columns(trial: Trial, metric: Metric) -> dict[str, Any]:
    sample, own = trial.samples.get(metric.label), trial.order_parameters
    names = ("mean", "second_moment", "largest", "dimension")
    measured = {name: np.nan if sample is None else getattr(sample, name) for name in names}
    about = {"trial": trial.index, "status": trial.status, "reason": trial.reason, "seconds": trial.seconds}
    origin = {name: trial.provenance.get(name, "") for name in ("code", "backend", "device", "dtype")}
    lists = {
        "outliers": () if sample is None else sample.outliers,
        "eigenvalues": () if sample is None or sample.eigenvalues is None else sample.eigenvalues,
        **(dict.fromkeys(OrderParameters.NAMES, ()) if own is None else own.to_dict()),
    }
    return {**about, **origin, **measured, **{name: np.asarray(values, float) for name, values in lists.items()}}


def _of_layers(values: Sequence[float] | Sequence[str]) -> float | str:
    """One value for all layers as it is, different ones as a JSON list."""
    return alike(values, lambda different: json.dumps(list(different)))


def _csv(frame: pd.DataFrame, path: Path) -> None:
    for name in _LISTS:
        frame[name] = [" ".join(map(repr, values.tolist())) for values in frame[name]]
    frame.to_csv(path, index=False)


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False)


def _netcdf(frame: pd.DataFrame, path: Path) -> None:
    plain = frame.drop(columns=list(_LISTS)).astype({"dimension": float})  # NetCDF 3 has no integers of 64 bits
    dataset = plain.to_xarray().rename(index="row").assign_attrs(frame.attrs)
    for name, axis in _LISTS.items():
        longest = max(map(len, frame[name]))
        if not longest:  # NetCDF 3 takes an axis of length 0 for the unlimited one, of which there may be one
            continue
        table = np.full((len(frame), longest), np.nan)
        for row, values in zip(table, frame[name], strict=True):
            row[: len(values)] = values
        dataset[name] = (("row", f"{name}_{axis}"), table)
    dataset.to_netcdf(path, engine="scipy")  # NetCDF 3, which every reader knows and needs no HDF5 library


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {".csv": _csv, ".parquet": _parquet, ".nc": _netcdf}

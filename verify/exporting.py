"""A store's trials as one table, for other tools: a row for each metric of each trial.

Columns: the cell's settings, the metric (``layer`` -1: the whole network), the trial's number, status, reason, seconds
and origin (hash of the measuring code, backend, device, dtype), then what was measured. NetCDF and Parquet carry the
sweep as JSON in the attribute ``sweep``.
``outliers`` and ``eigenvalues`` are lists (in CSV: numbers with spaces between; in NetCDF: a second axis, filled up
with NaN).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.spec import Metric, Network
from verify.records import Cell, Sample, Trial
from verify.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export", "rows"]

_LISTS = ("outliers", "eigenvalues")


def rows(store: Store) -> Iterator[dict[str, Any]]:
    """The table's rows, in the order of the sweep. A failed trial has one row for each metric, without figures."""
    cells = {cell.key: cell for cell in store.sweep().cells()}
    for trial in store.trials():
        cell = cells[trial.cell]
        for metric in cell.metrics:
            yield {**_cell_columns(cell), **_metric_columns(metric), **_trial_columns(trial, metric)}


def export(store: Store, path: str | Path) -> None:
    """Write the table to ``path``: ``.csv``, ``.parquet`` or ``.nc`` (NetCDF, for xarray). Whole or not at all.

    Raises
    ------
    ValueError
        If the name ends otherwise, or the libraries of the extra ``data`` are missing.
    OSError
        If the file can't be written.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise ValueError(f"out: expected a name that ends in {', '.join(_WRITERS)}; got {path}")
    partial = path.with_name(f".{path.name}.partial")
    try:
        import pandas as pd

        frame = pd.DataFrame(rows(store))
        frame.attrs["sweep"] = store.sweep().to_json()
        _WRITERS[path.suffix](frame, partial)
        os.replace(partial, path)
    except ImportError as error:
        raise ValueError(f"out: expected the extra `data` to be installed for {path.suffix}, got {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _cell_columns(cell: Cell) -> dict[str, Any]:
    network: Network = cell.network
    return {
        "activation": _alike([a.name for a in network.activation]),
        "depth": network.depth,
        "weight_variance": _alike(network.weight_variance),
        "bias_variance": _alike(network.bias_variance),
        "width_ratios": _alike(network.width_ratios),
        "outputs": network.outputs,
        "width": cell.width,
        "samples": cell.samples,
        "cell": cell.key,
    }


def _metric_columns(metric: Metric) -> dict[str, Any]:
    return {**metric.to_dict(), "layer": -1 if metric.layer is None else metric.layer, "metric": metric.label}


def _trial_columns(trial: Trial, metric: Metric) -> dict[str, Any]:
    nothing = Sample(np.nan, np.nan, np.nan, (), 0)
    sample = trial.samples.get(metric.label, nothing)
    measured = {name: getattr(sample, name) for name in ("mean", "second_moment", "largest", "dimension")}
    spectrum = [] if sample.eigenvalues is None else sample.eigenvalues.tolist()
    about = {"trial": trial.index, "status": trial.status, "reason": trial.reason, "seconds": trial.seconds}
    origin = {name: trial.provenance.get(name, "") for name in ("code", "backend", "device", "dtype")}
    return {**about, **origin, **measured, "outliers": list(sample.outliers), "eigenvalues": spectrum}


def _alike(values: Any) -> str:
    """One value for all layers as it is, different ones as a JSON list."""
    return str(values[0]) if len(set(values)) == 1 else json.dumps(list(values))


def _csv(frame: pd.DataFrame, path: Path) -> None:
    for name in _LISTS:
        frame[name] = [" ".join(map(repr, values)) for values in frame[name]]
    frame.to_csv(path, index=False)


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False)


def _netcdf(frame: pd.DataFrame, path: Path) -> None:
    plain = frame.drop(columns=list(_LISTS)).astype({"dimension": float})  # NetCDF 3 has no integers of 64 bits
    dataset = plain.to_xarray().rename(index="row").assign_attrs(frame.attrs)
    for name in _LISTS:
        longest = max((len(values) for values in frame[name]), default=0)
        table = np.full((len(frame), longest), np.nan)
        for row, values in zip(table, frame[name], strict=True):
            row[: len(values)] = values
        dataset[name] = (("row", f"{name}_rank"), table)
    dataset.to_netcdf(path, engine="scipy")  # NetCDF 3, which every reader knows and needs no HDF5 library


_WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {".csv": _csv, ".parquet": _parquet, ".nc": _netcdf}

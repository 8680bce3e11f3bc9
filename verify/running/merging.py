"""Stores of one sweep from several machines → one store."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from verify.asking.inputs import Inputs, Library
from verify.asking.records import Cell, Trial
from verify.asking.sweep import Sweep
from verify.keeping.schema import plain_errors
from verify.keeping.store import Store, StoreError
from verify.running.codes import check_codes

__all__ = ["merge"]

_BETTER = {("missing", "done"), ("missing", "failed"), ("failed", "done")}


def merge(paths: Sequence[str | Path], out: str | Path, *, mix_code: bool = False) -> str:
    """Write the trials of all stores in ``paths`` to the new store ``out``, whole or not at all.

    The stores may have different cells and numbers of trials; the sweep's name, what makes a trial (seed, spectrum,
    backend, ...) and what judges it ([verdict]) have to be the same. Where several have the same trial, a finished one
    is taken before a failed one, then the first. Returns a sentence on what was joined.

    Raises
    ------
    StoreError
        If a store can't be read, their names, settings or measuring codes differ, or ``out`` is there already.
    """
    out = Path(out)
    if os.path.lexists(out):
        raise StoreError(f"store: expected the name of a new file, got {out}")
    with contextlib.ExitStack() as stack, plain_errors(out):
        stores = [stack.enter_context(Store.open(path)) for path in paths]
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent))
        partial = Path(folder) / out.name
        with Store.create(partial, _union(stores)) as target:
            for store in stores:
                target.adopt_sessions(store.sessions())
                _copy(store, target)
                check_codes(target, mix_code, now=False)
            counts, cells = target.counts(), len(target.sweep().cells())
        given = sum(store.counts()["done"] + store.counts()["failed"] for store in stores)
        os.replace(partial, out)
    taken = counts["done"] + counts["failed"]
    return (
        f"wrote {out}: {cells} cells of {len(stores)} stores, {counts['done']} trials done, {counts['failed']} failed, "
        f"{counts['pending']} pending; {given - taken} were in more than one store"
    )


def _union(stores: Sequence[Store]) -> Sweep:
    """The sweep with the cells of all: explicit points, and the largest number of trials."""
    sweeps = [store.sweep() for store in stores]
    first = sweeps[0]
    cells: dict[str, Cell] = {}
    inputs: dict[str, Inputs] = {}
    for store, sweep in zip(stores, sweeps, strict=True):
        if sweep.name != first.name:
            raise StoreError(
                f"store: expected one of the sweep {first.name!r}, got one of {sweep.name!r}: {store.path}"
            )
        if sweep.verdict != first.verdict:
            raise StoreError(
                f"store: expected the [verdict] settings of {stores[0].path}, got others: {store.path} "
                "(running it again with those changes them and measures nothing anew)"
            )
        if sweep.run.model_copy(update={"trials": 1}) != first.run.model_copy(update={"trials": 1}):
            raise StoreError(f"store: expected the [run] settings of {stores[0].path}, got others: {store.path}")
        for cell in sweep.cells():
            if cells.setdefault(cell.key, cell).metrics != cell.metrics:
                raise StoreError(f"store: expected the metrics of {stores[0].path}, got others: {store.path}")
            if cell.inputs is not None and inputs.setdefault(cell.inputs.key, cell.inputs) != cell.inputs:
                raise StoreError(f"store: expected the bytes that {cell.inputs.key} has, got others: {store.path}")
    trials = max(sweep.run.trials for sweep in sweeps)
    named = [_point(cell) for cell in cells.values() if cell.inputs is None or not cell.inputs.control]
    hashes = {key: one.digest for key, one in inputs.items()}
    plain = {**first.model_dump(by_alias=True), "grid": None, "cells": named, "hashes": hashes or None}
    library = Library(known={one.digest: one.array for one in inputs.values()})
    return Sweep(library, **{**plain, "run": {**plain["run"], "trials": trials}})


def _point(cell: Cell) -> dict[str, Any]:
    network = cell.network
    names = ("activation", "depth", "weight_variance", "bias_variance", "outputs", "width_ratios")
    settings = {name: getattr(network, name) for name in names}
    given = {"samples": cell.samples} if cell.inputs is None else cell.inputs.settings
    return {**settings, "width": cell.width, "metric": cell.metrics, **given}


def _copy(source: Store, target: Store) -> None:
    have = {cell.key: target.finished(cell) for cell in source.sweep().cells()}
    trials = iter(_better(source.trials(), have))
    while group := list(itertools.islice(trials, 500)):
        target.append(group)


def _better(trials: Iterable[Trial], have: Mapping[str, Mapping[int, str]]) -> Iterable[Trial]:
    """Those that are missing, and finished ones in place of failed ones."""
    return (t for t in trials if (have[t.cell].get(t.index, "missing"), t.status) in _BETTER)

"""A sweep: which networks to draw, what to measure on each, how often, and what counts as agreement.

Written as TOML (see ``sweeps/*.toml``) or in Python with the same names. Its canonical JSON goes into the store.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PrivateAttr, StrictFloat, StrictInt, ValidationError

from meanfield.reading import read_text
from meanfield.spec import digest
from meanfield.spec.checks import MOST, shown
from verify.asking.engine import Engine
from verify.asking.inputs import Floats, Library
from verify.asking.overrides import changed
from verify.asking.points import Grid, NetworkTable, Point, Table, merged
from verify.asking.presets import NAME, preset_names
from verify.asking.records import Cell
from verify.asking.tolerance import Tolerance

__all__ = ["Agreement", "Engine", "Run", "Sweep", "SweepError", "preset_names", "trial_seed"]

Whole = Annotated[StrictInt, Field(ge=0, le=2**256)]
_EXPECTED = {"tuple_type": "a list", "model_type": "a table", "string_pattern_mismatch": "letters, digits, -, _ and ."}


class SweepError(ValueError):
    """Everything that is wrong with a sweep, one line for each: field, what was expected, what came."""


class Run(Table):
    """How each cell is measured.

    ``memory`` is what a trial may take, in GiB. It can decide how a large trial is computed and so its last bits: it is
    part of what is asked, not read off the machine.
    """

    trials: Annotated[StrictInt, Field(ge=1, le=MOST["trials"])] = 10
    seed: Whole = 0
    spectrum: Literal["moments", "extremes", "full"] = "extremes"
    backend: Literal["numpy", "torch", "cupy"] = "numpy"
    dtype: Literal["float64", "float32"] = "float64"
    memory: Annotated[StrictFloat, Field(gt=0, le=2**20)] = 4.0

    def options(self) -> dict[str, Any]:
        """The arguments of `empirical.measure` that this table decides."""
        names = {"spectrum", "backend", "dtype"}
        return {**self.model_dump(include=names), "memory": round(self.memory * 2**30)}


class Agreement(Table):
    """What counts as agreement, the table ``[verdict]``: which tolerance, at the significance level alpha.

    Refined theory is compared where there is any, the leading order elsewhere (or everywhere, if asked). The tolerance
    at width M is ``delta + slope / M`` for the leading order and ``refined_delta + refined_slope / M²`` for the refined
    one: the order in 1/M of what each of them leaves out.
    """

    theory: Literal["leading", "refined"] = "refined"
    alpha: Annotated[StrictFloat, Field(gt=0, lt=1)] = 0.05
    delta: Annotated[StrictFloat, Field(gt=0)] = 0.03
    slope: Annotated[StrictFloat, Field(ge=0)] = 2.0
    refined_delta: Annotated[StrictFloat, Field(gt=0)] = 0.02
    refined_slope: Annotated[StrictFloat, Field(ge=0)] = 100.0

    def tolerance(self, order: str) -> Tolerance:
        """How far measured / predicted may be from 1, for a theory of this order."""
        if order == "refined":
            return Tolerance(self.refined_delta, self.refined_slope, 2)
        return Tolerance(self.delta, self.slope, 1)


class Sweep(Table):
    """A sweep; ``Sweep.from_toml(path)``, ``Sweep.preset(name)`` or ``Sweep(name=..., grid={...}, run={...})``.

    ``name`` is part of file names, ``title`` the heading of the report (the name, if there is none). ``hashes`` has the
    SHA-256 of given inputs by their names, and is filled in where it isn't given; ``library`` says where inputs are
    found other than by their names from here.

    Raises
    ------
    SweepError
        A ``ValueError`` that names all errors at once, one line each.
    """

    version: Literal[1] = Field(1, alias="schema")
    name: Annotated[str, Field(pattern=NAME)]
    title: str = ""
    grid: Grid | None = None
    points: tuple[Point, ...] = Field((), alias="cells")
    run: Run = Run()
    engine: Engine = Engine()
    verdict: Agreement = Agreement()
    hashes: dict[str, str] | None = None

    _cells: tuple[Cell, ...] = PrivateAttr()

    def __init__(self, library: Library | None = None, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SweepError("\n".join(_line(e) for e in error.errors())) from None
        places = [("grid", point) for point in self._grid_points()]
        places += [(f"cells[{i}]", point) for i, point in enumerate(self.points)]
        shelf = replace(library or Library(), hashes=self.hashes or {})
        cells = _checked_cells(places, shelf, self.run.seed)
        object.__setattr__(self, "_cells", merged(cells))
        # Filled in, so that a sweep that is read back has the same inputs, or none.
        self.__dict__["hashes"] = _checked_hashes(self.hashes or {}, cells)

    def _grid_points(self) -> tuple[Point, ...]:
        try:
            return () if self.grid is None else tuple(self.grid.points())
        except ValueError as error:
            raise SweepError(f"grid.{error}") from None

    @classmethod
    def from_toml(cls, path: str | Path, changes: Iterable[str] = (), size: str | None = None) -> Sweep:
        """The sweep of a TOML file, in one of its sizes, with :func:`~verify.asking.overrides.changed` values.

        Raises ``SweepError`` also for a file that can't be read.
        """
        try:
            return cls(Library(folder=Path(path).parent), **changed(_parsed(read_text(Path(path))), changes, size))
        except (OSError, UnicodeDecodeError) as error:
            raise SweepError(f"sweep: expected a readable TOML file, got {path} ({_cause(error)})") from None
        except tomllib.TOMLDecodeError as error:
            raise SweepError(f"sweep: expected TOML, got in {path}: {error}") from None
        except SweepError as error:
            raise SweepError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None

    @classmethod
    def preset(cls, name: str, changes: Iterable[str] = (), size: str | None = None) -> Sweep:
        """A sweep that comes with the library (see :func:`preset_names`), in one of its sizes, with changed values."""
        return cls(**changed(tomllib.loads(preset_text(name)), changes, size))

    @classmethod
    def from_json(cls, text: str, known: Mapping[str, Floats] | None = None) -> Sweep:
        """The inverse of :meth:`to_json`. ``known``: given inputs by their hash, which then need not be found again."""
        return cls(Library(known=known or {}), **json.loads(text))

    def to_json(self) -> str:
        """The sweep in its canonical spelling."""
        plain = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    def cells(self) -> tuple[Cell, ...]:
        """The cells, in the order of the file, those that draw the same networks merged into one."""
        return self._cells

    def question(self, cell: Cell) -> str:
        """Hash of all that decides what a trial of ``cell`` gives: the store's key, with the trial's number."""
        asked = {"cell": cell.key, "metrics": [metric.to_dict() for metric in cell.metrics]}
        return digest({**asked, **self.run.model_dump(exclude={"trials"})})


def trial_seed(seed: int, cell: Cell, index: int) -> np.random.SeedSequence:
    """The seed of trial ``index`` of ``cell``: a function of the physics alone, not of order, workers or engine."""
    return np.random.SeedSequence([seed, int(cell.key, 16)], spawn_key=(index,))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SweepError("sweep: expected TOML, got brackets that nest too deep") from None


def preset_text(name: str) -> str:
    """The TOML text of a preset. Raises ``SweepError`` if there is none of this name."""
    if name not in preset_names():
        raise SweepError(f"sweep: expected a TOML file or one of the presets {', '.join(preset_names())}; got {name!r}")
    return resources.files("verify").joinpath("sweeps", f"{name}.toml").read_text("utf-8")


def _checked_cells(places: Iterable[tuple[str, Point]], library: Library, seed: int) -> list[Cell]:
    cells: list[Cell] = []
    problems: list[str] = []
    for place, point in places:
        try:
            cells.extend(point.cells(library, seed))
        except (ValueError, TypeError) as error:
            problems.append(f"{place}.{error}")
    if problems:
        raise SweepError("\n".join(dict.fromkeys(problems)))
    if not cells:
        raise SweepError("grid: expected a [grid] or at least one [[cells]], got none")
    return cells


def _checked_hashes(asked: Mapping[str, str], cells: Iterable[Cell]) -> dict[str, str] | None:
    """The hashes of all given inputs by their names; ``None`` where there are none."""
    found = {cell.inputs.key: cell.inputs.digest for cell in cells if cell.inputs is not None}
    if others := sorted(asked.keys() - found.keys()):
        raise SweepError(f"hashes: expected names of inputs of the sweep ({'; '.join(found)}), got {others[0]!r}")
    return found or None


def _line(error: Mapping[str, Any]) -> str:
    """One error of pydantic as "field: expected X, got Y"."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "missing":
        return f"{where}: expected a value, got none"
    if error["type"] == "extra_forbidden":
        return f"{where}: expected one of the keys {', '.join(_keys(error['loc'][:-1]))}; got {error['loc'][-1]!r}"
    text = _EXPECTED.get(error["type"], re.sub(r"^(Value error, |Input should be )", "", error["msg"]))
    named = re.fullmatch(r"(?:(\w+)[^:]*: )?(expected .*)", text, re.DOTALL)
    if named is None:
        return f"{where}: expected {text}, got {_short(error['input'])}"
    inner = "" if named[1] in {None, "activation", "count", "jobs", "metric"} else f".{named[1]}"
    return f"{where}{inner}: {named[2]}"


def _short(value: Any) -> str:
    return shown(value) if isinstance(value, int) and not isinstance(value, bool) else repr(value)[:200]


def _keys(location: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that the table at ``location`` may have."""
    tables: dict[tuple[str, ...], type[Table]] = {
        (): Sweep, ("grid",): Grid, ("cells",): Point, ("grid", "network"): NetworkTable, ("run",): Run,
        ("engine",): Engine, ("verdict",): Agreement,
    }  # fmt: skip
    table = tables[tuple(part for part in location if isinstance(part, str))]
    return tuple(field.alias or name for name, field in table.model_fields.items())


def _cause(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "not UTF-8 text"

"""The cells part of a sweep file: explicit points, and grids that spread to points.

A point has one value for each key. A grid has a list for each key and stands for the product of its lists; values that
belong together (an activation and the variances it is to be tried with) come as one list of tables under ``network``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator

from meanfield.spec import Metric, Network, as_metric, positive_integer
from meanfield.spec.activations import Activation, activation_names, as_activation
from meanfield.spec.checks import MOST, integer, number
from verify.asking.inputs import File, Library, Named, Source
from verify.asking.records import Cell

MOST_CELLS = 20_000

__all__ = ["Grid", "NetworkTable", "Point", "Table", "merged"]


class Table(BaseModel):
    """A table of a sweep file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _activation(value: Any) -> Any:
    """An activation, or a tuple of them (one per hidden layer), from names, tables or records."""
    if isinstance(value, Mapping):
        if {*value} - {"breakpoints"} != {"name", "text"}:
            raise ValueError(f"expected a table of name and text (and breakpoints), got {dict(value)!r}")
        points = tuple(value["breakpoints"]) if "breakpoints" in value else None
        return Activation(value["name"], value["text"], points)
    if isinstance(value, list | tuple):
        return tuple(_activation(v) for v in value)
    return as_activation(value)


def _activation_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_activation_text(v) for v in value]
    registered = value.name.split("(")[0] in activation_names() and as_activation(value.name) == value
    return value.name if registered else {"name": value.name, "text": value.text, "breakpoints": value.breakpoints}


def _numbers(value: Any) -> Any:
    """A number, or a tuple of them (one per layer); `Network` judges the values."""
    if isinstance(value, list | tuple):
        return tuple(_numbers(v) for v in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, or a list of one per layer; got {value!r}")
    return float(value)


def _ratio(value: Any) -> float:
    number = _numbers(value)
    if not isinstance(number, float) or not 0 < number < math.inf:
        raise ValueError(f"expected a positive number, got {value!r}")
    return number


def _field(read: Callable[[Any], Any], *serializer: PlainSerializer) -> Any:
    """A field read by ``read``. Its ``TypeError`` counts as a ``ValueError``: pydantic would pass it through."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except TypeError as error:
            raise ValueError(str(error)) from None

    return Annotated[Any, PlainValidator(validate), *serializer]


if TYPE_CHECKING:
    ActivationField: TypeAlias = Any
    NumbersField: TypeAlias = Any
    CountField: TypeAlias = int
    RatioField: TypeAlias = float
    MetricField: TypeAlias = Metric
    DataField: TypeAlias = Named
    FilesField: TypeAlias = tuple[str, ...]
    SlopeField: TypeAlias = float
else:
    ActivationField = _field(_activation, PlainSerializer(_activation_text))
    NumbersField = _field(_numbers)
    CountField = _field(lambda value: integer("count", value, 1, max(MOST.values())))
    RatioField = _field(_ratio)
    MetricField = _field(as_metric, PlainSerializer(lambda metric: metric.to_dict()))
    DataField = _field(Named.of, PlainSerializer(Named.to_dict))
    FilesField = Annotated[tuple[str, ...], BeforeValidator(lambda files: [files] if isinstance(files, str) else files)]
    SlopeField = _field(lambda value: number("count", value, 0.0))


class NetworkTable(Table):
    """Settings of a network that are tried together."""

    activation: ActivationField = None
    depth: CountField | None = None
    weight_variance: NumbersField = None
    bias_variance: NumbersField = None
    outputs: CountField | None = None
    width_ratios: NumbersField = None


class Point(NetworkTable):
    """One cell: a network's settings, its width M, its number of samples N (or N/M), the metrics to measure.

    Inputs are drawn with each network, or are those of a data set (``data``; ``d`` and ``c`` of a drawn one may stand
    beside it) or of a file (``inputs``): N of them at random, all without N.
    """

    width: CountField | None = None
    samples: CountField | None = None
    samples_per_width: RatioField | None = None
    data: DataField | None = None
    d: CountField | None = None
    c: SlopeField | None = None
    inputs: str | None = None
    metric: tuple[MetricField, ...] = ()

    def cells(self, library: Library, seed: int) -> tuple[Cell, ...]:
        """The cell of this point; where it has given inputs, that of their isotropic control too.

        Raises
        ------
        ValueError, TypeError
            With a sentence for the first setting that is missing or can't be.
        """
        given = {name: getattr(self, name) for name in NetworkTable.model_fields if getattr(self, name) is not None}
        missing = [name for name in ("activation", "depth", "weight_variance") if name not in given]
        missing += [name for name in ("width", "metric") if not getattr(self, name)]
        if missing:
            raise ValueError(f"{missing[0]}: expected a value, got none")
        network = Network(**given)
        width = positive_integer("width", self.width)
        network.widths(width)
        for metric in self.metric:
            metric.check(network)
            if metric.loss == "cross_entropy" and network.outputs == 1:  # each trial would say so
                raise ValueError("outputs: expected at least 2 for cross_entropy (with 1 the metric is zero), got 1")
        source = self._source()
        if source is None:
            return (Cell(network, width, self._samples(width), self.metric),)
        every = self.samples is None and self.samples_per_width is None
        inputs = library.inputs(source, None if every else self._samples(width), seed)
        both = (inputs, library.control(inputs, seed))
        cells = tuple(Cell(network, width, len(x.array), self.metric, x) for x in both)
        for cell in cells:
            cell.drawn.widths(width)
        return cells

    def _source(self) -> Source | None:
        if self.data is not None and self.inputs is not None:
            raise ValueError(f"inputs: expected none beside data, got {self.inputs!r}")
        drawn = {key: value for key in ("d", "c") if (value := getattr(self, key)) is not None}
        if self.data is None:
            for key, value in drawn.items():
                raise ValueError(f"{key}: expected none without data, got {value!r}")
            return None if self.inputs is None else File(self.inputs)
        if twice := sorted(drawn.keys() & self.data.to_dict().keys()):
            raise ValueError(f"{twice[0]}: expected it in one place, got it in the table of data and beside it")
        return replace(self.data, **drawn)

    def _samples(self, width: int) -> int:
        if (self.samples is None) == (self.samples_per_width is None):
            got = "none" if self.samples is None else "both"
            raise ValueError(f"samples: expected either samples or samples_per_width, got {got}")
        if self.samples_per_width is None:
            return positive_integer("samples", self.samples)
        exact = self.samples_per_width * width
        if round(exact) < 1 or abs(exact - round(exact)) > 1e-9 * exact:
            product = f"{self.samples_per_width!r} * {width} = {exact!r}"
            raise ValueError(f"samples_per_width: expected samples_per_width * width to be an integer, got {product}")
        return round(exact)


class Grid(Table):
    """The product of its lists. ``metric`` is no factor: all metrics are measured on each network."""

    network: tuple[NetworkTable, ...] = ()
    activation: tuple[ActivationField, ...] = ()
    depth: tuple[CountField, ...] = ()
    weight_variance: tuple[NumbersField, ...] = ()
    bias_variance: tuple[NumbersField, ...] = ()
    outputs: tuple[CountField, ...] = ()
    width_ratios: tuple[NumbersField, ...] = ()
    samples: tuple[CountField, ...] = ()
    samples_per_width: tuple[RatioField, ...] = ()
    data: tuple[DataField, ...] | None = None  # None: a sweep without has the spelling that it always had
    d: tuple[CountField, ...] | None = None
    c: tuple[SlopeField, ...] | None = None
    inputs: FilesField | None = None
    width: tuple[CountField, ...] = ()
    metric: tuple[MetricField, ...] = ()

    def points(self) -> Iterator[Point]:
        """The points of the grid: the network varies slowest, the width fastest.

        Raises
        ------
        ValueError
            If a setting is given both for a network and as a list of the grid.
        """
        axes = {name: values for name in Grid.model_fields if name != "metric" and (values := getattr(self, name))}
        size = math.prod(map(len, axes.values()))
        if size > MOST_CELLS:
            raise ValueError(f"size: expected at most {MOST_CELLS} cells, got {size}")
        tables = [table.model_dump(exclude_none=True, mode="python") for table in axes.pop("network", ())] or [{}]
        twice = sorted({*itertools.chain(*tables)} & {*axes})
        if twice:
            raise ValueError(f"{twice[0]}: expected it in one place, got it in the grid and in its network tables")
        for table, values in itertools.product(tables, itertools.product(*axes.values())):
            yield Point(**table, **dict(zip(axes, values, strict=True)), metric=self.metric)


def merged(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """The cells without repetition: those that draw the same networks become one cell with the metrics of all."""
    found: dict[str, Cell] = {}
    for cell in cells:
        earlier = found.get(cell.key, cell)
        metrics = tuple(dict.fromkeys((*earlier.metrics, *cell.metrics)))
        found[cell.key] = replace(earlier, metrics=metrics)
    return tuple(found.values())

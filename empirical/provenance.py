"""Where a number comes from: code, libraries, threads, seed."""

from __future__ import annotations

import functools
import hashlib
import inspect
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from empirical.backends import BACKENDS
from empirical.backends.base import Backend
from empirical.dual.families import Family, family_of
from empirical.dual.heads import HEADS
from empirical.networks.layers import draw_of
from meanfield.spec import LOSSES, Layer, Metric, Network, OrderParameters, elementwise, expressions
from meanfield.spec.checks import units
from meanfield.spec.distribution import distribution_version

__all__ = ["code_hash", "describe_run", "module_code_hash"]

_ROOT = Path(__file__).parent
# What measures whatever is asked: files, and rooms whose files all count but for those with tables alone.
_ALWAYS = ("measurement.py", "record.py", "backends/base.py", "networks/layers/base.py")
_ROOMS = ("dual", "networks")
_SIZES = (Network.widths, units)  # how many units are drawn
_TABLES = ("__init__.py", "families.py", "heads.py")


def code_hash(networks: Iterable[Network], metrics: Iterable[Metric], backend: str, rooms: tuple[str, ...] = ()) -> str:
    """SHA-256 (hex) of the code that measures these metrics of these networks on this backend.

    That is the rooms that any measurement goes through, and of what a question chooses (layer types, activations,
    metrics, the backend) the code of what it has chosen. So a new layer type, metric, backend, activation, command or
    room leaves the hashes of all other questions as they are; the question itself is in a trial's own key. ``rooms``
    are those that this question goes through besides.
    """
    asked = list(networks)
    layers = frozenset(kind for network in asked for kind in _kinds(network.layers))
    activated = any(network.activation for network in asked)
    return _hash(_Choice(backend.partition(":")[0], *_metrics(metrics), layers, activated, rooms))


def module_code_hash(metrics: Iterable[Metric], rooms: tuple[str, ...] = ()) -> str:
    """The same for a torch module: with the room that reads it, and without layers of ours."""
    return _hash(_Choice("torch", *_metrics(metrics), rooms=("modules", *rooms)))


def _metrics(metrics: Iterable[Metric]) -> tuple[frozenset[type[Metric]], frozenset[str]]:
    """The kinds of metrics, and their losses."""
    asked = list(metrics)
    return frozenset(map(type, asked)), frozenset(metric.loss for metric in asked)


@dataclass(frozen=True)
class _Choice:
    """What a question chooses: a backend, metrics, losses, layer types, whether there are activations; more rooms."""

    backend: str
    metrics: frozenset[type[Metric]]
    losses: frozenset[str]
    layers: frozenset[type[Layer]] = frozenset()
    activated: bool = False
    rooms: tuple[str, ...] = ()


def _kinds(layers: Iterable[Layer]) -> Iterator[type[Layer]]:
    """The types of the layers, and of the ``layers`` in them where they hold some."""
    for layer in layers:
        yield type(layer)
        yield from _kinds(getattr(layer, "layers", ()))


@functools.cache
def _hash(choice: _Choice) -> str:
    digest = hashlib.sha256()
    for name, text in _pieces(choice):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


def _pieces(choice: _Choice) -> Iterator[tuple[str, str]]:
    """Name and text of all that counts: files of this package, then definitions in files that others share."""
    paths = [_ROOT / name for name in _ALWAYS]
    paths += [path for room in (*_ROOMS, *choice.rooms) for path in sorted((_ROOT / room).glob("*.py"))]
    modules = [BACKENDS[choice.backend][0]] if choice.backend in BACKENDS else []
    modules += sorted({name for kind in choice.layers for name in _with_imports(draw_of(kind).__module__)})
    paths += [_path(module) for module in modules]
    for path in paths:
        if path.name not in _TABLES:
            yield path.relative_to(_ROOT).as_posix(), path.read_text("utf-8")
    for function in (OrderParameters.of, *_SIZES * bool(choice.layers)):
        yield function.__name__, inspect.getsource(function)
    for layer in sorted(choice.layers, key=lambda kind: kind.kind):
        yield layer.kind, inspect.getsource(layer)
    if choice.activated:
        for module in (elementwise, expressions):
            yield module.__name__, Path(module.__file__ or "").read_text("utf-8")
    yield "family", inspect.getsource(Family)
    for metric in sorted(choice.metrics, key=lambda kind: kind.__name__):
        yield metric.__name__, inspect.getsource(metric) + inspect.getsource(metric.layers) + _row(family_of(metric))
    for loss in sorted(choice.losses):
        yield loss, repr(LOSSES[loss]) + inspect.getsource(HEADS[loss])


def _with_imports(module: str) -> set[str]:
    """A layer type's module, and those in its room that it imports but for the one that all have."""
    text = _path(module).read_text("utf-8")
    others = re.findall(r"^from (empirical\.networks\.layers\.(?!base\b)\w+) import", text, re.MULTILINE)
    return {module}.union(*map(_with_imports, others))


def _path(module: str) -> Path:
    return _ROOT.parent / f"{module.replace('.', '/')}.py"


def _row(family: Family) -> str:
    """A row of the table with the source of its functions."""
    values = [getattr(family, f.name) for f in fields(family)]
    return "\n".join(inspect.getsource(v) if inspect.isfunction(v) else repr(v) for v in values)


def describe_run(backend: Backend, seconds: float, **more: Any) -> dict[str, Any]:
    """The record that travels with every measurement: JSON-ready if ``more`` is, in which ``code`` is expected."""
    described = backend.describe()
    return {
        **described,
        "versions": {
            "python": platform.python_version(),
            "meanfield": distribution_version(),
            "array-api-compat": version("array-api-compat"),
            **described["versions"],
        },
        "threads": _threads(),
        "seconds": seconds,
        **more,
    }


def _threads() -> dict[str, int]:
    """The most threads that a library of each kind may use: NumPy and SciPy, for one, bring a BLAS each."""
    from threadpoolctl import threadpool_info

    pools = [(f"{p['user_api']}:{p['internal_api']}", int(p["num_threads"])) for p in threadpool_info()]
    return {name: max(n for other, n in pools if other == name) for name, _ in pools}

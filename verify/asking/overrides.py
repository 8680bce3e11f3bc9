"""Values of a sweep file changed from the command line: ``--size paper`` and ``--set run.trials=5``.

Beside the sweep itself a file may say what it is in other sizes: each table ``[sizes.NAME]`` holds the values that are
different then.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["changed"]


def changed(table: Mapping[str, Any], changes: Iterable[str] = (), size: str | None = None) -> dict[str, Any]:
    """``table`` in one of its sizes (as it stands if ``None``), then ``section.key=value`` set for each of the changes.

    A value is TOML; what isn't, is a string.

    Raises
    ------
    ValueError
        If the file has no such size, a change isn't of this form, or its section is no table.
    """
    result = {key: value for key, value in table.items() if key != "sizes"}
    for other in (_size(table, size), *map(_table, changes)):
        result = _overlaid(_without_scheduler(result, other), other)
    return result


def _without_scheduler(table: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``engine.kind=local`` leaves the file's scheduler: its address goes with it."""
    engine, new = table.get("engine"), other.get("engine")
    if not isinstance(engine, Mapping) or not isinstance(new, Mapping) or new.get("kind") != "local":
        return table
    return {**table, "engine": {key: value for key, value in engine.items() if key != "address"}}


def _size(table: Mapping[str, Any], size: str | None) -> Mapping[str, Any]:
    if size is None:
        return {}
    sizes = table.get("sizes", {})
    if size not in sizes:
        raise ValueError(f"size: expected one that the sweep has ({', '.join(sizes) or 'it has none'}), got {size!r}")
    found: Mapping[str, Any] = sizes[size]
    return found


def _table(change: str) -> dict[str, Any]:
    """``a.b=1`` as a table in a table."""
    path, equals, text = change.partition("=")
    *sections, key = (part.strip() for part in path.split("."))
    if not equals or not key or not all(sections):
        raise ValueError(f"set: expected section.key=value, got {change!r}")
    result = {key: _value(text)}
    for section in reversed(sections):
        result = {section: result}
    return result


def _overlaid(table: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(table)
    for key, value in other.items():
        old = result.get(key, {})
        if isinstance(value, Mapping) and not isinstance(old, Mapping):
            raise ValueError(f"set: expected {key} to be a table, got {old!r}")
        result[key] = _overlaid(old, value) if isinstance(value, Mapping) else value
    return result


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        found = {"value": text.strip()}
    except RecursionError:
        raise ValueError("set: expected a value, got brackets that nest too deep") from None
    except ValueError:  # Python's own limit for the digits of a number
        raise ValueError(f"set: expected a value, got a number of {len(text.strip())} digits") from None
    if found.keys() != {"value"} or (isinstance(found["value"], str) and not found["value"].isprintable()):
        raise ValueError(f"set: expected one value on one line, got {text!r}")
    return found["value"]

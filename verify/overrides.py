"""``--set run.trials=5``: single values of a sweep file, changed from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["changed"]


def changed(table: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """``table`` with ``section.key=value`` set for each of the changes. A value is TOML; what isn't, is a string.

    Raises
    ------
    ValueError
        If a change isn't of this form, or its section is no table.
    """
    result = dict(table)
    for change in changes:
        path, equals, text = change.partition("=")
        *sections, key = (part.strip() for part in path.split("."))
        if not equals or not key or not all(sections):
            raise ValueError(f"set: expected section.key=value, got {change!r}")
        target = result
        for section in sections:
            inner = target.get(section, {})
            if not isinstance(inner, Mapping):
                raise ValueError(f"set: expected {section} to be a table, got {change!r}")
            target[section] = dict(inner)
            target = target[section]
        target[key] = _value(text)
    return result


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()

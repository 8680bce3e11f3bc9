"""Where the figures come from: versions, hosts, seeds, sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from meanfield.text import plain
from verify.reporting.tables import columns as c
from verify.reporting.tables.table import Column, Table

__all__ = ["provenance_table"]


def provenance_table(facts: Mapping[str, object]) -> Table:
    """The facts as they came, nested ones with a name for each level; of a list of records, each different value."""
    columns: tuple[Column[tuple[str, str]], ...] = (
        c.words("fact", "fact", lambda fact: fact[0]),
        c.words("value", "value", lambda fact: fact[1]),
    )
    told = [(name.replace("_", " "), "; ".join(values)) for name, values in _flat("", plain(facts)).items()]
    return Table.of("Provenance", "Where the figures come from", columns, told)


def _flat(prefix: str, value: object) -> dict[str, dict[str, None]]:
    """Names of leaves with their different values, in the order in which they come."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    if isinstance(value, Mapping) and value:
        inner = [(f"{prefix} {key}".strip(), v) for key, v in value.items()]
    elif isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value):
        inner = [(prefix, v) for v in value]
    else:
        leaves = value if isinstance(value, list | Mapping) else ["unknown" if value is None else value]
        return {prefix: {", ".join(map(str, leaves)) or "none": None}}
    for name, v in inner:
        for leaf, values in _flat(name, v).items():
            found[leaf] |= values
    return found

"""From a store to its report: read, compare, write; or how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verify.judging.verdict import Comparison
    from verify.keeping.store import Store

__all__ = ["comparison_of", "how_to_go_on", "report"]


def comparison_of(store: Store) -> Comparison:
    """The verdict on what the store holds of its sweep. Raises ``ValueError`` if that is nothing yet."""
    from verify.judging.verdict import compare
    from verify.running.standing import status

    found = status(store)
    if not found["done"]:
        failures = "".join(f"; {count} failed: {reason}" for reason, count in list(found["reasons"].items())[:1])
        raise ValueError(f"store: expected finished trials, got none: {store.path}{failures}")
    return compare(store.sweep(), store.trials())


def report(store: Store | str | Path, directory: str | Path, *, force: bool = False) -> dict[str, Path]:
    """Write the report of a store into ``directory``: paths by kind, ``html``, ``markdown``, ``json``, ``csv``.
    An earlier report there is replaced, other files only with ``force``.

    Raises
    ------
    ValueError
        If the store can't be read or has no finished trial, or the directory can't be written.
    """
    from verify.keeping.store import Store
    from verify.reporting import Document, write_report

    if not isinstance(store, Store):
        with Store.open(store) as opened:
            return report(opened, directory, force=force)
    return write_report(Document(comparison_of(store), store.run_facts()), directory, force=force)


def how_to_go_on(path: Path) -> str:
    """After an interrupt: how much of a run is stored."""
    from verify.keeping.store import Store, StoreError

    try:
        with Store.open(path) as store:
            counts = store.counts()
    except StoreError:  # it wasn't made yet
        return "interrupted; nothing is stored yet"
    total = sum(counts.values())
    return f"interrupted; {total - counts['pending']} of {total} trials are in {path}, the same command goes on"

"""``verify init | run | status | report | export | merge | diff``: sweeps from the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanfield.commands.patience import patiently
from meanfield.commands.shared import Force, application, run_app, spelled
from meanfield.files import whole_file
from verify.asking.presets import NAME, preset_names

if TYPE_CHECKING:
    from verify.asking.sweep import Sweep
    from verify.keeping.store import Store

__all__ = ["app", "main"]

app = application("Theory held against real random networks.")

EXIT = {"pass": 0, "fail": 1, "unclear": 3}

SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="A TOML file, or the name of a preset.")]
StorePath = Annotated[Path, typer.Argument(metavar="STORE", help="The SQLite file of a sweep.")]
Check = Annotated[bool, typer.Option("--check", help="Exit with the verdict: 0 pass, 1 fail, 3 unclear.")]
MixCode = Annotated[bool, typer.Option("--mix-code", help="Allow trials of other measuring code.")]


@app.command()
def init(
    name: Annotated[str, typer.Argument(help=f"Which preset: {', '.join(preset_names())}.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Write to this new file; printed if not given.")] = None,
    force: Force = False,
) -> None:
    """Print a sweep file to start from: a preset. In a file of its own the sweep is named after the file, and so is its
    store.

    Example: verify init widths --out my.toml
    """
    from verify.asking.sweep import preset_text

    text = preset_text(name)
    if out is None:
        typer.echo(text, nl=False)
        return
    with whole_file("out", out, force=force) as partial:
        partial.write_text(_renamed(text, out.stem), encoding="utf-8")


def _renamed(text: str, name: str) -> str:
    """A sweep's text with another name; as it was if that can't be one."""
    fit = re.fullmatch(NAME, name) is not None
    return re.sub(r'^name = ".*"$', f'name = "{name}"', text, count=1, flags=re.MULTILINE) if fit else text


@app.command()
def run(
    sweep: SweepName,
    store: Annotated[Path | None, typer.Option(help="SQLite file; runs/<name>-<code>.sqlite if not given.")] = None,
    size: Annotated[str | None, typer.Option(help="One of the sweep's other sizes: paper.")] = None,
    change: Annotated[list[str], typer.Option("--set", help="Change a value: run.trials=5.")] = [],  # noqa: B006
    jobs: Annotated[int | None, typer.Option(help="Worker processes; -1: one for each processor.")] = None,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to run on.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would take.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder of the report; beside the store if not given.")] = None,
    most: Annotated[
        int | None, typer.Option("--until-decided", metavar="MOST", help="Double the trials until decided, up to MOST.")
    ] = None,
    check: Check = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials once more.")] = False,
    mix_code: MixCode = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    force: Force = False,
) -> int:
    """Run a sweep, compare it with theory, write the report. Run it again to go on after an interruption.

    Example: verify run quick --store quick.sqlite --set run.trials=50
    """
    from verify.judging.sequential import until_decided
    from verify.running.estimates import check_fits
    from verify.running.runner import default_path
    from verify.running.runner import run as run_sweep

    asked = _read(sweep, change, size)
    if dry_run:
        return _estimate(asked, jobs, dask)
    check_fits(asked)
    path = store or default_path(asked)
    folder = _report_folder(report, path, force)
    options: dict[str, Any] = {"retry_failed": retry_failed, "mix_code": mix_code, "progress": not quiet}
    options |= {"jobs": jobs, "dask": dask}
    try:
        limit = asked.run.trials if most is None else most
        finished = until_decided(asked, limit, lambda look: run_sweep(look, path, **options))
    except KeyboardInterrupt:
        from verify.outcome import how_to_go_on

        raise typer.Abort(how_to_go_on(path)) from None
    with finished:
        return _conclude(finished, folder, check, force)


@app.command()
def status(store: StorePath, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say how far a sweep is: trials done, failed, pending, and the time left.

    Example: verify status quick.sqlite
    """
    from verify.keeping.store import Store
    from verify.running.standing import status as status_of

    with Store.open(store) as opened:
        found = status_of(opened)
    if as_json:
        typer.echo(spelled(found))
        return
    left = "" if found["seconds_left"] is None else f", about {found['seconds_left']:.0f} s left"
    typer.echo(f"{found['name']}: {found['done']} done, {found['failed']} failed, {found['pending']} pending{left}")
    for reason, count in found["reasons"].items():
        typer.echo(f"{count} failed: {reason}")


@app.command()
def report(
    store: StorePath,
    out: Annotated[Path, typer.Option(help="Folder of the report.")],
    check: Check = False,
    force: Force = False,
) -> int:
    """Write the report of a store; it may be unfinished, and still running.

    Example: verify report quick.sqlite --out report
    """
    from verify.keeping.store import Store
    from verify.reporting.writing import report_folder

    report_folder("out", out, force=force)
    with Store.open(store) as opened:
        return _conclude(opened, out, check, force)


@app.command()
def export(
    store: StorePath,
    out: Annotated[Path, typer.Option(help="A new name ending in .csv, .parquet or .nc (NetCDF).")],
    force: Force = False,
) -> None:
    """Write all trials of a store as one table: CSV, Parquet or NetCDF.

    Example: verify export quick.sqlite --out quick.parquet
    """
    from verify.keeping.exporting import export as export_store
    from verify.keeping.store import Store

    with Store.open(store) as opened:
        count = export_store(opened, out, force=force)
    typer.echo(f"wrote {out}: {count} rows")


@app.command()
def merge(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="Stores of one sweep.")],
    out: Annotated[Path, typer.Option(help="The new store.")],
    mix_code: MixCode = False,
) -> None:
    """Join stores of one sweep from several machines.

    Example: verify merge one.sqlite two.sqlite --out all.sqlite
    """
    from verify.running.merging import merge as merge_stores

    typer.echo(merge_stores(stores, out, mix_code=mix_code))


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A store.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another: of another device, version or seed.")],
    check: Annotated[bool, typer.Option("--check", help="Exit with 0 if they agree, 1 if they differ.")] = False,
    tolerance: Annotated[
        float, typer.Option(help="How far two measurements of the same network may be apart, relatively.")
    ] = 1e-3,
    alpha: Annotated[float, typer.Option(help="Level of the test where networks differ.")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Put what two stores have both measured side by side: whether they agree, then each statistic.

    Example: verify diff numpy.sqlite cupy.sqlite
    """
    from verify.judging.difference import agreement, difference
    from verify.keeping.store import Store
    from verify.reporting.names import network_names
    from verify.reporting.tables.difference import difference_table

    with Store.open(first) as a, Store.open(second) as b:
        found = difference(a.sweep(), a.trials(), b.sweep(), b.trials())
    table = difference_table(found, network_names(d.cell.law for d in found))
    verdict, sentence = agreement(found, tolerance, alpha)
    typer.echo(spelled(table.records()) if as_json else f"{sentence}\n\n{table.to_text()}")
    return EXIT[verdict] if check else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``verify`` and return its exit status."""
    return run_app(app, "verify", arguments)


def _read(sweep: str, changes: Sequence[str], size: str | None) -> Sweep:
    from verify.asking.sweep import Sweep

    read = Sweep.from_toml if Path(sweep).is_file() else Sweep.preset
    return read(sweep, changes, size)


def _estimate(sweep: Sweep, jobs: int | None, dask: str | None) -> int:
    from verify.running.estimates import estimate, estimate_table
    from verify.running.executors import processors
    from verify.running.runner import engine_of

    engine = engine_of(sweep, jobs, dask)
    workers = processors() if engine.jobs == -1 else engine.jobs
    typer.echo(estimate_table(sweep, estimate(sweep), workers))
    if engine.address is not None:
        typer.echo(f"That is for {workers} workers of this machine; how many {engine.address} has was not asked.")
    return 0


def _conclude(store: Store, directory: Path, check: bool, force: bool) -> int:
    """Print the verdict table and the path of the report; the exit status."""
    from verify.outcome import comparison_of
    from verify.reporting import Document, write_report
    from verify.reporting.terminal import verdict_table

    with patiently("holding the networks against theory"):
        document = Document(comparison_of(store), store.run_facts())
    with patiently("drawing the report"):
        paths = write_report(document, directory, force=force)
    typer.echo(verdict_table(document))
    typer.echo(f"report: {paths['html']}")
    return EXIT[document.comparison.verdict] if check else 0


def _report_folder(asked: Path | None, store: Path, force: bool) -> Path:
    """Where the report goes. Asked before the sweep, not after."""
    from verify.reporting.writing import report_folder

    beside = store.with_suffix("") if store.suffix else store.with_name(f"{store.name}-report")
    return report_folder("report", asked or beside, force=force)

"""One measuring code for what is counted together."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from verify.asking.sweep import Sweep
from verify.keeping.exporting import export
from verify.keeping.store import Store, StoreError
from verify.running.codes import codes_of, sweep_code
from verify.running.merging import merge
from verify.running.runner import default_path, run

OLD = "0123abcd" * 8


@pytest.fixture
def measured(make_sweep, draw, tmp_path):
    """Makes a store of two trials a cell, ``code`` in place of that of here."""

    def make(name, code=None, **grid):
        sweep = make_sweep(2)
        if grid:
            plain = sweep.model_dump(by_alias=True)
            sweep = Sweep(**{**plain, "grid": {**plain["grid"], **grid}})
        with ThreadPoolExecutor(1) as threads:
            run(sweep, tmp_path / "made", executor=threads, jobs=1, progress=False, measure=draw).close()
        with Store.open(tmp_path / "made") as source, Store.create(tmp_path / name, sweep) as target:
            target.begin({})
            target.append(
                replace(t, provenance={**t.provenance, "code": code or t.provenance["code"]}) for t in source.trials()
            )
        (tmp_path / "made").unlink()
        return tmp_path / name

    return make


def test_cells_have_a_hash_by_kind(make_sweep):
    sweep = make_sweep()
    assert len(codes_of(sweep)) == 4
    assert len(set(codes_of(sweep).values())) == 1
    one = codes_of(sweep).popitem()[1]
    assert sweep_code(sweep.cells(), "numpy") == one != sweep_code(sweep.cells(), "torch")
    assert default_path(sweep).name == f"tiny-{one[:8]}.sqlite"


def test_a_store_with_an_older_hash_opens_exports_merges_and_is_not_mixed(measured, make_sweep, draw, tmp_path):
    path = measured("old.sqlite", OLD)
    with Store.open(path) as store:
        assert store.codes() == {OLD}
        assert store.counts()["done"] == 8
        export(store, tmp_path / "old.csv")
    merge([path, measured("more.sqlite", OLD, width=[16])], tmp_path / "both.sqlite")
    with Store.open(tmp_path / "both.sqlite") as store:
        assert store.counts()["done"] == 12
    with ThreadPoolExecutor(1) as threads:
        options = {"executor": threads, "jobs": 1, "progress": False, "measure": draw}
        with pytest.raises(StoreError, match=r"trials of one measuring code, got \w{8} and \w{8}: .*--mix-code"):
            run(make_sweep(3), path, **options)
        with run(make_sweep(3), path, mix_code=True, **options) as store:
            assert store.counts()["done"] == 12
            assert len(store.codes()) == 2


def test_cells_of_one_kind_from_two_codes_are_not_merged(measured, tmp_path):
    parts = [measured("here.sqlite"), measured("old.sqlite", OLD, width=[16])]
    with pytest.raises(StoreError, match=f"one measuring code, got .*{OLD[:8]}"):
        merge(parts, tmp_path / "both.sqlite")
    merge(parts, tmp_path / "both.sqlite", mix_code=True)


def test_trials_that_are_not_asked_for_do_not_count(measured, make_sweep, draw):
    path = measured("old.sqlite", OLD)
    with ThreadPoolExecutor(1) as threads:
        other = make_sweep(2, seed=6)
        with run(other, path, executor=threads, jobs=1, progress=False, measure=draw) as store:
            assert store.counts()["done"] == 8
            assert store.codes_by_cell() == {cell: {code} for cell, code in codes_of(other).items()}

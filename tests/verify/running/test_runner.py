"""Running a sweep: every trial once, whatever happens to workers, and the same figures whatever the workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from empirical import available_backends
from verify.asking.sweep import Engine
from verify.keeping.store import Store, StoreError
from verify.running.facts import host
from verify.running.pool import EngineError
from verify.running.runner import default_path, run
from verify.running.trials import Task


def bits(store: Store) -> list[tuple]:
    """All that is measured, so that it compares bit for bit."""
    return [
        (t.cell, t.index, label, s.dimension, None if s.eigenvalues is None else s.eigenvalues.tobytes(),
         np.array([s.mean, s.second_moment, s.largest, *s.outliers]).tobytes())
        for t in store.trials() for label, s in t.samples.items()
    ]  # fmt: skip


def test_one_worker_two_workers_or_threads_give_the_same_bits(tmp_path, make_sweep) -> None:
    """With the real measurement. Threads share this process's BLAS, which the test run limits to what workers have."""
    sweep = make_sweep(4, spectrum="full")
    with ThreadPoolExecutor(3) as threads:
        stores = [
            run(sweep, tmp_path / "one.sqlite", jobs=1, progress=False),
            run(sweep, tmp_path / "two.sqlite", jobs=2, progress=False),
            run(sweep, tmp_path / "threads.sqlite", jobs=3, executor=threads, progress=False),
        ]
        assert threads.submit(int).result() == 0, "an executor of the caller's stays open"
    first, *others = map(bits, stores)
    assert len(first) == 4 * 4 * 2
    assert all(other == first for other in others)
    assert {t.provenance["backend"] for t in stores[0].trials()} == {"numpy"}
    for store in stores:
        assert store.counts() == {"done": 16, "failed": 0, "pending": 0}
        store.close()


def test_a_second_run_does_only_what_is_missing(tmp_path, make_sweep, draw) -> None:
    path, ran = tmp_path / "a.sqlite", []

    def counted(*args, seed, **kwargs):
        ran.append(seed)
        return draw(*args, seed=seed, **kwargs)

    with ThreadPoolExecutor(1) as threads:
        for trials, new in ((2, 8), (2, 0), (5, 12)):
            ran.clear()
            run(make_sweep(trials), path, executor=threads, jobs=1, progress=False, measure=counted).close()
            assert len(ran) == new
        run(make_sweep(5), tmp_path / "b.sqlite", executor=threads, jobs=1, progress=False, measure=draw).close()
    with Store.open(path) as resumed, Store.open(tmp_path / "b.sqlite") as straight:
        assert bits(resumed) == bits(straight)
        assert len(resumed.sessions()) == 2
        declared = make_sweep(5).verdict.model_dump()
        assert [s["verdict"] for s in resumed.sessions()] == [declared] * 2
        begun = [s["measured"] for s in resumed.sessions()]
        assert begun[0] == 0 < begun[1]


def test_a_trial_that_raises_is_tried_again_and_then_becomes_a_row(tmp_path, make_sweep, draw) -> None:
    tries = []

    def faulty(network, metrics, *, seed, width, **options):
        if width == 8 and seed.spawn_key == (1,):
            tries.append(seed)
            raise FloatingPointError("overflow")
        return draw(network, metrics, seed=seed, width=width, **options)

    options = {"jobs": 1, "progress": False}
    with ThreadPoolExecutor(1) as threads:
        with run(make_sweep(3), tmp_path / "a.sqlite", executor=threads, measure=faulty, **options) as store:
            assert store.counts() == {"done": 10, "failed": 2, "pending": 0}
            reasons = {(t.index, t.reason) for t in store.trials() if t.status == "failed"}
            assert reasons == {(1, "FloatingPointError: overflow")}
            assert len(tries) == 4
            hosts = [t.provenance["host"] for t in store.trials()]
            assert hosts == [host()] * 12, "of failed trials too"
            assert {t.provenance["backend"] for t in store.trials()} == {"none", "numpy"}
        with run(make_sweep(3), tmp_path / "a.sqlite", executor=threads, measure=draw, **options) as store:
            assert store.counts()["failed"] == 2
        retried = run(
            make_sweep(3), tmp_path / "a.sqlite", executor=threads, measure=draw, retry_failed=True, **options
        )
        with retried as store:
            assert store.counts() == {"done": 12, "failed": 0, "pending": 0}


def test_a_trial_that_kills_its_worker_costs_nobody_else(tmp_path, make_sweep, draw) -> None:
    def deadly(network, metrics, *, seed, width, **options):
        if width == 4 and seed.spawn_key == (3,):
            os._exit(7)
        return draw(network, metrics, seed=seed, width=width, **options)

    with run(make_sweep(20), tmp_path / "a.sqlite", jobs=2, progress=False, measure=deadly) as store:
        assert store.counts() == {"done": 78, "failed": 2, "pending": 0}
        failures = [t for t in store.trials() if t.status == "failed"]
        survivors = set(bits(store))
    assert [t.index for t in failures] == [3, 3]
    assert all(t.reason.startswith("worker lost: ") and "\n" not in t.reason for t in failures)
    with run(make_sweep(20), tmp_path / "b.sqlite", jobs=1, progress=False, measure=draw) as store:
        assert survivors < set(bits(store))


def test_what_an_executor_of_the_callers_cannot_run_becomes_rows_with_the_reason(tmp_path, make_sweep, draw) -> None:
    class Breaking(Executor):
        """Runs a few tasks at once, then says what a broken pool says."""

        def __init__(self) -> None:
            self.left = 5

        def submit(self, fn, /, *args, **kwargs):
            future: Future = Future()
            self.left -= 1
            if self.left < 0:
                future.set_exception(EOFError("gone"))
            else:
                future.set_result(fn(*args, **kwargs))
            return future

    with run(make_sweep(3), tmp_path / "a.sqlite", executor=Breaking(), jobs=1, progress=False, measure=draw) as store:
        assert store.counts()["done"] == 4
        assert {t.reason for t in store.trials() if t.status == "failed"} == {"worker lost: EOFError: gone"}


@pytest.mark.parametrize("retries", [0, 3])
def test_a_lost_trial_runs_again_once_beside_others_and_then_as_often_as_one_that_raises(
    tmp_path, make_sweep, draw, retries
) -> None:
    lost = []

    class Losing(Executor):
        """Loses whatever trial 2 of the narrow cells is in."""

        def submit(self, fn, /, *args, **kwargs):
            future: Future = Future()
            (task, *_) = args
            if isinstance(task, Task) and task.cell.width == 4 and 2 in task.indices:
                lost.append(task.indices)
                future.set_exception(EOFError("gone"))
            else:
                future.set_result(fn(*args, **kwargs))
            return future

    sweep = make_sweep(3).model_copy(update={"engine": Engine(retries=retries)})
    with run(sweep, tmp_path / "a.sqlite", executor=Losing(), jobs=2, progress=False, measure=draw) as store:
        assert store.counts() == {"done": 10, "failed": 2, "pending": 0}
        assert {t.index for t in store.trials() if t.status == "failed"} == {2}
    assert len(lost) == 2 * (1 + 1 + 1 + retries)


def test_a_suspect_runs_again_with_nothing_beside_it(tmp_path, make_sweep, draw) -> None:
    class Slow(Executor):
        """Loses its first task twice at once; the others take a while."""

        def __init__(self) -> None:
            self.unfinished: list[Future] = []
            self.beside: list[int] = []
            self.submitted = 0

        def submit(self, fn, /, *args, **kwargs):
            future: Future = Future()
            self.unfinished = [f for f in self.unfinished if not f.done()]
            self.beside.append(len(self.unfinished))
            self.submitted += 1
            if self.submitted in {2, 6}:
                future.set_exception(EOFError("gone"))
                return future
            pause = 0.3 if args else 0.0
            threading.Timer(pause, lambda: future.set_result(fn(*args, **kwargs))).start()
            self.unfinished.append(future)
            return future

    executor = Slow()
    with run(make_sweep(1), tmp_path / "a.sqlite", executor=executor, jobs=2, progress=False, measure=draw) as store:
        assert store.counts() == {"done": 4, "failed": 0, "pending": 0}
    # The start of a worker, four tasks of which the first is lost, that one again beside three, and again alone.
    assert executor.beside == [0, 0, 0, 1, 2, 3, 0]


def test_a_pool_of_the_callers_breaks_with_a_line_and_one_that_can_be_made_anew_goes_on(tmp_path) -> None:
    """In a process of its own: the measuring function has to be found by pickle."""
    (tmp_path / "deadly.py").write_text(DEADLY)
    code = CALLERS_POOL.format(folder=str(tmp_path), here=str(Path(__file__).parents[1]))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    broken, counts, reason = ended.stdout.splitlines()
    told = r"engine: expected an executor that outlives .*, got one that broke while running trial \d+ of cell \w+, or"
    assert re.match(told, broken)
    assert counts == "{'done': 11, 'failed': 1, 'pending': 0}"
    assert reason.startswith("worker lost: BrokenProcessPool")


DEADLY = """
import os
from types import SimpleNamespace

def measure(network, metrics, *, seed, width, **_):
    if width == 4 and network.activation[0].name == "relu" and seed.spawn_key == (1,):
        os._exit(7)
    found = SimpleNamespace(mean=1.0, second_moment=1.0, largest=1.0, outliers=(), eigenvalues=None, dimension=3,
                            provenance={})
    return [found for _ in metrics]
"""

CALLERS_POOL = """
import sys
sys.path[:0] = [{folder!r}, {here!r}]
from concurrent.futures import ProcessPoolExecutor
from conftest import TINY
from deadly import measure
from verify import Sweep, run
from verify.running.pool import EngineError

sweep = Sweep(name="tiny", grid=TINY, run={{"trials": 3}})
options = {{"jobs": 2, "progress": False, "measure": measure}}
with ProcessPoolExecutor(2) as pool:
    try:
        run(sweep, {folder!r} + "/a.sqlite", executor=pool, **options)
    except EngineError as error:
        print(error)
with run(sweep, {folder!r} + "/a.sqlite", executor=lambda: ProcessPoolExecutor(2), **options) as store:
    print(store.counts())
    print(*(trial.reason for trial in store.trials() if trial.status == "failed"))
"""


def test_workers_that_cannot_start_are_one_clear_error(tmp_path, make_sweep) -> None:
    with (
        ProcessPoolExecutor(1, initializer=os._exit, initargs=(3,)) as executor,
        pytest.raises(EngineError, match="engine: expected workers that start, got"),
    ):
        run(make_sweep(3), tmp_path / "a.sqlite", executor=executor, jobs=1, progress=False)
    assert not list(tmp_path.iterdir()), "where nothing can run no store is made"


def test_trials_of_other_measuring_code_are_not_mixed_in_unless_told(tmp_path, make_sweep, draw, monkeypatch) -> None:
    path = tmp_path / "a.sqlite"
    with ThreadPoolExecutor(1) as threads:
        options = {"executor": threads, "jobs": 1, "progress": False, "measure": draw}
        run(make_sweep(1), path, **options).close()
        monkeypatch.setattr("verify.running.codes.code_hash", lambda *_: "f" * 64)
        assert default_path(make_sweep()).name == "tiny-ffffffff.sqlite"
        with pytest.raises(StoreError, match=r"expected trials of one measuring code, got \w{8} and ffffffff"):
            run(make_sweep(2), path, **options)
        with run(make_sweep(2), path, mix_code=True, **options) as store:
            assert store.counts()["done"] == 8


def test_a_worker_with_other_code_is_found_out_at_its_first_trial(tmp_path, make_sweep, draw, monkeypatch) -> None:
    """As after an edit during a run, or on a cluster where one machine has an older copy."""
    codes = iter(["a" * 64] * 5 + ["b" * 64] * 99)
    monkeypatch.setattr("verify.running.codes.code_hash", lambda *_: "a" * 64)
    monkeypatch.setattr("verify.running.trials.code_of", lambda *_: next(codes))
    monkeypatch.setattr("verify.running.pool.prepare_worker", lambda *_: "a" * 64)
    options = {"jobs": 1, "progress": False, "measure": draw}
    with ThreadPoolExecutor(1) as threads, pytest.raises(StoreError, match="got aaaaaaaa and bbbbbbbb"):
        run(make_sweep(3), tmp_path / "a.sqlite", executor=threads, **options)
    with Store.open(tmp_path / "a.sqlite") as store:
        assert store.codes() == {"a" * 64}
        assert store.counts()["done"] > 0


def test_linear_algebra_has_one_thread_in_workers_of_any_kind(tmp_path, make_sweep) -> None:
    """NumPy and SciPy bring a BLAS each, torch its OpenMP: a process without the variables that limit them."""
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    text = FREE_THREADS.format(sweep=make_sweep(1).to_json(), folder=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", text], env=free, capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()) == {"1"}, ended.stdout


FREE_THREADS = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from verify.running.runner import run
from verify.asking.sweep import Sweep

sweep = Sweep.from_json({sweep!r})
for number, kind in enumerate((ProcessPoolExecutor, ThreadPoolExecutor)):
    with kind(2) as executor:
        path = Path({folder!r}) / str(number)
        with run(sweep, path, executor=executor, jobs=2, progress=False) as store:
            for trial in store.trials():
                print(*trial.provenance["threads"].values())
"""


@pytest.mark.parametrize("cancelled", [True, False])
def test_an_executor_that_is_shut_down_on_the_way_is_one_clear_error(tmp_path, make_sweep, draw, cancelled) -> None:
    executor = ThreadPoolExecutor(1)
    seen = []

    def closing(*args, **kwargs):
        seen.append(1)
        if len(seen) == 3:
            executor.shutdown(wait=False, cancel_futures=cancelled)
        return draw(*args, **kwargs)

    with pytest.raises(EngineError, match="engine: expected workers that start, got RuntimeError"):
        run(make_sweep(3), tmp_path / "a.sqlite", executor=executor, jobs=1, progress=False, measure=closing)
    with Store.open(tmp_path / "a.sqlite") as store:
        assert store.counts()["done"] >= 3
        assert store.counts()["failed"] == 0


def test_a_backend_that_cannot_be_used_stops_the_run_before_its_first_trial(tmp_path, make_sweep) -> None:
    sweep = make_sweep(3, backend="cupy")
    if "cupy" in available_backends():
        pytest.skip("CuPy can be used here")
    with pytest.raises(ValueError, match="backend: expected one that can be used here, got cupy"):
        run(sweep, tmp_path / "a.sqlite", jobs=1, progress=False)
    assert not list(tmp_path.iterdir()), "where nothing can run no store is made"


def test_a_run_that_is_refused_leaves_the_store_as_it_was(tmp_path, make_sweep, draw, monkeypatch, capsys) -> None:
    path = tmp_path / "a.sqlite"
    with ThreadPoolExecutor(1) as threads:
        options = {"executor": threads, "jobs": 1, "measure": draw}
        run(make_sweep(2), path, progress=False, **options).close()
        with monkeypatch.context() as patch:
            patch.setattr("verify.running.codes.code_hash", lambda *_: "f" * 64)
            with pytest.raises(StoreError, match="one measuring code"):
                run(make_sweep(3), path, progress=False, **options)
        if "cupy" not in available_backends():
            with pytest.raises(ValueError, match="backend: expected"):
                run(make_sweep(3, backend="cupy"), path, progress=False, **options)
        with Store.open(path) as store:
            assert (store.sweep(), store.counts()["done"]) == (make_sweep(2), 8)
        with run(
            make_sweep(1), path, **options
        ) as store:  # nothing to do: the file's sweep is the new one all the same
            assert store.sweep() == make_sweep(1)
        said = capsys.readouterr().err
        assert said == f"4 trials that the sweep doesn't ask for stay in {path} and aren't counted\n"
        run(make_sweep(2), path, **options).close()
        assert "doesn't ask for" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 1.5}, r"jobs: expected -1 \(.*\) or a positive whole number, got 1.5"),
        ({"jobs": "a"}, r"jobs: expected .*, got 'a'"),
        ({"jobs": True}, r"jobs: expected .*, got True"),
        ({"jobs": 0}, r"jobs: expected .*, got 0"),
        ({"dask": 3}, "dask: expected the address of a scheduler, got 3"),
        ({"executor": 3}, "executor: expected an Executor or a function that makes one, got 3"),
        ({"jobs": 2, "dask": "tcp://a:1"}, "jobs: expected none beside a Dask scheduler, .*, got 2"),
        (
            {"executor": ThreadPoolExecutor, "dask": "tcp://a:1"},
            "dask: expected none beside an executor, got 'tcp://a:1'",
        ),
    ],
)
def test_an_engine_that_is_none_is_one_sentence_before_anything_is_made(tmp_path, make_sweep, options, message) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{message}$"):
        run(make_sweep(), tmp_path / "a.sqlite", **options)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_without_the_library_for_it_is_refused_before_the_store_is_made(
    tmp_path, make_sweep, monkeypatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"dask: expected the extra `cluster` .*'meanfield-spectra\[cluster\]'\), got"):
        run(make_sweep(), tmp_path / "a.sqlite", dask="tcp://a:1")
    assert not list(tmp_path.iterdir())


def test_a_sweep_for_a_cluster_says_so_when_it_runs_locally(tmp_path, make_sweep, draw, capsys) -> None:
    sweep = make_sweep(1).model_copy(update={"engine": Engine(kind="dask", address="tcp://a:1")})
    run(sweep, tmp_path / "a.sqlite", jobs=1, measure=draw).close()
    assert "on local workers, not on the sweep's scheduler tcp://a:1" in capsys.readouterr().err.splitlines()


def test_tasks_grow_for_short_trials_and_start_with_the_widest_cell(tmp_path, make_sweep, draw) -> None:
    from verify.asking.records import Trial
    from verify.running.pending import GROUP_SIZE, Pending

    sweep = make_sweep(3 * GROUP_SIZE)
    with Store.create(tmp_path / "a.sqlite", sweep) as store:
        pending = Pending(store, measure=draw)
        assert pending.trials == 4 * 3 * GROUP_SIZE
        tasks = pending.tasks()
        first = next(tasks)
        assert (first.cell.width, first.indices) == (8, (0,))
        pending.note([Trial(first.cell.key, 0, "done", seconds=0.01)])
        assert next(tasks).indices == tuple(range(1, 26))
        pending.note([Trial(first.cell.key, 0, "done", seconds=1e-7)])
        assert len(next(tasks).indices) == GROUP_SIZE
        pending.note([Trial(first.cell.key, 0, "done", seconds=3.0)])
        assert len(next(tasks).indices) == 1
        rest = [index for task in tasks if task.cell == first.cell for index in task.indices]
        assert rest[-1] == 3 * GROUP_SIZE - 1

"""A sweep on a Dask cluster of separate processes, one of which is killed on the way."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from verify.asking.sweep import Engine
from verify.cli import main
from verify.keeping.store import Store, StoreError
from verify.running.runner import run

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    options = {"processes": True, "dashboard_address": None, "silence_logs": 50}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        yield cluster


def bits(store: Store) -> list[tuple]:
    return [
        (t.cell, t.index, t.status, label, np.array([s.mean, s.second_moment, s.largest, *s.outliers]).tobytes())
        for t in store.trials()
        for label, s in t.samples.items()
    ]


def test_a_worker_killed_in_mid_run_costs_nothing_and_the_bits_are_those_of_one_local_worker(
    cluster, tmp_path, make_sweep
) -> None:
    path, killed = tmp_path / "dask.sqlite", []

    def kill_a_worker() -> None:
        while not killed:
            time.sleep(0.01)
            try:
                with Store.open(path) as store:
                    ready = store.counts()["done"] >= 5
            except StoreError:
                continue
            if ready:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

    sweep = make_sweep(100)
    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    with run(sweep, path, dask=cluster.scheduler_address, progress=False) as store:
        killer.join(timeout=60)
        assert killed
        assert store.counts() == {"done": 400, "failed": 0, "pending": 0}
        on_dask = bits(store)
    with run(sweep, tmp_path / "local.sqlite", jobs=1, progress=False) as store:
        assert bits(store) == on_dask
    with distributed.Client(cluster) as client:
        assert client.run_on_scheduler(allowed_failures) == 3, "the scheduler's own setting is there again"


def allowed_failures(dask_scheduler) -> int:
    return dask_scheduler.allowed_failures


def test_a_trial_that_kills_its_worker_fails_alone(cluster, tmp_path, make_sweep, draw) -> None:
    def deadly(network, metrics, *, seed, width, **options):
        if width == 4 and network.activation[0].name == "relu" and seed.spawn_key == (1,):
            os._exit(7)
        return draw(network, metrics, seed=seed, width=width, **options)

    sweep = make_sweep(3).model_copy(update={"engine": Engine(retries=0)})
    address = cluster.scheduler_address
    with run(sweep, tmp_path / "a.sqlite", dask=address, progress=False, measure=deadly) as store:
        assert store.counts() == {"done": 11, "failed": 1, "pending": 0}
        (failure,) = (t for t in store.trials() if t.status == "failed")
    assert (failure.index, failure.reason[:25]) == (1, "worker lost: KilledWorker")


def test_a_worker_that_dies_at_the_start_costs_another_try(cluster, tmp_path, make_sweep, draw, monkeypatch) -> None:
    died = tmp_path / "died"

    def prepare(*_):
        if not died.exists():
            died.touch()
            os._exit(7)
        return "c" * 64

    monkeypatch.setattr("verify.running.pool.prepare_worker", prepare)
    options = {"dask": cluster.scheduler_address, "progress": False, "measure": draw, "mix_code": True}
    with run(make_sweep(2), tmp_path / "a.sqlite", **options) as store:
        assert died.exists()
        assert store.counts() == {"done": 8, "failed": 0, "pending": 0}


def test_a_scheduler_that_is_gone_is_one_line_and_what_was_stored_stays(tmp_path, make_sweep, monkeypatch) -> None:
    monkeypatch.setattr("verify.running.executors.PATIENCE", 2)
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(silence_logs=50, **options) as own:

        class Closing(Store):
            def append(self, trials) -> None:
                super().append(trials)
                if self.counts()["done"] >= 5:
                    own.close()

        monkeypatch.setattr("verify.running.runner.Store", Closing)
        with pytest.raises(ConnectionError, match="dask: expected a scheduler at tcp://"):
            run(make_sweep(500), tmp_path / "a.sqlite", dask=own.scheduler_address, progress=False)
    with Store.open(tmp_path / "a.sqlite") as store:
        assert store.counts()["done"] >= 5
        assert store.counts()["failed"] == 0


def test_an_executor_of_the_callers_and_no_scheduler_at_all(cluster, tmp_path, make_sweep, draw, capsys) -> None:
    with distributed.Client(cluster) as client:
        options = {"executor": client.get_executor(pure=False), "jobs": 2, "progress": False, "measure": draw}
        with run(make_sweep(2), tmp_path / "a.sqlite", **options) as store:
            assert store.counts()["done"] == 8
    arguments = ["run", "quick", "--store", str(tmp_path / "b.sqlite"), "--dask", "nonsense://1:2", "--quiet"]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "dask: expected a scheduler at nonsense://1:2" in line


@pytest.fixture
def listener() -> Iterator[Callable[[bytes], str]]:
    """Addresses where somebody listens who is no scheduler, and says this."""
    sockets: list[socket.socket] = []

    def listen(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                sockets.append(connection)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return "tcp://{}:{}".format(*server.getsockname())

    yield listen
    for each in sockets:
        each.close()


@pytest.mark.parametrize("kind", ["nobody", "silent", "a web server"])
def test_who_is_no_scheduler_is_one_line_in_five_seconds_and_no_store(listener, tmp_path, capfd, kind) -> None:
    answers = {"silent": b"", "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n<html>no</html>"}
    address = "tcp://127.0.0.1:1" if kind == "nobody" else listener(answers[kind])
    start = time.monotonic()
    assert main(["run", "quick", "--store", str(tmp_path / "b.sqlite"), "--dask", address, "--quiet"]) == 2
    gc.collect()
    assert time.monotonic() - start < 10, "three seconds, and those of a busy machine"
    (line,) = capfd.readouterr().err.splitlines()
    assert f"dask: expected a scheduler at {address}, got " in line
    assert not list(tmp_path.iterdir())

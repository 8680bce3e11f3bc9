"""Kernels in files: interrupted at any moment, they go on and end in the same bytes, or say why they don't."""

import errno
import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from empirical import empirical_kernel, plan_kernel
from empirical.kernels import files, filling
from empirical.kernels.progress import Progress
from meanfield.spec import FIM, NTK, Network

NET = Network(3, "tanh", 2.0, 0.3, outputs=2)
X = np.random.default_rng(3).standard_normal((50, 12))
OPTIONS = {"width": 12, "seed": 1, "block": 9, "progress": False}
BLOCKS = 6 * 7 // 2


class Stopped(BaseException):
    """As KeyboardInterrupt."""


@pytest.fixture
def stop_after(monkeypatch):
    """Lets so many blocks be written, and then the next one half."""

    def arrange(blocks):
        left, put = [blocks], filling._put

        def limited(source, values, rows, columns, *parts):
            if left[0] == 0:
                values[source.layout.place(rows, columns)][..., :2] = 1e9
                raise Stopped
            left[0] -= 1
            put(source, values, rows, columns, *parts)

        monkeypatch.setattr(filling, "_put", limited)

    return arrange


def record(path):
    return json.loads(path.with_name(f"{path.name}.json").read_text())


@pytest.mark.parametrize("outputs", ["sum", "each", "full"])
@pytest.mark.parametrize("blocks", [0, 1, 7, BLOCKS - 1])
def test_an_interrupted_kernel_goes_on_bit_for_bit(tmp_path, monkeypatch, stop_after, outputs, blocks):
    whole = empirical_kernel(NET, X, outputs=outputs, **OPTIONS)
    path = tmp_path / "K.npy"
    with monkeypatch.context():
        stop_after(blocks)
        with pytest.raises(Stopped):
            empirical_kernel(NET, X, outputs=outputs, out=path, **OPTIONS)
    monkeypatch.undo()
    assert not path.exists()
    if blocks:
        assert (record(path)["done"], record(path)["blocks"], record(path)["rows"]) == (blocks, BLOCKS, 9)
    else:
        assert list(tmp_path.iterdir()) == []  # nothing to go on from: the name is free
    made = []
    parts = filling._put
    monkeypatch.setattr(filling, "_put", lambda *arguments: (made.append(1), parts(*arguments)))
    without = {**OPTIONS, "block": None} if blocks else OPTIONS  # the block size is that of the file
    found = empirical_kernel(NET, X, outputs=outputs, out=str(path), **without)
    assert len(made) == BLOCKS - blocks
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(np.load(path), whole.values)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["K.npy", "K.npy.json"]
    assert not found.values.flags.writeable
    again = empirical_kernel(NET, X, outputs=outputs, out=path, **without)
    assert len(made) == BLOCKS - blocks  # only opened
    np.testing.assert_array_equal(again.values, whole.values)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_that_it_counted(tmp_path):
    """kill -9 at three moments of one kernel, each time going on."""
    path = tmp_path / "K.npy"
    size = {"depth": 4, "width": 300, "samples": 900, "block": 60}
    code = (
        "import numpy as np; from empirical import empirical_kernel; from meanfield import Network;"
        "x = np.random.default_rng(3).standard_normal(({samples}, {width}));"
        "K = empirical_kernel(Network({depth}, 'tanh', 2.0, 0.3, 3), x, outputs='each', width={width}, seed=1,"
        "block={block}, progress=False, out={out!r})"
    )
    whole = code.format(**size, out=str(tmp_path / "whole.npy"))
    subprocess.run([sys.executable, "-c", whole], check=True)
    counts = []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code.format(**size, out=str(path))])
        before = record(path)["done"] if counts else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if path.with_name("K.npy.json").exists() and record(path)["done"] > before:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts.append(record(path)["done"])
    assert counts == sorted(counts)
    assert 0 < counts[0] < record(path)["blocks"]  # or the machine is too fast for this size
    subprocess.run([sys.executable, "-c", code.format(**size, out=str(path))], check=True)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()


CHANGED = {
    "seed": {"seed": 2}, "width": None, "outputs": {"outputs": "each"}, "metric": {"metric": FIM()},
    "layer": {"metric": NTK(2)}, "dtype": {"dtype": "float32"}, "rng": {"rng": "device"},
    "backend": {"backend": "torch"}, "X2": {"X2": X},
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGED)
def test_another_question_is_refused(tmp_path, what):
    path = tmp_path / "K.npy"
    first = empirical_kernel(NET, X, out=path, **OPTIONS)
    before = path.read_bytes()
    net, x = (NET, X) if what != "width" else (Network(3, "tanh", 2.0, 0.3, 2, (0.5, 1, 1)), X)
    changed = {**OPTIONS, **(CHANGED[what] or {"width": 24})}
    with pytest.raises(ValueError, match=r"out: expected the kernel of this question in .*, got one of another \("):
        empirical_kernel(net, x, out=path, **changed)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(first.values, np.load(path))


def test_other_inputs_are_another_question(tmp_path):
    path = tmp_path / "K.npy"
    empirical_kernel(NET, X, out=path, **OPTIONS)
    with pytest.raises(ValueError, match=r"got one of another \(inputs\)"):
        empirical_kernel(NET, np.nextafter(X, 9), out=path, **OPTIONS)


def test_another_module_is_another_question(tmp_path):
    """Also one with the same parameters that computes something else with them."""

    class Model(nn.Module):
        def __init__(self, function):
            super().__init__()
            torch.manual_seed(0)
            self.function, self.a, self.b = function, nn.Linear(12, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.b(self.function(self.a(x)))

    model, path = Model(torch.tanh).double().eval(), tmp_path / "K.npy"
    found = empirical_kernel(model, X, out=path, block=16, progress=False)
    np.testing.assert_array_equal(found.values, empirical_kernel(model, X, block=16).values)
    np.testing.assert_array_equal(found.values, empirical_kernel(model, X, out=path).values)
    with pytest.raises(ValueError, match=r"got one of another \(answer\)"):
        empirical_kernel(Model(torch.sin).double().eval(), X, out=path)
    with torch.no_grad():
        model.a.bias[0] += 1e-15
    with pytest.raises(ValueError, match=r"got one of another \(.*state\)"):
        empirical_kernel(model, X, out=path)


def test_what_stands_in_the_way_is_left_alone(tmp_path, stop_after):
    path, sidecar = tmp_path / "K.npy", tmp_path / "K.npy.json"
    np.save(path, np.eye(3))
    with pytest.raises(ValueError, match="out: expected the name of a new file or of a kernel"):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    sidecar.write_text("[1]")
    with pytest.raises(ValueError, match=r"out: expected the record of a kernel in .*got something else"):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    np.testing.assert_array_equal(np.load(path), np.eye(3))
    sidecar.unlink()
    path.unlink()
    stop_after(3)
    with pytest.raises(Stopped):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    np.save(path, np.eye(3))
    with pytest.raises(ValueError, match="out: expected no file before all blocks are done"):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    path.unlink()
    with pytest.raises(ValueError, match="block: expected 9, that of the file, got 8"):
        empirical_kernel(NET, X, out=path, **{**OPTIONS, "block": 8})
    for name, reason in (
        ("K.txt", r"out: expected a \.npy file"),
        ("no/K.npy", "out: expected a file in an existing folder"),
    ):
        with pytest.raises(ValueError, match=reason):
            empirical_kernel(NET, X, out=tmp_path / name, **OPTIONS)


def test_a_changed_file_is_no_kernel(tmp_path, stop_after, monkeypatch):
    path, partial = tmp_path / "K.npy", tmp_path / "K.npy.partial"
    with monkeypatch.context():
        stop_after(3)
        with pytest.raises(Stopped):
            empirical_kernel(NET, X, out=path, **OPTIONS)
    monkeypatch.undo()
    kept = partial.read_bytes()
    partial.write_bytes(kept[:200])
    with pytest.raises(ValueError, match="out: expected the kernel in"):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    with partial.open("wb") as file:
        np.save(file, np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"out: expected float64 of shape \(50, 50\) in"):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    partial.unlink()  # a count without a file is worth nothing
    found = empirical_kernel(NET, X, out=path, **OPTIONS)
    np.testing.assert_array_equal(found.values, empirical_kernel(NET, X, **OPTIONS).values)


def test_a_count_never_meets_another_file(tmp_path, stop_after, monkeypatch):
    """A file that is begun anew, by a process that ends before it has said so."""

    def stop(_):
        raise Stopped

    path, partial = tmp_path / "K.npy", tmp_path / "K.npy.partial"
    whole = empirical_kernel(NET, X, **OPTIONS).values
    stop_after(3)
    with pytest.raises(Stopped):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    partial.unlink()
    monkeypatch.undo()
    monkeypatch.setattr(files.KernelFile, "save", stop)
    with pytest.raises(Stopped):
        empirical_kernel(NET, X, out=path, **OPTIONS)
    monkeypatch.undo()
    np.testing.assert_array_equal(empirical_kernel(NET, X, out=path, **OPTIONS).values, whole)


def test_two_at_once_and_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "K.npy"
    with (tmp_path / "K.npy.partial").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match=r"out: expected a file of one's own, got .* another process is writing"):
            empirical_kernel(NET, X, out=path, **OPTIONS)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(ValueError, match="out: expected room for 20000 bytes"):
        empirical_kernel(NET, X, out=path, **OPTIONS)


def test_the_plan_says_beforehand_what_it_takes(tmp_path):
    planned = plan_kernel(NET, X, outputs="full", out=tmp_path / "K.npy", width=12, block=9)
    assert (planned.stored, planned.blocks, planned.rows) == (8 * 100 * 100, BLOCKS, 9)
    assert planned.shape == (2, 50, 2, 50)
    assert "kernel 2 × 50 × 2 × 50, float64" in str(planned)
    assert not list(tmp_path.iterdir())
    in_memory = plan_kernel(NET, X, outputs="full", width=12, block=9)
    assert in_memory.bytes == planned.bytes + planned.stored
    found = empirical_kernel(NET, X, outputs="full", out=tmp_path / "K.npy", **OPTIONS)
    assert found.plan == planned
    assert found.provenance["plan"] == planned.to_dict()
    json.dumps(found.provenance)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(capsys):
    stream = io.StringIO()
    progress = Progress(100, 20, True, "what it takes", every=0.0, stream=stream)
    assert stream.getvalue() == ""  # a quick one says nothing
    progress.update(40)
    progress.update(40)
    progress.close()
    assert stream.getvalue().splitlines()[0] == "what it takes"
    assert [line.rpartition(",")[0] for line in stream.getvalue().splitlines()[1:]] == ["kernel: 60%", "kernel: 100%"]
    shown, hidden = Terminal(), Terminal()
    for stream, show in ((shown, True), (hidden, False)):
        progress = Progress(100, 20, show, "what it takes", stream=stream)
        progress.update(80)
        progress.close()
    assert "what it takes\n" in shown.getvalue()
    assert "kernel 100%|" in shown.getvalue()
    assert hidden.getvalue() == ""
    empirical_kernel(NET, X, width=12)
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_kernel_of_a_module_goes_on_bit_for_bit(tmp_path, monkeypatch, stop_after):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 9), nn.LayerNorm(9), nn.Tanh(), nn.Linear(9, 2)).double().eval()
    others, asked = X[:21] + 1, {"outputs": "full", "block": 9, "progress": False}
    whole = empirical_kernel(model, X, others, **asked)
    stop_after(5)
    with pytest.raises(Stopped):
        empirical_kernel(model, X, others, out=tmp_path / "K.npy", **asked)
    monkeypatch.undo()
    found = empirical_kernel(model, X, others, out=tmp_path / "K.npy", **asked)
    np.testing.assert_array_equal(found.values, whole.values)


def test_what_is_finished_needs_no_memory(tmp_path):
    found = empirical_kernel(NET, X, out=tmp_path / "K.npy", **OPTIONS)
    again = empirical_kernel(NET, X, out=tmp_path / "K.npy", memory=1, **OPTIONS)
    np.testing.assert_array_equal(again.values, found.values)


@pytest.mark.parametrize("outputs", ["sum", "each", "full"])
@pytest.mark.parametrize("share", [1.0, 0.9])
def test_no_more_memory_is_taken_than_was_said(outputs, share):
    """As Python's own count of NumPy's arrays has it."""
    x = np.random.default_rng(0).standard_normal((300, 100))
    net, asked = Network(3, "tanh", 2.0, 0.3, outputs=4), {"outputs": outputs, "width": 100, "block": 20}
    planned = plan_kernel(net, x, **asked)
    planned = plan_kernel(net, x, memory=int(share * planned.bytes), **asked)
    tracemalloc.start()
    empirical_kernel(net, x, memory=planned.bytes, progress=False, **asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.4 * planned.bytes < peak < planned.bytes


def test_no_room_on_the_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    network, x = Network(2, "tanh", 1.0), np.random.default_rng(1).standard_normal((5, 4))
    with pytest.raises(ValueError, match=r"^out: expected room for the kernel in .*No space left"):
        empirical_kernel(network, x, width=4, out=tmp_path / "K.npy")
    assert not (tmp_path / "K.npy").exists()
    assert not (tmp_path / "K.npy.partial").exists()

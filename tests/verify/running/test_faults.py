"""Faults of the machine around a sweep: full disks, read-only folders. See docs/faults.md for the whole table."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from verify.asking.records import Sample, Trial
from verify.cli import main
from verify.keeping.store import Store, StoreError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts as Linux has them")


def trials(cell, numbers, size: int) -> list[Trial]:
    spectrum = np.arange(size, dtype=float)
    sample = Sample(1.0, 1.0, 1.0, (1.0,), 1, spectrum)
    return [Trial(cell.key, n, "done", samples={m.label: sample for m in cell.metrics}) for n in numbers]


FULL_DISK = """
import resource, signal, sys
from verify.keeping.store import Store, StoreError
from verify.asking.sweep import Sweep
sys.path.insert(0, {here!r})
from test_faults import trials
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
sweep = Sweep.from_json({sweep!r})
with Store.create({path!r}, sweep) as store:
    for n in range(100):
        try:
            store.append(trials(sweep.cells()[0], [n], 1000))
        except StoreError as error:
            print(n, error)
            break
"""


def test_a_full_disk_is_a_clear_line_and_loses_nothing_that_was_acknowledged(tmp_path, make_sweep) -> None:
    """A limit on file sizes (a quota) stands in for the disk's end."""
    path, sweep = tmp_path / "a.sqlite", make_sweep(100)
    text = FULL_DISK.format(here=str(Path(__file__).parent), sweep=sweep.to_json(), path=str(path))
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    acknowledged, message = ended.stdout.strip().split(" ", 1)
    assert int(acknowledged) > 10
    assert message.startswith(f"store: expected a usable file, got {path} (")
    assert len(ended.stdout.splitlines()) == 1
    with Store.create(path, sweep) as store:
        assert store.counts()["done"] == int(acknowledged)
        store.append(trials(sweep.cells()[0], range(int(acknowledged), 100), 1000))
        assert store.counts()["done"] == 100


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 1 MB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_file_system_too(tiny_disk, make_sweep) -> None:
    path, sweep, acknowledged = tiny_disk / "a.sqlite", make_sweep(100), 0
    filler = tiny_disk / "filler"
    filler.write_bytes(bytes(500_000))
    with Store.create(path, sweep) as store:
        message = ""
        for n in range(100):
            try:
                store.append(trials(sweep.cells()[0], [n], 1000))
            except StoreError as error:
                message = str(error)
                break
            acknowledged = n + 1
        assert message.startswith(f"store: expected a usable file, got {path} (")
        assert acknowledged > 0
        assert store.counts()["done"] == acknowledged
    filler.unlink()
    with Store.create(path, sweep) as store:
        assert store.counts()["done"] == acknowledged
        store.append(trials(sweep.cells()[0], [acknowledged], 1000))
        assert store.counts()["done"] == acknowledged + 1


def test_a_read_only_file_system_can_be_read_and_not_written(tiny_disk, make_sweep, capsys) -> None:
    path, sweep = tiny_disk / "a.sqlite", make_sweep(3)
    with Store.create(path, sweep) as store:
        store.append(trials(sweep.cells()[0], range(3), 10))
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert main(["status", str(path)]) == 0
    assert "3 done" in capsys.readouterr().out
    with Store.open(path) as store:
        assert len(list(store.trials())) == 3
    for target in (path, tiny_disk / "new.sqlite", tiny_disk / "sub" / "new.sqlite"):
        with pytest.raises(StoreError, match=r"store: expected .*, got"):
            Store.create(target, sweep)
    assert sorted(os.listdir(tiny_disk)) == ["a.sqlite", "a.sqlite.lock"]


KILLED = """
import os, sys
from verify.keeping.store import Store
from verify.asking.sweep import Sweep
sys.path.insert(0, {here!r})
from test_faults import trials
sweep = Sweep.from_json({sweep!r})
store = Store.create({path!r}, sweep)
store.append(trials(sweep.cells()[0], range(3), 10))
os._exit(9)
"""


def test_a_log_that_cannot_be_folded_in_is_named_and_nothing_is_read_without_it(tiny_disk, make_sweep, capsys) -> None:
    path, sweep = tiny_disk / "a.sqlite", make_sweep(3)
    text = KILLED.format(here=str(Path(__file__).parent), sweep=sweep.to_json(), path=str(path))
    assert subprocess.run([sys.executable, "-c", text]).returncode == 9
    (tiny_disk / "a.sqlite-shm").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert main(["status", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "store: expected a folder that can be written, got" in line
    assert "a.sqlite-wal" in line
    subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
    assert main(["status", str(path)]) == 0
    assert "3 done" in capsys.readouterr().out


def test_a_finished_store_is_whole_even_if_somebody_has_it_open(tiny_disk, tmp_path, make_sweep) -> None:
    path, sweep = tiny_disk / "a.sqlite", make_sweep(3)
    writer = Store.create(path, sweep)
    writer.append(trials(sweep.cells()[0], range(3), 10))
    with Store.open(path) as reader:
        assert reader.counts()["done"] == 3
        writer.close()
        shutil.copy(path, tmp_path / "copy.sqlite")
    with Store.open(tmp_path / "copy.sqlite") as store:
        assert len(list(store.trials())) == 3
    for name in ("a.sqlite-wal", "a.sqlite-shm"):
        (tiny_disk / name).unlink(missing_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with Store.open(path) as store:
        assert len(list(store.trials())) == 3


NO_SHARED_MEMORY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static int is_shm(int fd) {
    char link[64], name[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name);
    return n > 4 && !strncmp(name + n - 4, "-shm", 4);
}
void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "mmap");
    if (fd >= 0 && (flags & MAP_SHARED) && is_shm(fd)) { errno = ENODEV; return MAP_FAILED; }
    return real(at, size, prot, flags, fd, offset);
}
void *mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset) {
    return mmap(at, size, prot, flags, fd, offset);
}
"""

WITHOUT_LOG = """
import sys
from verify.keeping.store import Store
from verify.asking.sweep import Sweep
sys.path.insert(0, {here!r})
from test_faults import trials
sweep = Sweep.from_json({sweep!r})
with Store.create({path!r}, sweep) as store:
    store.append(trials(sweep.cells()[0], range(3), 10))
    with Store.open({path!r}) as reader:
        print(*store.durability(), len(list(reader.trials())))
"""


def test_where_there_is_no_write_ahead_log_the_other_journal_serves(tmp_path, make_sweep) -> None:
    """On a file system whose files can't be shared memory, as some network and FUSE file systems: mmap is made to say
    so. SQLite answers "wal" there all the same, and fails at the first use."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "shim.c").write_text(NO_SHARED_MEMORY)
    shim = tmp_path / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "shim.c", "-ldl"], check=True)
    path, sweep = tmp_path / "a.sqlite", make_sweep(3)
    text = WITHOUT_LOG.format(here=str(Path(__file__).parent), sweep=sweep.to_json(), path=str(path))
    environment = {**os.environ, "LD_PRELOAD": str(shim)}
    ended = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("delete full 3\n", "")
    with Store.create(path, sweep) as store:
        assert store.durability() == ("wal", "normal")
        assert store.counts()["done"] == 3
    assert not list(tmp_path.glob(".*"))

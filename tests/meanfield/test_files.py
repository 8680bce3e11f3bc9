"""A file is written whole or not at all, and never over what is somebody else's."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from meanfield.figures.saving import canvas, is_picture
from meanfield.files import free, usable_folder, whole_file, whole_files


def write(path: Path, text: str = "new", **options) -> None:
    with whole_file("out", path, **options) as partial:
        partial.write_text(text)


def database(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    return path.read_bytes()


def test_a_new_file_is_there_when_it_is_whole(tmp_path) -> None:
    with whole_file("out", tmp_path / "a") as partial:
        partial.write_text("new")
        assert not (tmp_path / "a").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_what_is_there_stays_unless_it_is_ours_or_given_up(tmp_path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"^out: expected the name of a new file, got '.*a'"):
        write(path)
    assert path.read_text() == "old"
    write(path, ours=lambda p: p.read_text() == "old")
    write(path, "newer", force=True)
    assert path.read_text() == "newer"


def test_a_database_stays_in_any_case(tmp_path) -> None:
    before = database(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"^out: expected the name of a new file, got a store"):
        write(tmp_path / "a.csv", force=True, ours=lambda _: True)
    assert (tmp_path / "a.csv").read_bytes() == before


@pytest.mark.parametrize("kind", ["folder", "pipe", "no folder", "long name", "link", "loop"])
def test_what_can_be_no_file_is_refused_and_left(tmp_path, kind) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":  # to a file elsewhere, which is not there yet
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path = tmp_path / "b" / "a" if kind == "no folder" else tmp_path / ("a" * 300)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=r"^out: expected .*, got '"):
        write(path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt(), ZeroDivisionError()])
def test_after_an_error_nothing_is_left(tmp_path, error) -> None:
    def fail() -> None:
        with whole_file("out", tmp_path / "a") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises((ValueError, KeyboardInterrupt, ZeroDivisionError)):
        fail()
    assert not list(tmp_path.iterdir())


def test_many_files_come_together_or_not_at_all(tmp_path, monkeypatch) -> None:
    texts = {"figures/a.svg": "a", "b.txt": "b"}
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if data == b"b":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ValueError, match=r"^out: .*No space left"):
            whole_files("out", tmp_path / "new" / "r", texts)
    assert not list(tmp_path.iterdir())
    whole_files("out", tmp_path / "r", texts)
    assert sorted(p.name for p in (tmp_path / "r").rglob("*")) == ["a.svg", "b.txt", "figures"]


def test_a_folder_is_tried_out_and_left_as_it_was(tmp_path) -> None:
    usable_folder("out", tmp_path / "a" / "b", "figures")
    assert not list(tmp_path.iterdir())
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "figures").symlink_to(tmp_path)
    for folder, words in ((tmp_path / "r", "without links"), (Path("/proc/r"), "that can be written")):
        with pytest.raises(ValueError, match=f"^out: expected a folder {words}, got"):
            usable_folder("out", folder, "figures")


def test_a_figure_may_be_drawn_anew_and_over_nothing_else(tmp_path) -> None:
    for suffix in ("svg", "png", "pdf"):
        with canvas((1, 1), tmp_path / f"a.{suffix}"):
            pass
        assert free("plot", tmp_path / f"a.{suffix}", ours=is_picture)
    (tmp_path / "mine.svg").write_text("<svg>drawn by hand</svg>")
    with pytest.raises(ValueError, match=r"^plot: expected the name of a new file"):
        free("plot", tmp_path / "mine.svg", ours=is_picture)

"""Samples in users' files: read as they are, or refused in one line that says where."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield.reading import read_inputs

X = np.array([[1.5, -2.0, 3e-4], [0.1, 7.0, -1e12]])


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "<i8", "?"])
def test_an_array_comes_back_as_float64(tmp_path, kind) -> None:
    np.save(tmp_path / "x.npy", X.astype(kind))
    found = read_inputs(tmp_path / "x.npy")
    assert found.dtype == np.float64
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, X.astype(kind).astype(float))


@pytest.mark.parametrize("header", ["", "a,b,c\n", '"a, b",1,c\n'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_the_array_it_was_written_from(tmp_path, header, end, mark) -> None:
    rows = end.join(",".join(map(repr, row)) for row in X.tolist())
    (tmp_path / "x.CSV").write_bytes((mark + header + rows + end + end).encode())
    np.testing.assert_array_equal(read_inputs(str(tmp_path / "x.CSV")), X)


def test_quoted_numbers_and_a_single_column(tmp_path) -> None:
    (tmp_path / "x.csv").write_text('"1.5"\n"2"\n')
    np.testing.assert_array_equal(read_inputs(tmp_path / "x.csv"), [[1.5], [2.0]])


REFUSED = [
    ("", "no lines with numbers"),
    ("\n\n", "no lines with numbers"),
    ("a,b\n", r"'a' in line 1, column 1\)"),
    ("a,b\n1,2\n3,red\n", r"'red' in line 3, column 2 \(b\)"),
    ("a,b\nred,2\n", r"'red' in line 2, column 1 \(a\)"),
    ("1,2\n3,\n", r"'' in line 2, column 2\)"),
    ("1,2\n3,1_0\n", r"'1_0' in line 2, column 2\)"),
    ("1,2\n3\n", "1 cells in line 2, 2 before"),
    ("a,b\n1,2,3\n", "3 cells in line 2, 2 before"),
    (",a\n0,1\n", "no name for column 1"),
    ("1;2\n3;4\n", r"'1;2' in line 1"),
    ("1,2\n3,nan\n", "expected finite numbers in .*, got nan in sample 2, column 2, 1 such in all"),
    ("a\n1\n-inf\ninf\n", "got -inf in sample 2, column 1, 2 such"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_table_of_something_else_is_refused_with_the_place(tmp_path, text, reason) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=reason) as error:
        read_inputs(tmp_path / "x.csv")
    assert str(error.value).startswith("inputs: expected ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(3), r"expected shape \(N, d\) .*got \(3,\)"),
        (np.zeros((0, 3)), r"got \(0, 3\)"),
        (np.zeros((2, 2, 2)), r"got \(2, 2, 2\)"),
        (np.zeros((2, 2), complex), "expected real numbers in .*got complex128"),
        (np.array([["a", "b"]]), "expected real numbers in .*got <U1"),
        (np.array([[1.0, np.nan]]), "got nan in sample 1, column 2"),
    ],
)
def test_another_array_is_refused(tmp_path, array, reason) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=reason):
        read_inputs(tmp_path / "x.npy", field="X")


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.txt"])
def test_no_file_and_another_kind(tmp_path, name) -> None:
    with pytest.raises(ValueError, match=r"^inputs: expected a .*x\."):
        read_inputs(tmp_path / name)


def test_bytes_that_are_no_text(tmp_path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"inputs: expected a \.csv file of numbers"):
        read_inputs(tmp_path / "x.csv")


def test_columns_that_are_counted_are_no_sample(tmp_path) -> None:
    """What pandas writes above columns without names, with index=False."""
    rows = np.random.default_rng(2).standard_normal((4, 5))
    path = tmp_path / "x.csv"
    np.savetxt(path, rows, delimiter=",", header="0,1,2,3,4", comments="")
    np.testing.assert_allclose(read_inputs(path), rows)
    path.write_text("0,1\n1,0\n")
    assert read_inputs(path).shape == (2, 2)  # of two columns it may be a sample

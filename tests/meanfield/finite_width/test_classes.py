"""Every index table against sums over explicit labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from meanfield.finite_width import classes as c


@pytest.fixture
def values():
    return np.random.default_rng(1).standard_normal(len(c.CLASSES))


def full(values, samples):
    """The tensor over ``samples`` labels that a class vector stands for."""
    tensor = np.empty((samples,) * 4)
    for labels in itertools.product(range(samples), repeat=4):
        tensor[labels] = values[c.class_of(*labels)]
    return tensor


def test_classes_are_the_set_partitions_of_four():
    assert len(c.CLASSES) == 15
    assert len({c.class_of(*x) for x in itertools.product(range(4), repeat=4)}) == 15
    assert c.class_of(7, 3, 7, 7) == c.class_of(0, 1, 0, 0)
    assert c.class_of(0, 1, 0, 1) != c.class_of(0, 1, 1, 0)


def test_renamed_positions(values):
    tensor = full(values, 4)
    for index, labels in enumerate(c.CLASSES):
        s, t, p, q = labels
        assert values[c.SWAPPED][index] == tensor[s, t, q, p]
        assert values[c.EXCHANGED][index] == tensor[p, q, s, t]


def test_kinds_of_pairs():
    of_pair = np.array([2.0, 3.0])
    matrix = np.where(np.eye(4), *of_pair)
    for index, (s, t, p, q) in enumerate(c.CLASSES):
        assert of_pair[c.FIRST][index] == matrix[s, t]
        assert of_pair[c.SECOND][index] == matrix[p, q]
        assert [x[index] for x in c.crossed(of_pair)] == [matrix[s, p], matrix[t, q]]


def test_linear_maps_of_pairs(values):
    """Σ_ij g_i g'_j G(q_i; q_j) over the arguments q_ss, q_tt, q_st of both pairs."""
    tensor, first, second = full(values, 4), [0.3, -1.2, 2.0], [1.5, 0.4, -0.7]
    mapped = np.einsum("i,j,cij->c", first, second, c.moved(values))
    for index, (s, t, p, q) in enumerate(c.CLASSES):
        wanted = sum(
            a * b * tensor[(*x, *y)]
            for a, x in zip(first, [(s, s), (t, t), (s, t)], strict=True)
            for b, y in zip(second, [(p, p), (q, q), (p, q)], strict=True)
        )
        assert mapped[index] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("samples", [1, 2, 3, 6])
@pytest.mark.parametrize("pattern", ["st,pq", "st,st", "st,sq", "st,pt"])
def test_sums_over_samples(values, pattern, samples):
    tensor, letters = full(values, samples), pattern.replace(",", "")
    free = "".join(dict.fromkeys(letters))
    names = (dict(zip(free, x, strict=True)) for x in itertools.product(range(samples), repeat=len(free)))
    wanted = sum(tensor[tuple(at[x] for x in letters)] for at in names)
    assert c.occurrences(pattern, float(samples)) @ values == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("samples", [2, 3, 7])
def test_given_covariances_are_averages_over_labels(samples):
    d = np.random.default_rng(2).standard_normal((samples, samples))
    off = ~np.eye(samples, dtype=bool)
    d = np.where(off, d + d.T, 0)
    d = np.where(off, d - d[off].mean(), 0)
    found = c.given_covariance(d)
    for index, (s, t, p, q) in enumerate(c.CLASSES):
        places = list(itertools.permutations(range(samples), max(s, t, p, q) + 1))
        wanted = np.mean([d[x[s], x[t]] * d[x[p], x[q]] for x in places]) if places else 0
        assert found[index] == pytest.approx(wanted, abs=1e-12)

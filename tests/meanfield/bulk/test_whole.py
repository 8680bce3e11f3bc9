"""The whole spectrum: closed forms, an independent recursion, another implementation, and networks by autograd."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanfield import (
    FIM,
    NTK,
    InputMetric,
    Network,
    OrderParameters,
    SpectralDensity,
    order_parameters,
    predict,
    spectrum,
)
from meanfield.bulk.giant_outliers import _ordered, _semicircle
from meanfield.gaussian.conditional import conditional_moments
from meanfield.spec import Linear, Metric
from meanfield.spec.activations import as_activation

TANH = Network(3, "tanh", 3.0, 0.64)
PROTOTYPE = json.loads((Path(__file__).parents[2] / "data" / "bulk_prototype.json").read_text())


def integral(law: SpectralDensity, power: int) -> float:
    """∫ x^power dμ by the density, on every interval of the support."""
    ends = [e.position for e in law.edges if e.kind != "atom"]
    total = 0.0
    for a, b in zip(ends[::2], ends[1::2], strict=True):
        theta = np.linspace(0, np.pi / 2, 801)[1:-1]  # the trapezoidal rule: both ends vanish
        x = a + (b - a) * np.sin(theta) ** 2
        total += float(np.sum(x**power * law.density(x) * (b - a) * np.sin(2 * theta)) * np.pi / 1600)
    return total


class TestMarchenkoPastur:
    """One layer: the law of X Xᵀ."""

    @pytest.mark.parametrize("ratio", [0.2, 0.5, 2.0, 5.0, 100.0, 3000.0])
    def test_edges(self, ratio: float) -> None:
        law = spectrum(Network(1, "linear", 1.0, 0.0), NTK(), width=200, samples=int(200 * ratio))
        edges = [e.position for e in law.edges if e.kind != "atom"]
        np.testing.assert_allclose(edges, [(1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2], rtol=1e-8)
        assert law.atom == pytest.approx(max(0.0, 1 - 1 / ratio), abs=1e-15)
        assert law.status == "ok"

    def test_density_and_stieltjes_transform(self) -> None:
        ratio = 0.5
        law = spectrum(Network(1, "linear", 1.0, 0.0), NTK(), width=200, samples=100)
        a, b = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
        x = np.linspace(a, b, 52)[1:-1]
        np.testing.assert_allclose(law.density(x), np.sqrt((b - x) * (x - a)) / (2 * np.pi * ratio * x), rtol=1e-7)
        z = np.array([0.3 + 0.2j, 1.0 - 0.4j, 4.0 + 0j, -1.0 + 0j])
        p = law.stieltjes(z)
        np.testing.assert_allclose(ratio * z * p**2 + (z + ratio - 1) * p + 1, 0, atol=1e-8)
        assert np.all(p.imag[[0]] > 0)
        assert np.all(p.imag[[1]] < 0)

    def test_other_inputs(self) -> None:
        """Half of the inputs' variance in a tenth of the directions: the second moment is 1 + ρ E[λ²]."""
        values = np.concatenate([np.full(20, 5.0), np.full(180, 5 / 9)])
        law = spectrum(Network(1, "linear", 1.0, 0.0), NTK(), width=200, samples=100, input_spectrum=values)
        assert law.moments(2)[1] == pytest.approx(1 + 0.5 * np.mean(values**2), rel=1e-12)
        x = np.random.default_rng(3).standard_normal((40, 100, 200)) * np.sqrt(values)
        measured = np.sort(np.linalg.eigvalsh(x @ x.swapaxes(1, 2) / 200).ravel())
        assert np.abs(law.cdf(measured) - (np.arange(4000) + 0.5) / 4000).max() < 0.01


class TestMoments:
    @pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus", "abs"])
    @pytest.mark.parametrize("metric", [FIM(), NTK(), FIM(layer=1), NTK(layer=2), FIM(centered=True)])
    def test_first_is_the_gap_of_the_kernel(self, activation: str, metric: Metric) -> None:
        network = Network(3, activation, [1.5, 2.0, 0.7], [0.3, 0.1, 0.2], outputs=2, width_ratios=[1, 2, 0.5])
        law = spectrum(network, metric, width=200, samples=100)
        assert law.moments(1)[0] == pytest.approx(law.mean, rel=1e-10)
        row = predict(network, type(metric)(layer=metric.layer), width=200, samples=100)
        outlier = float(row.outliers[0])
        # K₁ - K₂ from the trace and the outlier of the two-value kernel.
        trace = float(row.mean * row.dimension) / network.outputs
        if math.isfinite(outlier):
            assert law.mean == pytest.approx((trace - outlier) / 99, rel=1e-9)

    @pytest.mark.parametrize("network", [TANH, Network(4, "relu", 2.0, 0.1), Network(2, "tanh", 2.0)])
    def test_density_has_the_moments(self, network: Network) -> None:
        law = spectrum(network, FIM(), width=300, samples=200)
        expected = [1.0, *law.moments(3)]
        np.testing.assert_allclose([integral(law, k) for k in range(4)], expected, rtol=1e-5)
        assert law.mass_error < 1e-6

    def test_stieltjes_transform_has_the_moments(self) -> None:
        law = spectrum(TANH, FIM(), width=300, samples=200)
        z = 50j * law.upper
        series = -sum(m / z ** (k + 1) for k, m in enumerate([1.0, *law.moments(4)]))
        assert law.stieltjes(z) == pytest.approx(series, rel=1e-6)


class TestLinear:
    @pytest.mark.parametrize("depth", [1, 2, 4])
    @pytest.mark.parametrize("ratio", [0.5, 2.0, 4.0])
    def test_atom(self, depth: int, ratio: float) -> None:
        law = spectrum(Network(depth, "linear", 1.0, 0.1), FIM(), width=100, samples=int(100 * ratio))
        assert law.atom == max(0.0, 1 - 1 / ratio)
        assert law.cdf(0.0) == pytest.approx(law.atom, abs=1e-12)
        assert law.edges[0].kind == ("atom" if ratio > 1 else "limit")

    def test_square_case_reaches_zero(self) -> None:
        law = spectrum(Network(3, "linear", 1.0, 0.1), FIM(), width=100, samples=100)
        assert law.lower == pytest.approx(0, abs=1e-10)
        assert law.mass_error < 1e-4

    def test_last_block_of_a_bottleneck(self) -> None:
        """The features of the last layer have the rank of the narrowest layer below."""
        network = Network(3, "linear", 1.0, 0.1, width_ratios=[1, 0.5, 1])
        assert spectrum(network, FIM(layer=3), width=100, samples=80).atom == pytest.approx(1 - 50 / 80)
        nonlinear = Network(3, ["tanh", "linear"], 1.0, 0.1, width_ratios=[0.2, 0.5, 1])
        assert spectrum(nonlinear, FIM(layer=3), width=100, samples=80).atom == pytest.approx(1 - 50 / 80)


def fan_wang(network: Network, ratio: float, z: complex) -> complex:
    """Stieltjes transform of the NTK of a centred network: Fan and Wang (2020), Theorem 3.7, by nested iteration.

    n⁻¹ Tr (a I + Σ_l x_l X_lᵀX_l)⁻¹ is reduced layer by layer: given the layers below, X_ℓ has independent rows with
    covariance Φ = b² X_{ℓ-1}ᵀX_{ℓ-1} + e I, so x_ℓ X_ℓᵀX_ℓ acts as Φ/s with s = 1/x_ℓ + γ n⁻¹ Tr (...)⁻¹ Φ.
    """
    op = order_parameters(network)
    slopes, excess = [], []
    for l, activation in enumerate(network.activation):
        f = conditional_moments(as_activation(activation), float(op.q[l]), float(op.q[l]))
        b2 = network.weight_variance[l] * float(f.slope[0]) ** 2
        slopes.append(b2)
        excess.append(float(f.square[0]) - float(op.q[l]) * float(f.slope[0]) ** 2)

    def traces(level: int, a: complex, x: tuple[complex, ...], s: complex | None = None) -> tuple[complex, complex]:
        """n⁻¹ Tr of the inverse, and of the inverse times X_levelᵀX_level."""
        b2, e = (slopes[level - 1], excess[level - 1]) if level else (0.0, 1.0)
        s = 1 / x[level] + ratio / a
        for _ in range(2000):
            if level:
                one, features = traces(level - 1, a + e / s, (*x[: level - 1], x[level - 1] + b2 / s))
            else:
                one, features = 1 / (a + 1 / s), 0.0
            new = 1 / x[level] + ratio * (e * one + b2 * features)
            if abs(new - s) < 1e-12 * abs(s):
                break
            s = (s + new) / 2
        return one, (1 - 1 / (x[level] * s)) / (ratio * x[level])

    w = network.weight_variance
    weights = tuple(complex(w[l] * op.backward_st[l]) for l in range(network.depth))
    ridge = sum(w[l] * (op.backward[l] - op.backward_st[l]) * op.forward[l] for l in range(network.depth))
    return traces(network.depth - 1, ridge - z, weights)[0]


@pytest.mark.parametrize(("activation", "depth"), [("erf", 2), ("tanh", 3)])
def test_centred_networks_are_fan_and_wangs(activation: str, depth: int) -> None:
    network = Network(depth, activation, 1.8)
    law = spectrum(network, NTK(), width=300, samples=240, finite_size=False)
    for share, height in ((0.2, 0.3), (0.5, 0.1), (0.9, 0.3)):
        z = complex(law.lower + share * (law.upper - law.lower), height * law.mean)
        assert law.stieltjes(z) == pytest.approx(fan_wang(network, 0.8, z), rel=1e-7)
    assert len(law.outliers.values) == 0
    assert [e.kind for e in law.edges] == ["limit", "limit"]
    assert any("spectrum" in w for w in predict(network, NTK(), width=300, samples=240).warnings)


@pytest.mark.parametrize("row", PROTOTYPE, ids=lambda r: f"{r['activation']}-{r['depth']}-{r['samples']}-{r['metric']}")
def test_agrees_with_the_prototype(row: dict[str, Any]) -> None:
    network = Network(row["depth"], row["activation"], row["weight_variance"], row["bias_variance"], row["outputs"])
    finite = row["outputs"] == 1
    law = spectrum(network, row["metric"], width=row["width"], samples=row["samples"], finite_size=finite)
    np.testing.assert_allclose(law.cdf(row["quantiles"]), row["shares"], atol=1e-3)
    # The prototype's nodes of z go out to neurons rarer than one in M, which moves the ends of unbounded bulks.
    tolerance = {"limit": 1e-3, "width-M": 1e-2, "atom": 0.0}
    for edge, expected in zip(law.edges, row["edges"], strict=True):
        assert edge.position == pytest.approx(expected, rel=tolerance[edge.kind], abs=1e-4 * law.mean)


CASES = [
    ("tanh", [120, 120, 120], 100, 1, FIM()),
    ("tanh", [120, 120, 120], 100, 1, FIM(layer=2)),
    ("tanh", [120, 120, 120], 100, 1, NTK(centered=True)),
    ("relu", [120, 180, 90], 150, 1, NTK()),
    ("relu", [120, 180, 90], 150, 1, FIM(layer=3)),
    ("softplus", [120, 120, 120], 60, 2, FIM()),
]


@pytest.mark.parametrize(("activation", "widths", "samples", "outputs", "metric"), CASES)
def test_random_networks(
    draw: Callable[..., Any], activation: str, widths: list[int], samples: int, outputs: int, metric: Metric
) -> None:
    """Six networks by autograd, each scaled to the law's mean: the mean of their distribution functions.

    Without the finite-size error the distance would be a few times 1/(C N); that error is of order 1/M.
    """
    sw2, sb2 = 2.0, 0.2
    networks = draw(17, 6, activation, [*widths, outputs], sw2, sb2, samples)
    dual = networks.dual(metric.family, metric.layer, centered=metric.centered)
    ratios = [w / 120 for w in widths]
    network = Network(3, activation, sw2, sb2, outputs=outputs, width_ratios=ratios)
    law = spectrum(network, metric, width=120, samples=samples)
    eigenvalues = np.linalg.eigvalsh(dual)
    assert all(law.distance(np.maximum(e, 0)[e > 1e-9 * e[-1]], normalised=True) < 0.12 for e in eigenvalues)
    bulk = eigenvalues[:, outputs if metric.centered else 0 : None if metric.centered else -outputs]
    bulk = np.where(bulk < 1e-9 * eigenvalues[:, -1:], 0.0, bulk)
    assert bulk.mean() == pytest.approx(law.mean, rel=0.1)
    bulk = bulk * (law.mean / bulk.mean(axis=1, keepdims=True))
    shares = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    points = law.quantile(shares + law.atom * (1 - shares))
    measured = np.mean(bulk[:, :, None] <= points, axis=(0, 1))
    np.testing.assert_allclose(measured, law.cdf(points), atol=5 / 120)
    if not metric.centered:
        outliers = eigenvalues[:, -outputs:].mean()
        spread = law.outliers.std.max() / math.sqrt(6)
        assert abs(outliers - law.outliers.values.mean()) < 3.5 * spread + 0.03 * outliers


def test_kernels_of_one_network() -> None:
    """The same kernels give the same law; other ones another."""
    mean = spectrum(TANH, FIM(), width=300, samples=200)
    same = spectrum(TANH, FIM(), width=300, samples=200, kernels=order_parameters(TANH))
    assert same.edges == mean.edges
    other = order_parameters(Network(3, "tanh", 3.3, 0.64))
    assert spectrum(TANH, FIM(), width=300, samples=200, kernels=other).mean > 1.05 * mean.mean


def test_mean_is_the_laws_own() -> None:
    """With the kernels of a network, too: K₁ - K₂ takes its slopes, the law's neurons those of its variances."""
    for kernels in (None, order_parameters(Network(3, "tanh", 3.3, 0.64))):
        law = spectrum(TANH, FIM(), width=300, samples=200, kernels=kernels)
        assert law.mean == pytest.approx(law.moments(1)[0], rel=1e-10)


def test_unresolved_neurons_are_not_ok() -> None:
    law = spectrum(Network(3, "exp", 1.0, 0.2), FIM(), width=100, samples=50)
    assert "averages over the neurons" in law.status


def test_quantile_inverts_cdf() -> None:
    for network, samples in ((TANH, 200), (Network(2, "linear", 1.0, 0.1), 600), (Network(3, "relu", 2.0, 0.1), 1500)):
        law = spectrum(network, FIM(), width=300, samples=samples)
        p = np.linspace(law.atom, 1, 12)[1:-1]
        np.testing.assert_allclose(law.cdf(law.quantile(p)), p, atol=1e-7)
        assert law.quantile(1.0) == pytest.approx(law.upper)
        assert law.density(law.upper * 1.01) == 0 == law.density(-1.0)


def test_gap_of_the_support() -> None:
    """Few inputs: the noise's eigenvalues and those of the M_0 signals are apart."""
    law = spectrum(Network(3, "tanh", 3.0, 0.64, width_ratios=[0.1, 1, 1]), FIM(), width=600, samples=600)
    ends = [e.position for e in law.edges]
    assert len(ends) == 4
    assert law.density((ends[1] + ends[2]) / 2) == 0
    assert law.cdf(ends[1]) == law.cdf(ends[2]) == pytest.approx(0.9, abs=0.02)
    assert law.mass_error < 1e-6
    assert any("M_0 << N" in w for w in law.warnings)


def test_mass_on_both_sides_of_a_gap(draw: Callable[..., Any]) -> None:
    """Below a gap the density is not the real branch of above it: Σ and Σ² of what is integrated, and real networks."""
    network = Network(3, "relu", 0.5, 1.0)
    law = spectrum(network, FIM(), width=1000, samples=500)
    ends = [e.position for e in law.edges]
    assert len(ends) == 4
    assert law.status == "ok"
    assert law.mass_error < 1e-6
    assert law.density((ends[1] + ends[2]) / 2) == 0
    masses = [law.cdf(ends[1]), 1 - law.cdf(ends[2])]
    assert masses[0] > 0.99
    assert masses[1] > 1e-5
    assert [integral(law, k) for k in (0, 1, 2)] == pytest.approx([1.0, *law.moments(2)], rel=1e-5)
    for end, inwards in ((ends[1], -1e-6), (ends[2], 1e-6)):  # square roots: the ends are right to 1e-8
        near, far = law.density(end * (1 + inwards * np.array([1, 4])))
        assert far / near == pytest.approx(2.0, rel=5e-3)
    small = spectrum(network, FIM(), width=120, samples=100)
    for dual in draw(23, 3, "relu", [120, 120, 120, 1], 0.5, 1.0, 100).dual("fim", None, centered=False):
        assert small.distance(np.linalg.eigvalsh(dual), normalised=True) < 0.12  # as in test_random_networks


@pytest.mark.parametrize(("eigenvalues", "share"), [([0, 2], 0.5), ([0, 0, 0, 4], 0.25)])
@pytest.mark.parametrize("samples", [60, 150])
def test_inputs_of_lower_rank(eigenvalues: list[float], share: float, samples: int) -> None:
    """Marchenko-Pastur of 200 × share inputs, and an atom of what is missing to their rank."""
    network = Network(1, "linear", 1.0, 0.0)
    law = spectrum(network, NTK(), width=200, samples=samples, input_spectrum=eigenvalues)
    assert law.atom == pytest.approx(max(0.0, 1 - 200 * share / samples), abs=1e-12)
    fewer = spectrum(network, NTK(), width=int(200 * share), samples=samples)
    assert [law.lower, law.upper] == pytest.approx([fewer.lower, fewer.upper], rel=1e-8)
    assert law.mass_error < 1e-6
    assert law.status == "ok"


def test_islands_of_a_few_neurons_are_one_end() -> None:
    """Samples almost alike: heavy neurons are nodes of a quadrature, and no ends of their own."""
    law = spectrum(Network(3, "abs", 1.0, 1000.0), FIM(), width=100, samples=50)
    assert [e.kind for e in law.edges] == ["limit", "limit", "width-M", "width-M"]
    assert np.all(np.diff([e.position for e in law.edges]) > 0)
    few = law.quantile(1 - 1e-4)
    assert law.edges[2].position < few <= law.edges[3].position
    assert law.cdf(law.upper) == pytest.approx(1.0, abs=1e-12)


def test_zeros_and_multiplicity() -> None:
    law = spectrum(Network(2, "tanh", 2.0, 0.3, outputs=3), FIM(), width=100, samples=60)
    assert law.zeros == 100 * 101 + 3 * 101 - 180
    assert law.multiplicity == 177
    assert spectrum(TANH, NTK(), width=50, samples=20).zeros == 0


def test_finite_size_terms_can_be_left_out() -> None:
    on, off = (spectrum(TANH, FIM(), width=300, samples=200, finite_size=f) for f in (True, False))
    assert on.lower < 0.99 * off.lower
    wide = [spectrum(TANH, FIM(), width=30000, samples=20000, finite_size=f).lower for f in (True, False)]
    assert wide[0] == pytest.approx(wide[1], rel=2e-3)


def kernels(**change: Any) -> OrderParameters:
    """Those of TANH but for what is given."""
    return OrderParameters.of(order_parameters(TANH).to_dict() | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": InputMetric()}, "metric: expected fim or ntk, got input_metric"),
        ({"metric": FIM(loss="cross_entropy")}, "loss: expected mse, got cross_entropy"),
        ({"metric": FIM(layer=9)}, "layer: expected 1..3"),
        ({"samples": 1}, "samples: expected at least 2"),
        ({"width": 0}, "width: expected an integer of at least 1"),
        ({"input_spectrum": [1.0, 3.0]}, "input_spectrum: expected mean 1"),
        ({"input_spectrum": [-1.0, 3.0]}, "input_spectrum: expected a list of finite"),
        ({"input_spectrum": "x"}, "input_spectrum: expected a list of finite"),
        ({"kernels": {"q": [1.0]}}, "kernels: expected order parameters"),
        ({"kernels": order_parameters(Network(4, "tanh", 3.0, 0.64))}, "kernels.q: expected 3 values"),
        ({"kernels": kernels(forward=[1.0, math.nan, 1.0])}, "kernels.forward: expected a list of 3 finite"),
        ({"kernels": kernels(backward_st=[9.0, 9.0, 9.0])}, "kernels.backward_st: expected 0 < backward"),
        ({"network": Network(3, "step", 1.0)}, "activation: expected one without jumps"),
        ({"network": Network(3, "tanh", 0.0, 1.0)}, "network: expected one that tells samples apart"),
        ({"network": Network.of([Linear(2.0), Linear(1.0)])}, "for the whole spectrum, got linear, linear"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    question = {"network": TANH, "metric": FIM(), "width": 100, "samples": 50} | change
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(".", r"\.")):
        spectrum(question.pop("network"), question.pop("metric"), **question)
    with pytest.raises(TypeError, match="network: expected a Network"):
        spectrum("tanh", FIM(), width=10, samples=10)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="finite_size: expected True or False"):
        spectrum(TANH, FIM(), width=10, samples=10, finite_size="no")  # type: ignore[arg-type]
    law = spectrum(TANH, FIM(), width=100, samples=50)
    with pytest.raises(ValueError, match="p: expected probabilities"):
        law.quantile(1.5)
    for eigenvalues in ([], [1.0], [[1.0, 2.0]], [1.0, math.nan], "x"):
        with pytest.raises(ValueError, match="eigenvalues: expected"):
            law.distance(eigenvalues)


def test_void_and_far_away() -> None:
    law = spectrum(TANH, FIM(), width=100, samples=50)
    assert np.isnan([law.density(math.nan), law.cdf(math.nan)]).all()
    assert law.cdf([-math.inf, math.inf]).tolist() == [0.0, pytest.approx(1.0)]
    assert law.stieltjes(1e300) == pytest.approx(-1e-300)
    assert np.isnan(law.stieltjes(math.nan))


def test_without_a_lower_edge() -> None:
    """An atom at the ridge is not resolved: NaN, and status says why."""
    law = spectrum(TANH, FIM(), width=200, samples=1000, finite_size=False)
    assert "atom at the ridge" in law.status
    void = [law.lower, law.density(3.0), law.cdf(3.0), law.quantile(0.5), law.distance([1.0, 2.0, 3.0])]
    assert np.isnan(void).all()
    assert law.status in str(law)
    assert law.to_dict()["quantiles"]["0.5"] is None


def test_outliers_of_many_outputs() -> None:
    """The semicircle's quantiles join what is drawn, and a thousand outputs cost next to nothing."""
    drawn, quantiles = _ordered(200), _semicircle(200)
    np.testing.assert_allclose(quantiles[0], drawn[0], atol=0.01 * drawn[0][0])
    np.testing.assert_allclose(quantiles[1], drawn[1], rtol=0.35)
    assert _ordered(1000)[0].shape == (1000,)

"""The law of the dual's entries: against the prototype, exact cases, and networks drawn and differentiated here."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from meanfield import FIM, NTK, InputMetric, Network, order_parameters
from meanfield.finite_width.classes import CLASSES, FIRST, OTHER, SAME, SECOND, class_of
from meanfield.finite_width.refined import kernel_law
from meanfield.kernels.setting import Setting
from meanfield.propagation.inputs import GAUSSIAN, Inputs


def law_of(network, metric, width, given=GAUSSIAN):
    return kernel_law(Setting.of(network, metric, order_parameters(network), width, 1, given))


def test_prototype(case, asked):
    network, metric, width = asked
    law, wanted = law_of(network, metric, width, Inputs(random=case["data"] == "gaussian")), case["kernel"]
    theta, shift = np.array(wanted["theta"]), np.array(wanted["shift"])
    assert law.mean[1] == pytest.approx(theta, rel=1e-5)
    # Second differences, as the prototype takes them, are good to a few per mille.
    assert law.shift[1] == pytest.approx(shift, abs=3e-3 * np.abs(shift).max() + 1e-12 * theta.max())
    for values, column in ((law.covariance[:, 1, 1].sum(axis=0), "shared"), (law.crossing, "crossing")):
        expected = np.array([wanted[column]["".join(map(str, c))] for c in CLASSES])
        assert values == pytest.approx(expected, abs=3e-4 * np.abs(expected).max() + 1e-14 * theta.max() ** 2)
    assert law.cubic == pytest.approx(wanted["cubic"], rel=1e-6)


def test_depth_one_is_the_inputs_gram_matrix():
    """FIM: K(s,t) = x_s·x_t + 1, whose fluctuations are those of the inputs."""
    law = law_of(Network(1, [], 2.0, 0.3), FIM(), 50)
    shared = law.covariance[:, 1, 1].sum(axis=0)
    assert law.mean[1] == pytest.approx([51, 1])
    assert shared[class_of(0, 0, 0, 0)] == pytest.approx(100)
    assert shared[class_of(0, 1, 0, 1)] == shared[class_of(0, 1, 1, 0)] == pytest.approx(50)
    assert shared[class_of(0, 0, 1, 1)] == 0
    assert not law.crossing.any()
    fixed = law_of(Network(1, [], 2.0, 0.3), FIM(), 50, given=Inputs(random=False))
    assert not fixed.covariance.any()


def test_two_layers_of_a_linear_network():
    """NTK: K_kj(st) = δ_kj S²(st) + (σ_w²/M) S¹(st) g_k·g_j, so B = σ_w⁴ E[S¹ S¹']/M exactly."""
    sw2, sb2, width = 1.5, 0.2, 40
    law = law_of(Network(2, "linear", sw2, sb2), NTK(), width)
    theta = np.array([sw2 + sb2, sb2])
    of_inputs = np.zeros(15)
    of_inputs[class_of(0, 0, 0, 0)] = 2 / width
    of_inputs[[class_of(0, 1, 0, 1), class_of(0, 1, 1, 0)]] = 1 / width
    wanted = sw2**2 * (theta[FIRST] * theta[SECOND] + sw2**2 * of_inputs) / width
    assert law.crossing == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu(0.3)"])
@pytest.mark.parametrize("metric", [FIM(), NTK(), InputMetric(), FIM(layer=2)], ids=str)
def test_mean_is_exact_for_homogeneous_activations(activation, metric):
    """E tr of the dual does not depend on the width, so the shift of K(s,s) is zero."""
    law = law_of(Network(4, activation, 1.7, 0.2), metric, 30)
    assert abs(law.shift[1, SAME]) < 1e-8 * law.mean[1, SAME]
    assert activation == "linear" or abs(law.shift[1, OTHER]) > 1e-5 * law.mean[1, OTHER]


@pytest.mark.parametrize("family", ["ntk", "fim", "input_metric"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_networks(draw, activation, family):
    """Means and covariances of the entries at four samples, 2500 networks, within 4.5 standard errors and the relative
    error of the theory, some 1/M² of a mean and 1/M of a covariance."""
    widths, count, samples = (32, 48, 40, 2), 2500, 4
    drawn = draw(7, count, activation, widths, 1.8, 0.3, samples)
    scale = 1.0 if family == "ntk" else samples  # 1/N of the duals taken out
    dual = scale * drawn.dual(family).reshape(count, 2, samples, 2, samples).swapaxes(2, 3)  # network, k, j, s, t
    network = Network(3, activation, 1.8, 0.3, outputs=2, width_ratios=[1, 1.5, 1.25])
    law = law_of(network, {"ntk": NTK(), "fim": FIM(), "input_metric": InputMetric()}[family], widths[0])
    means = law.mean[1] + law.shift[1]
    diagonal = np.einsum("nkkst->nkst", dual)
    for kind, where in ((SAME, np.eye(samples, dtype=bool)), (OTHER, ~np.eye(samples, dtype=bool))):
        values = diagonal[:, :, where].mean(axis=(1, 2))
        assert abs(values.mean() - means[kind]) < 4.5 * values.std() / np.sqrt(count) + 6 / 32**2 * means[SAME]
    centred = diagonal - means[np.where(np.eye(samples, dtype=bool), SAME, OTHER)]
    shared = law.covariance[:, 1, 1].sum(axis=0)
    for index, wanted, first, second in (
        *((i, shared[i] + law.own[i], centred[:, 0], centred[:, 0]) for i in range(15)),
        *((i, shared[i], centred[:, 0], centred[:, 1]) for i in range(15)),
        *((i, law.crossing[i], dual[:, 0, 1], dual[:, 0, 1]) for i in range(15)),
    ):
        values = _class_products(CLASSES[index], first, second)
        largest = max(shared.max(), law.crossing.max())
        assert abs(values.mean() - wanted) < 4.5 * values.std() / np.sqrt(count) + 6 / 32 * abs(wanted) + 1e-3 * largest


def _class_products(labels, first, second):
    """first(s,t) second(s',t') of each network, averaged over all samples in this class."""
    places = itertools.permutations(range(4), max(labels) + 1)
    products = [first[:, p[labels[0]], p[labels[1]]] * second[:, p[labels[2]], p[labels[3]]] for p in places]
    return np.mean(products, axis=0)

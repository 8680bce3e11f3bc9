"""Mean and second moment from the law of the entries: against explicit sums over samples, and the prototype."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from meanfield import FIM, NTK, Network, order_parameters
from meanfield.finite_width.classes import class_of
from meanfield.finite_width.refined import kernel_law
from meanfield.finite_width.traces import trace_laws
from meanfield.kernels.setting import Setting
from meanfield.propagation.inputs import GAUSSIAN, Inputs


def law_and_kernel(network, metric, width, samples, given=GAUSSIAN):
    cell = Setting.of(network, metric, order_parameters(network), width, samples, given)
    return kernel_law(cell), cell.kernel


def test_prototype(case, asked):
    network, metric, width = asked
    law, kernel = law_and_kernel(network, metric, width, case["samples"], Inputs(random=case["data"] == "gaussian"))
    found, wanted = trace_laws(law, kernel), case["spectrum"]
    assert found.mean == pytest.approx(wanted["mean"][0], rel=1e-4)
    assert found.mean_std == pytest.approx(wanted["mean"][1], rel=1e-3)
    assert found.second_moment == pytest.approx(wanted["second_moment"][0], rel=1e-4)
    assert found.second_moment_std == pytest.approx(wanted["second_moment"][1], rel=1e-3)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("samples", [1, 2, 5])
def test_explicit_sums(centered, samples):
    """E ‖Π K Π‖² = Σ Π_ss' Π_tt' E K(s,t) K(s',t'), and the variance of tr Π K, label by label."""
    outputs = 3
    network = Network(3, "relu", 1.8, 0.3, outputs=outputs)
    law, kernel = law_and_kernel(network, FIM(centered=centered), 40, samples)
    projector = np.eye(samples) - (1 / samples if centered else 0)
    theta = np.where(np.eye(samples), *(law.mean[1] + law.shift[1]))
    shared, own, crossing = (
        np.array([[[[x[class_of(s, t, p, q)] for q in r] for p in r] for t in r] for s in r])
        for r in [range(samples)]
        for x in (law.covariance[:, 1, 1].sum(axis=0), law.own, law.crossing)
    )
    same = np.einsum("st,pq->stpq", theta, theta) + shared + own
    second = outputs * np.einsum("sp,tq,stpq", projector, projector, same + (outputs - 1) * crossing)
    of_mean = outputs**2 * np.einsum("st,pq,stpq", projector, projector, shared + own / outputs)
    found, nu, dimension = trace_laws(law, kernel), float(kernel.normaliser), float(kernel.dimension)
    size = nu**2 * outputs * samples * theta[0, 0] ** 2 / dimension
    assert found.mean * dimension == pytest.approx(nu * outputs * np.sum(projector * theta), rel=1e-9, abs=1e-12)
    assert found.second_moment * dimension == pytest.approx(nu**2 * second, rel=1e-9, abs=1e-12 * size)
    assert found.mean_std * dimension == pytest.approx(nu * np.sqrt(max(of_mean, 0)), rel=1e-6, abs=1e-9)


def test_spread_of_a_wishart_matrix():
    """K = c W with C outputs and one sample, W Wishart of ν units: sd of tr W² is known, to order 1/ν."""
    outputs, units = 6, 400.0
    law, kernel = law_and_kernel(Network(2, "linear", 1.0, 0.0, outputs=outputs), NTK(), 20, 1)
    everywhere = np.ones(15) / units
    law = replace(law, mean=np.ones((2, 2)), shift=np.zeros((2, 2)), covariance=0 * law.covariance, crossing=everywhere)
    found = trace_laws(law, kernel)
    exact = units * outputs * (units + outputs + 1) / units**2 / outputs  # E tr W² / (ν² C)
    variance = 8 * outputs * units * (units**2 + 2.5 * outputs * units + outputs**2) / units**4 / outputs**2
    assert found.second_moment == pytest.approx(exact, rel=1e-12)
    assert found.second_moment_std == pytest.approx(np.sqrt(variance), rel=1e-2)

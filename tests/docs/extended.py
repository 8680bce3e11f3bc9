"""What docs/extending.md makes, used: test_extending.py runs it on a copy of the packages with all its diffs applied.

One function a section, called by its heading. Random quantities: 5 standard errors of a number of networks fixed here.
"""

from __future__ import annotations

import csv
import functools
import json
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
from numpy.random import SeedSequence

from empirical import available_backends, measure
from empirical.backends import make_backend
from empirical.dual.gram import dual_blocks
from empirical.dual.implicit import DualOperator
from empirical.networks.layers.rms_norm import draw_rms_norm
from meanfield import order_parameters, predict
from meanfield.spec import FIM, NTK, Activate, Linear, Network, RMSNorm
from meanfield.spec.metric import WeightFIM
from verify import Sweep
from verify.asking.presets import preset_names
from verify.asking.records import Sample, Trial
from verify.judging.verdict import compare
from verify.reporting import Document, write_report

ROOT = Path(sys.argv[1])
# With relu φ'² is a fair coin whatever the variance, so that E[trace] is K₁'s at any width: no bias in 1/M.
RELU = Network(3, "relu", 2.0, 0.3, outputs=3)
WIDTH, SAMPLES, NETWORKS = 24, 10, 60


def held_against_theory(network, metric, bias=0.0):
    """P, and the mean eigenvalue within 5 standard errors and a relative ``bias`` of theory's."""
    theory = predict(network, metric, width=WIDTH, samples=SAMPLES)
    found = [measure(network, metric, width=WIDTH, samples=SAMPLES, seed=seed) for seed in range(NETWORKS)]
    assert {m.dimension for m in found} == {int(theory.dimension)}, (found[0].dimension, theory.dimension)
    means = np.array([m.mean for m in found])
    error = means.std(ddof=1) / NETWORKS**0.5
    assert error < 0.06 * theory.mean  # it could have failed
    assert abs(means.mean() - theory.mean) < 5 * error + bias * theory.mean, (means.mean(), error, theory.mean)


def held_against_the_oracle(metric):
    """Moments, outliers and eigenvectors of one network, by the definition and a dense Jacobian."""
    dense = runpy.run_path(str(ROOT / "tests/empirical/conftest.py"))["Dense"].draw(RELU, 8, 6, 1)
    tensor, dimension = dense.tensor(metric)
    found = measure(RELU, metric, width=8, samples=6, seed=SeedSequence(1), spectrum="extremes", vectors=True)
    assert found.dimension == dimension
    np.testing.assert_allclose(found.mean, np.trace(tensor) / dimension, rtol=1e-10)
    np.testing.assert_allclose(found.outliers, np.linalg.eigvalsh(tensor)[::-1][:3], rtol=1e-9)
    np.testing.assert_allclose(found.vectors @ tensor, found.outliers[:, None] * found.vectors, atol=1e-9)


def activation():
    points = np.linspace(-10, 10, 100001)
    density = np.exp(-(points**2) / 2) * (points[1] - points[0]) / np.sqrt(2 * np.pi)
    u = 1.75**0.5 * points
    values = np.where(u > 0, np.tanh(u), 0.5 * np.tanh(u))
    found = order_parameters(Network(2, "penalised_tanh(0.5)", 1.5, 0.25)).forward[1]
    np.testing.assert_allclose(found, density @ values**2, rtol=1e-8)
    torch = measure(Network(2, "penalised_tanh", 1.5), "fim", width=8, samples=6, backend="torch")
    np.testing.assert_allclose(torch.mean, measure(Network(2, "penalised_tanh", 1.5), "fim", width=8, samples=6).mean)


def layer_type():
    """Layer 2 has |h|² = M exactly. In layer 1 the mean of 1/q over networks lifts K₁ by (M-1)/(M-2), and that of
    (|x|² + 1)/|x|² by less than 1/M²: below 2/M."""
    network = Network.of([Linear(2.0), RMSNorm(), Linear(0.7, 0.1)], outputs=3)
    held_against_theory(network, FIM(), bias=2 / WIDTH)
    after = Network.of([Linear(2.0), RMSNorm(), Activate("tanh"), Linear(1.0)])
    assert Network.from_dict(json.loads(json.dumps(after.to_dict()))) == after
    h, step = np.random.default_rng(1).normal(size=(2, 4, 5))  # (N, M), and a direction
    norm, numpy = draw_rms_norm(RMSNorm(), 0, (), None), make_backend("numpy", "float64")
    difference = (norm.forward(h + 1e-6 * step, numpy)[0] - norm.forward(h - 1e-6 * step, numpy)[0]) / 2e-6
    np.testing.assert_allclose(norm.forward(h, numpy)[1].derivative(step), difference, atol=1e-8)
    drawn = runpy.run_path(str(ROOT / "tests/empirical/conftest.py"))["draw"](after, 8, 6, 1)
    (dual,), passed = dual_blocks([NTK()], drawn, drawn.passed, drawn.passed), drawn.passed
    product = DualOperator(NTK(), drawn)(np.eye(6))  # back and forth
    np.testing.assert_allclose(product, dual.matrix[0, :, 0, :], atol=1e-12 * abs(product).max())
    (part,) = dual_blocks([NTK()], drawn, passed.rows(4, 6), passed.rows(0, 4))
    np.testing.assert_allclose(part.matrix, dual.matrix[:, 4:6, :, :4], rtol=1e-12)
    np.testing.assert_allclose(order_parameters(after).forward[1], order_parameters(Network(2, "tanh", 1.0)).forward[1])


def metric():
    held_against_theory(RELU, WeightFIM())
    held_against_theory(RELU, WeightFIM(layer=2))
    held_against_the_oracle(WeightFIM())
    held = runpy.run_path(str(ROOT / "tests/meanfield/conftest.py"))["held"]
    assert held("weight_fim") == ("weight",)


def head():
    held_against_theory(RELU, FIM(loss="ranked"))
    held_against_the_oracle(FIM(loss="ranked"))
    theory = predict(RELU, FIM(loss="ranked"), width=1000, samples=50)
    plain = predict(RELU, FIM(), width=1000, samples=50)
    np.testing.assert_allclose(theory.outliers, plain.outliers / [1, 2, 3])
    total = theory.outliers.sum() + theory.bulk[0] * theory.bulk[1]
    np.testing.assert_allclose(total, theory.mean * theory.dimension)
    of_one = plain.outliers[0] ** 2 + 49 * plain.bulk[0] ** 2  # of each output, times its weight squared
    np.testing.assert_allclose(theory.second_moment * theory.dimension, (1 + 1 / 4 + 1 / 9) * of_one)


def backend():
    assert "strict" in available_backends()
    strict, reference = (
        measure(RELU, ["fim", "ntk"], width=8, samples=6, spectrum="full", backend=b) for b in ("strict", "numpy")
    )
    for a, b in zip(strict, reference, strict=True):
        np.testing.assert_allclose(a.eigenvalues, b.eigenvalues, rtol=1e-8)


def bound():
    found = predict(RELU, FIM(), width=[100, 200], samples=50)
    assert np.all((found.bounds[0] <= found.largest) & (found.largest <= found.bounds[1]))


def preset():
    assert "narrow" in preset_names()
    assert [cell.width for cell in Sweep.preset("narrow").cells()] == [32, 64, 128]


@functools.cache
def written():
    """The report of a small sweep of the new preset, with the new metric and the new loss; the text of its files."""
    table = json.loads(Sweep.preset("narrow").to_json())["grid"]
    grid = {**table, "width": [8, 16], "metric": ["weight_fim", {"family": "fim", "loss": "ranked"}]}
    sweep = Sweep(name="narrow", grid=grid, run={"trials": 3})
    names = Sample.__dataclass_fields__

    def trial(cell, seed):
        found = measure(cell.network, list(cell.metrics), width=cell.width, samples=cell.samples, seed=seed)
        samples = {m.metric.label: Sample(**{name: getattr(m, name) for name in names}) for m in found}
        return Trial(cell.key, seed, "done", samples=samples, order_parameters=found[0].order_parameters)

    comparison = compare(sweep, [trial(cell, seed) for cell in sweep.cells() for seed in range(3)])
    assert not any(row.observation.reason.startswith("dimension") for row in comparison.rows)
    with tempfile.TemporaryDirectory() as folder:
        write_report(Document(comparison), Path(folder))
        return {
            path.name: path.read_text("utf-8")
            for path in Path(folder).rglob("*.*")
            if path.suffix not in (".pdf", ".png")
        }


def figure():
    (report,) = (text for name, text in written().items() if name.endswith(".html"))
    assert "The widths of this sweep." in report
    assert any("sizes" in name for name in written())


def table_column():
    rows = list(csv.DictReader(written()["cells.csv"].splitlines()))
    assert {float(row["rho"]) for row in rows} == {20 / 8, 20 / 16}


CHECKS = {
    "An activation": activation, "A layer type": layer_type, "A metric": metric, "A head or loss": head,
    "A backend": backend, "A figure": figure, "A preset": preset, "A bound": bound, "A table column": table_column,
}  # fmt: skip

if __name__ == "__main__":
    outcome = {}
    for heading, check in CHECKS.items():
        try:
            check()
            outcome[heading] = ""
        except Exception:
            outcome[heading] = traceback.format_exc()
    print(json.dumps(outcome))

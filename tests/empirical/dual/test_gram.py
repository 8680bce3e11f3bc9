"""The dual matrix, entry by entry, against the dense Jacobian."""

import numpy as np

from empirical.dual import gram


def test_dual_matrices_are_those_of_the_dense_jacobian(case, drawn, definitions):
    _, _, samples, _, dense, metrics = case
    bare = [m for m in metrics if m.loss == "mse" and not m.centered]
    for dual in gram.dual_blocks(bare, drawn, drawn.passed, drawn.passed):
        jacobian = dense.jacobian(dual.metric)  # (N, C, P)
        scale = 1.0 / samples if definitions[0][dual.metric.family].averaged else 1.0
        expected = scale * np.einsum("nkp,mjp->knjm", jacobian, jacobian)
        np.testing.assert_allclose(dual.matrix, expected, rtol=0, atol=1e-10 * abs(expected).max())
        np.testing.assert_allclose(dual.trace, np.einsum("knkn->", expected), rtol=1e-12)


def test_whole_metric_is_the_sum_of_its_blocks(case, drawn):
    bare = [m for m in case[-1] if m.loss == "mse" and not m.centered]
    duals = gram.dual_blocks(bare, drawn, drawn.passed, drawn.passed)
    for whole in (d for d in duals if d.metric.layer is None):
        parts = [d.matrix for d in duals if d.metric.family == whole.metric.family and d.metric.layer is not None]
        np.testing.assert_allclose(sum(parts), whole.matrix, rtol=1e-12, atol=1e-12 * abs(whole.matrix).max())


def test_blocks_are_those_of_the_whole(case, drawn):
    passed = drawn.passed
    bare = [m for m in case[-1] if m.loss == "mse" and not m.centered]
    whole = gram.dual_blocks(bare, drawn, passed, passed)
    parts = gram.dual_blocks(bare, drawn, passed.rows(4, 6), passed.rows(0, 4))
    for dual, part in zip(whole, parts, strict=True):
        np.testing.assert_allclose(part.matrix, dual.matrix[:, 4:6, :, 0:4], rtol=1e-12, atol=1e-13)

"""What stands between the Jacobian's dual and the metric's: mean subtraction, then the softmax sandwich.

Mean subtraction replaces f by f - E_n f: ``P G P`` with ``P = I_C ⊗ (I - 11ᵀ/N)`` (theory.md §3). Cross-entropy
weighs the outputs of sample n by ``Q_n = diag g - g gᵀ = R_n R_nᵀ``, ``R_n = diag √g - g √gᵀ``, g = softmax f: the
dual is ``Rᵀ G R`` (theory.md §4). Both together: ``Rᵀ P G P R``, with the softmax of the centred logits.

Axes: duals (C, N, C, N), logits (N, C).
"""

from __future__ import annotations

from empirical.backends.base import Array, Backend
from meanfield.spec import Metric

__all__ = ["probabilities", "project"]


def project(metric: Metric, dual: Array, logits: Array, backend: Backend) -> Array:
    """The metric's dual from that of the bare outputs. ``dual`` is overwritten."""
    if metric.centered:
        dual -= backend.xp.mean(dual, axis=1, keepdims=True)
        dual -= backend.xp.mean(dual, axis=3, keepdims=True)
    if metric.loss == "cross_entropy":
        p = probabilities(metric, logits, backend).T
        _sandwich_rows(dual, p[:, :, None, None], backend)
        _sandwich_rows(backend.xp.permute_dims(dual, (2, 3, 0, 1)), p[:, :, None, None], backend)
    return dual


def probabilities(metric: Metric, logits: Array, backend: Backend) -> Array:
    """Softmax of the logits (N, C), mean-subtracted first if the metric is centred."""
    xp = backend.xp
    if metric.centered:
        logits = logits - xp.mean(logits, axis=0, keepdims=True)
    weights = xp.exp(logits - xp.max(logits, axis=1, keepdims=True))
    return weights / xp.sum(weights, axis=1, keepdims=True)


def _sandwich_rows(dual: Array, p: Array, backend: Backend) -> None:
    """``Rᵀ G`` in place, ``Rᵀ x = √g (x - g·x)`` on the first axis; p is (C, N, 1, 1)."""
    mean = sum(p[k, ...] * dual[k, ...] for k in range(dual.shape[0]))
    root = backend.xp.sqrt(p)
    for k in range(dual.shape[0]):
        dual[k, ...] = root[k, ...] * (dual[k, ...] - mean)

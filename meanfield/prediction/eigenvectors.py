"""Eigenvectors of the outliers (theory.md §3, §4), in the dual.

In parameter space the C outliers of the FIM belong to E_n[∇_θ f_k], those of the input metric to E_n[∇_h f_k]. In the
dual, where they depend on no weight, they are e_k ⊗ 1/√N; the softmax turns them by R and mixes the outputs. A dual
vector v becomes the parameter vector J v / |J v|, J the P × CN Jacobian.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.kernels.logits import given_logits
from meanfield.kernels.setting import Setting
from meanfield.prediction.answer import Prediction
from meanfield.spec import LOSSES

__all__ = ["outlier_eigenvectors"]

Floats = NDArray[np.float64]


def outlier_eigenvectors(prediction: Prediction, logits: ArrayLike | None = None) -> Floats:
    """Unit eigenvectors of the predicted outliers: CN × K, output-major rows k N + n, columns as ``outliers``.

    The C outliers of a metric of the mean squared error are equal, so that any rotation of the columns does as well.
    Columns are NaN where the outlier is void.

    Parameters
    ----------
    prediction
        At one width and one number of samples.
    logits
        The outputs f (N × C) that ``prediction`` was made with, for the loss "cross_entropy".

    Raises
    ------
    ValueError
        If the prediction is for several sizes, or logits are missing or not asked for.
    """
    if np.ndim(prediction.width) > 0:
        raise ValueError(
            f"prediction: expected one at one width and samples, got the shape {np.shape(prediction.width)}"
        )
    softmax = LOSSES[prediction.metric.loss].of_logits
    if softmax != (logits is not None):
        raise ValueError(
            f"logits: expected {'an array' if softmax else 'none'} for the loss {prediction.metric.loss!r}"
        )
    samples = int(prediction.samples)
    if logits is None:
        void = np.where(np.isfinite(prediction.outliers), 1.0, np.nan)
        columns = np.eye(prediction.network.outputs)[:, : len(void)]
        return np.kron(columns, np.full((samples, 1), samples**-0.5)) * void
    return _softmax_eigenvectors(prediction, np.asarray(logits, dtype=np.float64))


def _softmax_eigenvectors(prediction: Prediction, logits: Floats) -> Floats:
    """Column k: v_n = R_nᵀ y_n with y_n = (λ I - ν (K₁ - K₂) Q_n)⁻¹ w, where w is the eigenvector of E_n[Q_n y_n]."""
    network, samples = prediction.network, int(prediction.samples)
    if logits.shape != (samples, network.outputs):
        raise ValueError(f"logits: expected the shape ({samples}, {network.outputs}), got {logits.shape}")
    asked = prediction.metric, prediction.order_parameters, int(prediction.width), samples
    kernel = Setting.of(network, *asked).kernel
    g = given_logits(logits, prediction.metric.centered).g[0].T
    eye, root = np.eye(network.outputs), np.sqrt(g)[:, :, None]
    covariance = g[:, :, None] * (eye - g[:, None, :])
    transposed_root = root * (eye - g[:, None, :])  # R_nᵀ

    def vector(index: int, height: float) -> Floats:
        inverse = np.linalg.inv(height * eye - kernel.normaliser * kernel.gap * covariance)
        _, directions = np.linalg.eigh(np.mean(covariance @ inverse, axis=0))
        columns = (transposed_root @ inverse @ directions[:, -1 - index]).T.ravel()
        unit: Floats = columns / np.linalg.norm(columns)
        return unit

    void = np.full(samples * network.outputs, np.nan)
    found = [vector(k, float(x)) if np.isfinite(x) else void for k, x in enumerate(prediction.outliers)]
    return np.column_stack(found) if found else np.empty((samples * network.outputs, 0))

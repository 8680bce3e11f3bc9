"""``predict``: network, metric, width and samples in; numbers with their assumptions out."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.kernels.setting import Setting
from meanfield.leading.asymptotics import asymptotic_exponents
from meanfield.leading.spectra import Spectrum
from meanfield.prediction.answer import Prediction
from meanfield.prediction.arguments import broadcast_sizes, check_question, sizes, usable_logits
from meanfield.prediction.given import predict_given
from meanfield.prediction.orders import ORDERS
from meanfield.propagation.inputs import as_inputs
from meanfield.propagation.recursion import order_parameters, usable
from meanfield.propagation.samples import Gram, given_samples
from meanfield.spec import LOSSES, CriticalRate, Metric, MetricLike, Network, as_metric, critical_learning_rates

__all__ = ["LAW_OF_LOGITS", "largest_of", "predict"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_DATA = {
    True: "inputs x_i ~ N(0, 1) i.i.d., independent samples",
    False: "given inputs of equal norms, whose overlaps differ little; the spread over networks is without theirs",
}
_RANDOM = "weights and biases independent Gaussians (random initialisation)"
LAW_OF_LOGITS = "logits Gaussian over networks; std and interval are the spread that this makes, without finite width's"


def predict(
    network: Network,
    metric: MetricLike,
    *,
    width: ArrayLike,
    samples: ArrayLike | None = None,
    order: str = "leading",
    logits: ArrayLike | None = None,
    inputs: str | ArrayLike | Gram = "gaussian",
    data: str | ArrayLike | None = None,
) -> Prediction:
    """Predict the eigenvalue statistics of ``metric`` for wide random networks: theory.md §3, §4, finite_width.md.

    Parameters
    ----------
    network, metric
        What is asked; the metric as a record such as ``FIM(layer=2)``, a family name or a table of its fields.
    width, samples
        M and N: positive integers or arrays of them, which broadcast. N follows from given inputs.
    order
        ``"leading"`` in the width, or ``"refined"`` by 1/M: means over networks, with their spread (with
        "cross_entropy" neither centred nor from given logits).
    logits
        The outputs f (N × C) of one network, for the loss "cross_entropy": its outliers instead of means over networks.
    inputs
        ``"gaussian"``: inputs drawn anew with each network. ``"fixed"``: given ones, orthogonal and of norm² M_0. Or
        your own: an array X (N, d), whose features are the network's M_0 = d, or a :class:`Gram` matrix X Xᵀ/d. Then
        all eigenvalues are there (docs/your_data.md).
    data
        The former name of ``inputs``, where a bare matrix is a Gram matrix of equal norms, of which the leading order
        takes the mean overlap alone.

    Raises
    ------
    ValueError, TypeError
        For a layer the network lacks, sizes that are no positive integers, an activation whose derivative has no finite
        second moment, order parameters that overflow, a softmax of one output, or logits of another shape.
    """
    metric = as_metric(metric)
    check_question(network, metric, order, logits is not None)
    if data is not None and not (isinstance(inputs, str) and inputs == "gaussian"):
        raise ValueError("data: expected none beside inputs, whose former name it is, got both")
    if data is None and not isinstance(inputs, str):
        return _on_data(network, metric, sizes("width", width), samples, order, logits, inputs)
    if isinstance(inputs, str) and data is None:
        as_inputs(inputs, np.zeros(0, dtype=np.int64))
    if samples is None:
        raise TypeError("samples: expected N, or inputs=X with the samples themselves, got none")
    widths, counts = broadcast_sizes(sizes("width", width), sizes("samples", samples))
    given = None if logits is None else usable_logits(logits, network, metric, counts)
    law = as_inputs(inputs, counts) if isinstance(inputs, str) and data is None else as_inputs(data, counts, "data")
    if data is not None:
        warnings.warn("data= is now inputs=, where a Gram matrix is Gram(matrix)", DeprecationWarning, stacklevel=2)
    parameters = usable(order_parameters(network, norm=law.norm, overlap=law.overlap, gaussian=law.random))
    setting = Setting.of(network, metric, parameters, widths, counts, law)
    spectrum, validity, reasons = ORDERS[order].find(setting, given)
    largest = largest_of(spectrum.outliers)
    of_logits = LOSSES[metric.loss].of_logits and given is None and order == "leading"
    return Prediction(
        network=network,
        metric=metric,
        width=widths[()],
        samples=counts[()],
        mean=spectrum.mean[()],
        second_moment=spectrum.second_moment[()],
        largest=largest[()],
        outliers=spectrum.outliers,
        bulk=(spectrum.bulk[()], spectrum.multiplicity.astype(np.int64)[()]),
        dimension=setting.kernel.dimension.astype(np.int64)[()],
        exponents=asymptotic_exponents(setting),
        critical_learning_rates=_rates(setting, largest, order),
        condition_number=_condition_number(setting, largest) if order == "leading" else None,
        order_parameters=parameters,
        error=max(parameters.error, spectrum.error),
        order=order,
        bounds=spectrum.bounds,
        networks=None if given is not None else _law(spectrum),
        validity=validity,
        assumptions=(ORDERS[order].assumption, _DATA[law.random], _RANDOM, *[LAW_OF_LOGITS] * of_logits),
        warnings=reasons,
    )


def _on_data(
    network: Network,
    metric: Metric,
    widths: Integers,
    samples: ArrayLike | None,
    order: str,
    logits: ArrayLike | None,
    inputs: ArrayLike | Gram,
) -> Prediction:
    """Of the inputs at hand."""
    given = given_samples("inputs", inputs)
    count = len(given.norms)
    if samples is not None and np.any(sizes("samples", samples) != count):
        raise ValueError(f"samples: expected {count}, the number of inputs, or none, got {samples!r:.60}")
    counts = np.full(widths.shape, count)
    own = None if logits is None else usable_logits(logits, network, metric, counts)
    if order == "refined" and LOSSES[metric.loss].of_logits:
        raise ValueError(f"order: expected leading for given inputs and {metric.loss}, got 'refined'")
    return predict_given(network, metric, widths, given, order, own)


def largest_of(outliers: Floats) -> Floats:
    """NaN where there are none."""
    return outliers[..., 0] if outliers.shape[-1] else np.full(outliers.shape[:-1], np.nan)


def _law(spectrum: Spectrum) -> dict[str, Floats] | None:
    """The law over networks: the statistics of each, NaN where judged void."""
    if spectrum.networks is None:
        return None
    void = {name: np.isnan(getattr(spectrum, name)) for name in spectrum.networks}
    law = {k: np.where(void[k], np.nan, values) for k, values in spectrum.networks.items()}
    none = np.full(law["mean"].shape, np.nan)
    return {**law, "largest": law["outliers"][..., 0] if law["outliers"].shape[-1] else none}


def _rates(setting: Setting, largest: Floats, order: str) -> dict[str, CriticalRate]:
    """The critical learning rates, with that which the squared error's λ_max guarantees beside the softmax's edge."""
    known = {setting.metric.loss: largest}
    if setting.metric.loss != "mse" and setting.metric.is_felt:
        squared = replace(setting, metric=replace(setting.metric, loss="mse"))
        known["mse"] = largest_of(ORDERS[order].find(squared, None)[0].outliers)
    return critical_learning_rates(setting.metric, known, setting.samples, setting.network.outputs)


def _condition_number(setting: Setting, largest: Floats) -> Floats | None:
    """λ_max/λ_min of Θ, whose other eigenvalues are all K₁ - K₂ as M → ∞ at fixed N: theory.md §3."""
    if setting.metric.family != "ntk" or setting.metric.loss != "mse" or not setting.metric.is_felt:
        return None
    kernel = setting.kernel
    smallest = np.where(kernel.samples > 1, kernel.normaliser * kernel.gap, largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (largest / smallest)[()]

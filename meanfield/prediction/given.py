"""``predict`` on given inputs: all eigenvalues of the kernel that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.given_validity import GivenValidity
from meanfield.kernels.matrix import GivenKernel, given_kernel
from meanfield.kernels.setting import Setting
from meanfield.leading.asymptotics import given_exponents
from meanfield.leading.given import DataSpectrum, logits_of_process, softmax_on_data, squared_on_data
from meanfield.prediction.answer import Prediction
from meanfield.prediction.given_refined import REFINED_ASSUMPTIONS, refined_on_data
from meanfield.propagation.inputs import Inputs
from meanfield.propagation.recursion import numerical_warnings, order_parameters, usable
from meanfield.propagation.samples import GivenSamples
from meanfield.spec import LOSSES, Metric, Network, critical_learning_rates

__all__ = ["predict_given"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ASSUMPTIONS = (
    "widths M → ∞ at given inputs; one network differs from the mean over networks by a relative order 1/√M, and its "
    "small eigenvalues lie lower where N/M is not small",
    "given inputs, whatever their norms and overlaps",
    "weights and biases independent Gaussians (random initialisation)",
)
_PROCESS = "logits a Gaussian process over the inputs, independent for each output and independent of the kernel"


def predict_given(
    network: Network, metric: Metric, widths: Integers, samples: GivenSamples, order: str, logits: Floats | None
) -> Prediction:
    """At each of ``widths``; see :func:`meanfield.predict`."""
    plain = replace(metric, loss="mse")
    kernels = [
        given_kernel(network, samples, metric=plain, width=int(m), progress=widths.size == 1) for m in widths.ravel()
    ]
    squared = [squared_on_data(k) for k in kernels]
    refined = order == "refined"
    spectra = [
        refined_on_data(k, s, samples, int(m)) if refined else _with_loss(k, metric, s, samples, logits)
        for k, s, m in zip(kernels, squared, widths.ravel(), strict=True)
    ]
    count, shape = len(samples.norms), widths.shape

    def array(values: Sequence[float | Floats]) -> Floats:
        stacked = np.array(values, dtype=np.float64)
        return stacked.reshape(shape + stacked.shape[1:])[()]

    largest = array([s.largest for s in spectra])
    known = {"mse": array([s.largest for s in squared]), metric.loss: largest}
    setting = _mean_setting(network, plain, widths, samples)
    share = [_share(k.normaliser * k.error, s.largest) for k, s in zip(kernels, squared, strict=True)]
    reasons = dict.fromkeys(w for s in spectra for w in s.warnings)
    process = LOSSES[metric.loss].of_logits and logits is None
    return Prediction(
        network=kernels[0].network if widths.size == 1 else network,
        metric=metric,
        width=widths[()],
        samples=np.full(shape, count)[()],
        mean=array([s.mean for s in spectra]),
        second_moment=array([s.second_moment for s in spectra]),
        largest=largest,
        outliers=array([s.outliers for s in spectra]),
        bulk=_bulk(kernels, spectra, metric, array),
        dimension=array([k.dimension for k in kernels]).astype(np.int64)[()],
        exponents=given_exponents(setting, samples.features),
        critical_learning_rates=critical_learning_rates(metric, known, np.full(shape, count), network.outputs),
        condition_number=None,
        order_parameters=setting.parameters,
        error=max([*share, *(s.error for s in spectra)]),
        order=order,
        networks=_laws(spectra, shape),
        validity=_validity(spectra, shape),
        assumptions=(*(REFINED_ASSUMPTIONS if refined else _ASSUMPTIONS), *[_PROCESS] * process),
        warnings=(*reasons, *numerical_warnings(setting.parameters), *_unresolved(kernels)),
        eigenvalues=None if any(s.eigenvalues is None for s in spectra) else array([_all(s) for s in spectra]),
        multiplicity=spectra[0].multiplicity,
        resolved=None if any(s.resolved is None for s in spectra) else _numbers(array([_count(s) for s in spectra])),
        kernel=kernels[0] if widths.size == 1 else None,
    )


def _validity(spectra: Sequence[DataSpectrum], shape: tuple[int, ...]) -> GivenValidity | None:
    """The numbers of all widths in one record."""
    found = [s.validity for s in spectra if isinstance(s.validity, GivenValidity)]
    if not found:
        return None
    columns: dict[str, Any] = {
        f.name: np.reshape([getattr(v, f.name) for v in found], shape)[()] for f in fields(GivenValidity)
    }
    return GivenValidity(**columns)


def _share(error: float, largest: float) -> float:
    """Of the largest eigenvalue; 1 where that is all error, as of a single centred sample."""
    return error / max(largest, error, 1e-300)


def _count(spectrum: DataSpectrum) -> int:
    return spectrum.resolved or 0


def _numbers(values: Floats) -> Integers:
    return values.astype(np.int64)[()]


def _all(spectrum: DataSpectrum) -> Floats:
    return cast(Floats, spectrum.eigenvalues)  # asked for only where all have them


def _with_loss(
    kernel: GivenKernel, metric: Metric, squared: DataSpectrum, samples: GivenSamples, logits: Floats | None
) -> DataSpectrum:
    if not LOSSES[metric.loss].of_logits:
        return squared
    if logits is not None:
        return softmax_on_data(kernel, metric, [logits], given=True)
    covariance = given_kernel(kernel.network, samples, metric="nngp").matrix
    return softmax_on_data(kernel, metric, logits_of_process(covariance, kernel.outputs), given=False)


def _mean_setting(network: Network, metric: Metric, widths: Integers, samples: GivenSamples) -> Setting:
    """The exchangeable inputs with the same mean norm and overlap: what exponents are read off."""
    norms, count = samples.norms, len(samples.norms)
    total = samples.total()
    norm = float(np.mean(norms))
    overlap = max((total - float(np.sum(norms))) / (count * (count - 1)), 0.0) if count > 1 else 0.0
    inputs = Inputs(norm, min(overlap, norm), random=False)
    parameters = usable(order_parameters(network, norm=inputs.norm, overlap=inputs.overlap, gaussian=False))
    return Setting.of(network, metric, parameters, widths, np.full(widths.shape, count), inputs)


def _bulk(
    kernels: Sequence[GivenKernel],
    spectra: Sequence[DataSpectrum],
    metric: Metric,
    array: Callable[[Sequence[float | Floats]], Floats],
) -> tuple[Floats, Integers]:
    """Mean and number of the non-zero eigenvalues that are no outliers."""
    means: list[float | Floats] = []
    numbers: list[float | Floats] = []
    for k, s in zip(kernels, spectra, strict=True):
        unseen = LOSSES[metric.loss].unseen
        live = min(k.dimension, (k.outputs - unseen) * (len(k.matrix) - metric.centered))
        number = max(live - len(s.outliers), 0)
        top = np.sum(s.outliers)
        if np.isnan(top) and s.eigenvalues is not None:  # the mean of the C largest is known, each of them isn't
            top = len(s.outliers) * s.eigenvalues[0]
        rest = s.mean * k.dimension - float(top)
        means.append(rest / number if number else np.nan)
        numbers.append(number)
    return array(means), array(numbers).astype(np.int64)[()]


def _laws(spectra: Sequence[DataSpectrum], shape: tuple[int, ...]) -> dict[str, Floats] | None:
    """The ensembles' statistics, networks first."""
    if spectra[0].networks is None:
        return None
    laws = {name: np.stack([s.networks[name] for s in spectra if s.networks], axis=1) for name in spectra[0].networks}
    return {name: x.reshape(len(x), *shape, *x.shape[2:]) for name, x in laws.items()}


def _unresolved(kernels: Sequence[GivenKernel]) -> tuple[str, ...]:
    fewest = min(kernels, key=lambda k: k.resolved)
    count = len(fewest.matrix)
    found = []
    if fewest.resolved < count - (fewest.metric is not None and fewest.metric.centered):
        found.append(
            f"eigenvalues: {count - fewest.resolved} of {count} are below what is known, N ε λ_1 or the kernel's "
            f"numerical error ({fewest.floor:.1g}): see resolved"
        )
    if any(k.status != "ok" for k in kernels):
        found.append("the kernel is unresolved: an entry is not known to 1e-10 of √(K_ss K_tt); error says how well")
    return tuple(found)

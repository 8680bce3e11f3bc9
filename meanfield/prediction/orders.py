"""The orders in the width that a prediction can be asked for: each makes a judged spectrum of a setting."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meanfield.kernels.logits import Ensemble, draw_ensemble, given_logits
from meanfield.kernels.setting import Setting
from meanfield.leading.conditions import judge
from meanfield.leading.spectra import Spectrum, softmax_spectrum, spectrum_statistics
from meanfield.propagation.recursion import numerical_warnings

if TYPE_CHECKING:
    from meanfield.finite_width.validity import Validity

__all__ = ["LEADING", "ORDERS", "REFINED", "Judged", "Order"]

Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """A spectrum, NaN where it does not hold, the verdict behind that where there is one, and the reasons."""

    spectrum: Spectrum
    validity: Validity | None
    warnings: tuple[str, ...]


Finder: TypeAlias = Callable[[Setting, "Floats | None"], Judged]


class Order(NamedTuple):
    """What is assumed of the width, and how the spectrum follows; from the logits (N × C) of one network, if given."""

    assumption: str
    find: Finder


def _squared(setting: Setting, logits: Floats | None) -> Spectrum:
    return spectrum_statistics(setting.kernel)


def _softmax(setting: Setting, logits: Floats | None) -> Spectrum:
    metric, outputs = setting.metric, setting.kernel.outputs

    def ensemble(samples: int) -> Ensemble:
        if logits is not None:
            return given_logits(logits, metric.centered)
        return draw_ensemble(setting.parameters, outputs, samples, metric.centered)

    return softmax_spectrum(setting.kernel, ensemble)


LEADING: Mapping[str, Callable[[Setting, Floats | None], Spectrum]] = {"mse": _squared, "cross_entropy": _softmax}
"""Loss → its spectrum to leading order."""

REFINED: Mapping[str, tuple[str, str]] = {
    "mse": ("refined", "refine"),
    "cross_entropy": ("softmax_law", "refine_softmax"),
}
"""Loss → the file of :mod:`meanfield.finite_width` that refines its spectrum, loaded when asked for, and function."""


def _leading(setting: Setting, logits: Floats | None) -> Judged:
    spectrum, reasons = judge(setting.metric, setting.kernel, LEADING[setting.metric.loss](setting, logits))
    return Judged(spectrum, None, reasons)


def _refined(setting: Setting, logits: Floats | None) -> Judged:
    loss = setting.metric.loss
    if loss not in REFINED:
        raise ValueError(f"order: expected leading for the loss {loss}, got 'refined'")
    file, function = REFINED[loss]
    refine = getattr(importlib.import_module(f"meanfield.finite_width.{file}"), function)
    return Judged(*refine(setting))


def _telling(find: Finder) -> Finder:
    """``find`` whose answer also says where the order parameters behind it are not known as well as they should be."""

    def found(setting: Setting, logits: Floats | None) -> Judged:
        spectrum, validity, warnings = find(setting, logits)
        return Judged(spectrum, validity, (*warnings, *numerical_warnings(setting.parameters)))

    return found


ORDERS: Mapping[str, Order] = {
    "leading": Order(
        "widths M → ∞ at fixed depth and outputs; one network differs from the mean over networks by a relative order "
        "1/√M",
        _telling(_leading),
    ),
    "refined": Order(
        "widths M large against depth and outputs: relative corrections of order 1/M are in, those of order 1/M² are "
        "not; std and interval are the spread over networks",
        _telling(_refined),
    ),
}

"""The orders in the width that a prediction can be asked for: each makes a judged spectrum of a setting."""

from __future__ import annotations

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

__all__ = ["ORDERS", "Found", "Order"]

Floats = NDArray[np.float64]


class Found(NamedTuple):
    """A spectrum, NaN where it does not hold, the verdict behind that where there is one, and the reasons."""

    spectrum: Spectrum
    validity: Validity | None
    warnings: tuple[str, ...]


Finder: TypeAlias = Callable[[Setting, "Floats | None"], Found]


class Order(NamedTuple):
    """What is assumed of the width, and how the spectrum follows; from the logits (N × C) of one network, if given."""

    assumption: str
    find: Finder


def _leading(setting: Setting, logits: Floats | None) -> Found:
    spectrum, reasons = judge(setting.metric, setting.kernel, _spectrum(setting, logits))
    return Found(spectrum, None, reasons)


def _spectrum(setting: Setting, logits: Floats | None) -> Spectrum:
    kernel, metric = setting.kernel, setting.metric
    if metric.loss == "mse":
        return spectrum_statistics(kernel)

    def ensemble(samples: int) -> Ensemble:
        if logits is not None:
            return given_logits(logits, metric.centered)
        return draw_ensemble(setting.parameters, kernel.outputs, samples, metric.centered)

    return softmax_spectrum(kernel, ensemble)


def _refined(setting: Setting, logits: Floats | None) -> Found:
    if setting.metric.loss == "mse":
        from meanfield.finite_width.refined import refine as refined
    else:
        from meanfield.finite_width.softmax_law import refine_softmax as refined
    return Found(*refined(setting))


def _telling(find: Finder) -> Finder:
    """``find`` whose answer also says where the order parameters behind it are not known as well as they should be."""

    def found(setting: Setting, logits: Floats | None) -> Found:
        spectrum, validity, warnings = find(setting, logits)
        return Found(spectrum, validity, (*warnings, *numerical_warnings(setting.parameters)))

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

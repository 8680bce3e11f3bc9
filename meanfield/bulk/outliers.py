"""The outliers above the bulk: which law answers, and where there is none.

Two laws give them, independently. Finite-width theory (:mod:`meanfield.finite_width`) answers for the mean network with
standard inputs, so that ``predict(order="refined")`` and ``spectrum`` say one thing: it has the third moment of the
outputs' splitting and the bulk's push. The linear response of :mod:`meanfield.bulk.giant_outliers` takes any order
parameters, so it answers for those of one network, and for inputs with a covariance; of relative order C/M it is wrong.
"""

from __future__ import annotations

import numpy as np

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.giant_outliers import Outliers, giant_outliers
from meanfield.finite_width.refined import refine
from meanfield.kernels.setting import Setting
from meanfield.leading.conditions import outlier_margin

__all__ = ["mean_outliers", "other_outliers"]

_NONE = Outliers(np.zeros(0), np.zeros(0))


def mean_outliers(setting: Setting, x: BulkFeatures, row_variance: float) -> tuple[Outliers, tuple[str, ...]]:
    """Those of the mean network at one width and sample number, in the metric's units; and what to know of them.

    None where they have merged with the bulk. Where finite-width theory says of itself that it does not hold, linear
    response answers, and the reasons say so.
    """
    if _swallowed(setting):
        return _NONE, ()
    spectrum, validity, reasons = refine(setting)
    if not validity.edge < 1:
        return _NONE, ()
    if not validity.outliers:
        return other_outliers(setting, x, row_variance)[0], (_BY_RESPONSE, *reasons)
    networks = (spectrum.networks or {})["outliers"]
    return Outliers(spectrum.outliers, networks.std(axis=0, ddof=1)), ()


def other_outliers(setting: Setting, x: BulkFeatures, row_variance: float) -> tuple[Outliers, tuple[str, ...]]:
    """The same of one network's order parameters, or of inputs with a covariance, that ``x`` has; ``setting`` has the
    mean network's. ``row_variance``: over samples, of the kernel's row means."""
    if _swallowed(setting):
        return _NONE, ()
    return giant_outliers(x, row_variance).scaled(float(setting.kernel.normaliser)), ()


_BY_RESPONSE = (
    "outliers: a first approximation by linear response, off by a relative order C/M and, for few samples, by several "
    "percent, since the refined order does not hold here"
)


def _swallowed(setting: Setting) -> bool:
    """Whether nothing stands out: there are no common parts, or less of them than the entries' noise."""
    return setting.metric.centered or not outlier_margin(setting.kernel) > 1

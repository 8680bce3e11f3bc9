"""Plain-text tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meanfield.text import format_table, plain, power

if TYPE_CHECKING:
    import pandas

    from meanfield.prediction.answer import Prediction

__all__ = ["prediction_frame", "prediction_record", "prediction_rows", "prediction_table"]


def prediction_rows(prediction: Prediction) -> tuple[list[str], list[list[str]]]:
    """Header, and one row of numbers for each width and sample number."""
    statistics = ("mean", "second_moment", "largest")
    columns = [prediction.width, prediction.samples, *(getattr(prediction, s) for s in statistics)]
    columns += [np.sum(np.isfinite(prediction.outliers), axis=-1), prediction.bulk[0], prediction.dimension]
    rows = [
        [str(m), str(n), *(f"{x:.5g}" for x in values), str(count), f"{bulk:.5g}", str(p)]
        for m, n, *values, count, bulk, p in zip(*map(np.ravel, columns), strict=True)
    ]
    return ["width", "samples", *statistics, "outliers", "bulk", "dimension"], rows


def prediction_table(prediction: Prediction) -> str:
    """One row for each width and sample number, then exponents and warnings."""
    exponents = ", ".join(f"{k} M^{power(m)} N^{power(n)}" for k, (m, n) in prediction.exponents.items())
    lines = [f"{prediction.metric.label}, {prediction.order} order", format_table(*prediction_rows(prediction))]
    lines += [] if prediction.networks is None else [format_table(*spread_rows(prediction))]
    lines += [f"exponents: {exponents}", *(f"warning: {w}" for w in prediction.warnings)]
    return "\n".join(lines)


def spread_rows(prediction: Prediction) -> tuple[list[str], list[list[str]]]:
    """Header, and a row for each statistic, width and sample number: its mean over networks, their standard deviation
    and the interval in which 95 % of them lie. For a prediction that knows the law over networks."""
    std, interval = prediction.std or {}, prediction.interval() or {}
    rows = []
    for name in ("mean", "second_moment", "largest"):
        columns = (prediction.width, prediction.samples, getattr(prediction, name), std[name], *_ends(interval[name]))
        for m, n, *values in zip(*map(np.ravel, columns), strict=True):
            rows.append([name, str(m), str(n), *(f"{x:.5g}" for x in values)])
    return ["over networks", "width", "samples", "mean", "std", "from", "to (95 %)"], rows


def _ends(interval: Any) -> tuple[Any, Any]:
    return interval[..., 0], interval[..., 1]


def prediction_record(prediction: Prediction) -> dict[str, Any]:
    """The prediction as JSON-ready plain data; NaN becomes ``None``."""
    p = prediction
    arrays = ("width", "samples", "dimension", "mean", "second_moment", "largest", "outliers")
    optional = ("critical_learning_rate", "condition_number", "std", "bounds")
    validity = None if p.validity is None else {name: plain(values) for name, values in vars(p.validity).items()}
    return {
        "network": p.network.to_dict(),
        "metric": p.metric.to_dict(),
        "order": p.order,
        **{name: plain(getattr(p, name)) for name in arrays},
        "bulk": {"mean": plain(p.bulk[0]), "multiplicity": plain(p.bulk[1])},
        "exponents": {k: {"width": plain(m), "samples": plain(n)} for k, (m, n) in p.exponents.items()},
        **{name: plain(getattr(p, name)) for name in optional},
        "interval": plain(p.interval()),
        "validity": validity,
        "error": plain(p.error),
        "assumptions": list(p.assumptions),
        "warnings": list(p.warnings),
    }


def prediction_frame(prediction: Prediction) -> pandas.DataFrame:
    """One row for each width and sample number. Needs pandas."""
    import pandas

    names = ("width", "samples", "dimension", "mean", "second_moment", "largest")
    columns = {name: getattr(prediction, name) for name in names} | {"bulk": prediction.bulk[0]}
    columns |= {f"outlier_{k + 1}": prediction.outliers[..., k] for k in range(prediction.outliers.shape[-1])}
    return pandas.DataFrame({name: np.ravel(values) for name, values in columns.items()})

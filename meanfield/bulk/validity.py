"""Where the law of the bulk degrades: what its result says of itself."""

from __future__ import annotations

import numpy as np

from meanfield.bulk.features import BulkFeatures
from meanfield.bulk.giant_outliers import Outliers
from meanfield.bulk.input_checks import NARROW_RIDGE, WIDE_RIDGE
from meanfield.bulk.sample_noise import SampleNoise
from meanfield.bulk.solution import Solution
from meanfield.spec import Metric
from meanfield.text import applying

__all__ = ["bulk_status", "bulk_warnings"]

_FEW_INPUTS = 1 / 4  # M_0/N below which single samples' norms leave the bulk
_DEEP = 0.02  # L/M above which one network differs visibly from the mean one
_LOUD = 0.3  # relative spread of the ridge above which its semicircle is no longer a correction


def bulk_status(x: BulkFeatures, solution: Solution) -> str:
    """That of the solution, unless the inputs are none that it is about."""
    if solution.status == "ok" and x.has_ridge and x.inputs.ridge_spread > WIDE_RIDGE:
        return "the inputs are not those of the law (a warning has the number)"
    return solution.status


def bulk_warnings(metric: Metric, x: BulkFeatures, noise: SampleNoise, outliers: Outliers) -> tuple[str, ...]:
    """The reasons to be careful, in sentences."""
    spread = np.sqrt(noise.ridge) / x.ridge if x.ridge > 0 else 0.0
    hidden = x.widths[1:] if x.depth > 1 else x.widths
    ridge = x.inputs.ridge_spread if x.has_ridge else 0.0
    reasons = {
        _BENT.format(ridge): NARROW_RIDGE < ridge <= WIDE_RIDGE,
        _BROKEN.format(ridge): ridge > WIDE_RIDGE,
        _INPUTS: x.ridge > 0 and x.widths[0] < _FEW_INPUTS * x.samples,
        _OUTPUTS: x.outputs > 1 and x.ridge > 0,
        _NARROW: x.depth > _DEEP * float(np.min(hidden)),
        _NOISE: spread > _LOUD,
        _MERGED: len(outliers.values) == 0 and not metric.centered and x.other > 1e-14 * x.same,
    }
    return applying(reasons)


_RIDGE = (
    "inputs: what the activations bend of them is taken for one eigenvalue, the ridge, but spreads by {:.2g} of it: "
)
_BENT = _RIDGE + "the bulk is a first approximation (Kolmogorov distances up to 0.09 were measured at 0.3 to 0.6)"
_BROKEN = _RIDGE + (
    "the bulk is not described (Kolmogorov distances were mostly above 0.1, and outliers off by up to 40 %, above "
    "0.6); given_spectrum takes the kernel of these inputs themselves"
)
_INPUTS = (
    "edges: far fewer inputs than samples (M_0 << N): single samples' norms differ so much that eigenvalues of theirs "
    "lie in gaps of the bulk and beside it, which the law does not show"
)
_OUTPUTS = (
    "edges: for several outputs measured spectra begin below the lower edge and end above the upper one, the more the "
    "more outputs (both by more than 10 % at C = 10): their gradients are not yet orthogonal at finite width"
)
_NARROW = (
    "deep and narrow: one network's kernels differ visibly from the mean network's; give its own by kernels=, or "
    "compare after scaling to equal means"
)
_NOISE = "finite-size terms are not small (N is no longer far below M²): they are a first approximation only"
_MERGED = (
    "outliers: the kernel's common part K₂ does not stand out of the bulk; its C eigenvalues are counted in the bulk"
)

"""Kernels by their definition, from Jacobians (N, C, P) made elsewhere."""

import numpy as np
import pytest

CONTRACTED = {"full": "nkp,mjp->knjm", "each": "nkp,mkp->knm", "sum": "nkp,mkp->nm"}


def defined(outputs, jacobian, other=None, scale=1.0):
    return scale * np.einsum(CONTRACTED[outputs], jacobian, jacobian if other is None else other, optimize=True)


@pytest.fixture(scope="session")
def definition():
    """The function: (outputs, jacobian, other=None, scale=1) → the kernel."""
    return defined

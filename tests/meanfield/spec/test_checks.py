"""What counts as a number, an integer and one value a layer."""

from __future__ import annotations

import numpy as np
import pytest

from meanfield import FIM, Network, predict
from meanfield.spec.activations import as_activation


def test_zero_dimensional_arrays_are_numbers() -> None:
    plain = Network(3, "tanh", 1.5, 0.1)
    assert Network(np.array(3), "tanh", np.array(1.5), np.float32(0.1).astype(float)).weight_variance == (1.5,) * 3
    assert Network(np.int64(3), "tanh", np.array(1.5), np.array(0.1)) == plain
    torch = pytest.importorskip("torch")
    assert Network(3, "tanh", torch.tensor(1.5, dtype=torch.float64), 0.1) == plain


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Network(3, {"tanh", "relu"}, 1.0), TypeError, "activation: expected one value or a sequence, got set"),
        (lambda: Network(2, "tanh", {1.0: 2.0, 2.0: 1.0}), TypeError, "weight_variance: .* got dict"),
        (lambda: Network(4, ["tanh"], 1.0), ValueError, "a sequence of 3 .one per layer., got one of 1"),
        (
            lambda: Network(3, "tanh", 1.0, width_ratios=[1]),
            ValueError,
            "a sequence of 3 .one per layer., got one of 1",
        ),
        (lambda: Network(10**400, "tanh", 1.0), ValueError, r"depth: .* at most .*, got one of 1329 bits"),
        (lambda: Network(2, "tanh", 1.0).widths(10**19), ValueError, "width: expected an integer of at most"),
        (lambda: as_activation("celu(0)"), ValueError, "an a other than 0"),
    ],
)
def test_refusals(make: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()  # type: ignore[operator]


def test_sizes_that_no_array_holds() -> None:
    with pytest.raises(ValueError, match=r"width: expected integers of at most .*, got 1" + "0" * 19):
        predict(Network(2, "tanh", 1.0, 0.1), FIM(), width=10**19, samples=10)


@pytest.mark.parametrize("text", ["u*exp(-u**2)", "tanh(3*u)", "tanh(u)", "sin(u)/u", "Max(u, 0)**1.5", "u"])
def test_text_is_an_expression(text: str) -> None:
    phi = as_activation(text)
    assert phi.name == text
    assert phi.function()(np.array([0.5]))[0] == pytest.approx(
        float(phi.expression.subs(next(iter(phi.expression.free_symbols)), 0.5)), rel=1e-14
    )


@pytest.mark.parametrize(
    "text", ["__import__('os').system('u')", "u.__class__", "leaky_relu(u)", "u + v", "[u]", "u;u"]
)
def test_other_text_is_refused_unread(text: str) -> None:
    with pytest.raises(ValueError, match="activation"):
        as_activation(text)

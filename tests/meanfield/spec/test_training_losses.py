"""Critical learning rates of the losses that torch knows, against its own Hessians and gradient descent."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from empirical import measure, measure_module
from meanfield import FIM, NTK, InputMetric, Network, predict
from meanfield.prediction.grids import predict_grid
from meanfield.spec import TRAINING_LOSSES

OUTPUTS, SAMPLES = 3, 6

TORCH = {
    "half_squared_error": lambda f, y: ((f - y) ** 2).sum() / (2 * len(f)),
    "MSELoss": nn.MSELoss(),
    "CrossEntropyLoss": nn.CrossEntropyLoss(),
}


def net() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, OUTPUTS)).double().eval()
    return model, torch.randn(SAMPLES, 4, dtype=torch.float64)


def at_the_minimum(loss: str, f: torch.Tensor) -> torch.Tensor:
    """Labels that the network meets already."""
    return f.softmax(1) if loss == "CrossEntropyLoss" else f


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("metric", [FIM, NTK])
def test_an_edge_is_two_over_the_largest_eigenvalue_of_torchs_hessian(name: str, metric) -> None:
    model, x = net()
    parameters = nn.utils.parameters_to_vector(model.parameters()).detach()
    labels = at_the_minimum(name, model(x).detach())

    def loss(theta: torch.Tensor) -> torch.Tensor:
        parts = torch.split(theta, [p.numel() for p in model.parameters()])
        named = {k: part.view_as(p) for (k, p), part in zip(model.named_parameters(), parts, strict=True)}
        return TORCH[name](torch.func.functional_call(model, named, (x,)), labels)

    hessian = torch.autograd.functional.hessian(loss, parameters)
    expected = 2 / float(torch.linalg.eigvalsh(hessian)[-1])
    row = TRAINING_LOSSES[name]
    found = measure_module(model, x, metric(loss=row.of))
    assert found.critical_learning_rates[name].value == pytest.approx(expected)
    if name != "MSELoss":
        assert found.critical_learning_rate == pytest.approx(expected)


@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_gradient_descent_on_mseloss_leaves_the_minimum_beyond_its_rate(share: float, grows: bool) -> None:
    model, x = net()
    rate = float(measure_module(model, x, FIM()).critical_learning_rates["MSELoss"].value)
    labels = model(x).detach()
    with torch.no_grad():
        for p in model.parameters():
            p += 1e-7 * torch.randn_like(p)
    optimiser = torch.optim.SGD(model.parameters(), lr=share * rate)
    losses = []
    for _ in range(300):
        optimiser.zero_grad()
        loss = nn.MSELoss()(model(x), labels)
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
    assert (losses[-1] > losses[100]) is grows


def test_the_cross_entropy_never_rises_at_the_guaranteed_rate_of_its_linear_model() -> None:
    """‖Q‖ <= 1/2: the descent lemma, on f linear in the parameters; hard labels, from many starts."""
    model, x = net()
    rate = float(measure_module(model, x, FIM()).critical_learning_rates["CrossEntropyLoss (guaranteed)"].value)
    jacobians = torch.func.jacrev(lambda named: torch.func.functional_call(model, named, (x,)))(
        dict(model.named_parameters())
    )
    jacobian = torch.cat([j.reshape(SAMPLES * OUTPUTS, -1) for j in jacobians.values()], dim=1).detach()
    labels = torch.arange(SAMPLES) % OUTPUTS
    for seed in range(20):
        f = 5 * torch.randn(SAMPLES * OUTPUTS, generator=torch.manual_seed(seed), dtype=torch.float64)
        before = math.inf
        for _ in range(50):
            f.requires_grad_()
            loss = nn.CrossEntropyLoss()(f.view(SAMPLES, OUTPUTS), labels)
            assert loss.item() <= before
            before = loss.item()
            (gradient,) = torch.autograd.grad(loss, f)
            f = (f - rate * jacobian @ (jacobian.T @ gradient)).detach()


@pytest.mark.parametrize("metric", [FIM, NTK])
def test_theory_and_measurement_speak_of_the_same_rates(metric) -> None:
    network = Network(2, "tanh", 2.0, 0.3, outputs=OUTPUTS)
    squared, softmax = (predict(network, metric(loss=name), width=50, samples=40) for name in ("mse", "cross_entropy"))
    scale = 1 if metric is FIM else 40
    assert {k: float(r.value) for k, r in squared.critical_learning_rates.items()} == pytest.approx(
        {
            "half_squared_error": 2 * scale / squared.largest,
            "MSELoss": OUTPUTS * scale / squared.largest,
            "CrossEntropyLoss (guaranteed)": 4 * scale / squared.largest,
        }
    )
    assert {k: float(r.value) for k, r in softmax.critical_learning_rates.items()} == pytest.approx(
        {"CrossEntropyLoss": 2 * scale / softmax.largest, "CrossEntropyLoss (guaranteed)": 4 * scale / squared.largest}
    )
    assert softmax.critical_learning_rate == softmax.critical_learning_rates["CrossEntropyLoss"].value
    measured = measure(network, metric(), width=50, samples=40)
    assert measured.critical_learning_rates.keys() == squared.critical_learning_rates.keys()
    assert measured.critical_learning_rate == pytest.approx(2 * scale / measured.largest)
    grid = predict_grid("tanh", [2.0], [0.3], metric(), depth=2, width=50, samples=40, outputs=OUTPUTS)
    for name, rate in squared.critical_learning_rates.items():
        assert grid.critical_learning_rates[name].value == pytest.approx([float(rate.value)])


def test_every_rate_names_its_loss_in_tables_and_plain_data() -> None:
    network = Network(2, "tanh", 2.0, 0.3, outputs=OUTPUTS)
    answers = predict(network, FIM(), width=50, samples=40), measure(network, FIM(), width=50, samples=40)
    for answer in answers:
        plain = json.loads(json.dumps(answer.to_dict()))["critical_learning_rates"]
        assert plain["MSELoss"]["loss"] == "(1/NC) Σ |f - y|²"
        assert plain["CrossEntropyLoss (guaranteed)"]["kind"] == "guaranteed"
        for text in (str(answer), answer._repr_html_()):
            assert "MSELoss" in text
            assert "(1/2N) Σ |f - y|²" in text
            assert "guaranteed" in text


@pytest.mark.parametrize("metric", [FIM(layer=1), NTK(centered=True), InputMetric()], ids=str)
def test_what_gradient_descent_does_not_feel_has_no_rate(metric) -> None:
    network = Network(2, "tanh", 2.0, 0.3, outputs=OUTPUTS)
    for answer in (predict(network, metric, width=50, samples=40), measure(network, metric, width=50, samples=40)):
        assert answer.critical_learning_rates == {}
        assert answer.critical_learning_rate is None
        assert "learning rate" not in str(answer)


def test_what_is_not_known_has_a_reason_beside_it() -> None:
    network = Network(2, "tanh", 2.0, 0.3, outputs=OUTPUTS)
    moments = measure(network, FIM(), width=20, samples=10, spectrum="moments")
    assert np.isnan(moments.critical_learning_rate)
    assert "spectrum='moments'" in moments.warnings[0]
    assert moments.to_dict()["warnings"] == list(moments.warnings)
    alone = measure(network, FIM(), width=20, samples=1)
    assert [w.split(":")[0] for w in alone.warnings] == ["bulk_largest", "order_parameters"]
    assert measure(network, FIM(), width=20, samples=10).warnings == ()


def test_a_softmax_of_one_output_has_no_rate() -> None:
    network = Network(2, "tanh", 2.0, 0.3)
    for answer in (predict(network, FIM(), width=50, samples=40), measure(network, FIM(), width=50, samples=40)):
        assert list(answer.critical_learning_rates) == ["half_squared_error", "MSELoss"]


def test_the_command_names_the_loss_of_each_rate(capsys) -> None:
    from empirical.cli import main

    asked = ["--activation", "tanh", "--weight-variance", "2", "--depth", "2", "--width", "20", "--samples", "5"]
    assert main(["measure", *asked, "--outputs", "2"]) == 0
    said = capsys.readouterr().out
    for words in ("learning rate, (1/2N) Σ |f - y|², edge", "MSELoss, edge", "CrossEntropyLoss, guaranteed"):
        assert words in said

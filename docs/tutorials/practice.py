# %% [markdown]
# # For the practitioner
#
# Which learning rate does this initialisation bear, and how sharp does the loss get as I widen or deepen the network?
#
# Run it whole (`python docs/tutorials/practice.py`, a quarter of a minute) or cell by cell. The last cells need PyTorch
# (`pip install 'meanfield-spectra[torch]'`).

# %% The answer for one initialisation: λ_max of the Fisher information, and what each loss bears.
import numpy as np
import torch

from empirical import measure, measure_module
from meanfield import FIM, NTK, Network, initialisation, predict

he = initialisation("he", "relu")
mlp = Network(depth=4, activation="relu", weight_variance=he[0], bias_variance=0.1, outputs=10)
p = predict(mlp, FIM(), width=512, samples=256)
for name, rate in p.critical_learning_rates.items():
    print(f"σ_w² = {he[0]:g}, λ_max = {float(p.largest):.1f}: {name} up to {float(rate.value):.4f} ({rate.loss.kind})")

# %% Wider: in the standard parameterisation the bearable learning rate falls like 1/M, in that of the NTK it stays.
# Here and below for the loss (1/2N) Σ |f - y|²; that of MSELoss is C/2 times as large.
widths = np.array([128, 256, 512, 1024, 2048])
standard = predict(mlp, FIM(), width=widths, samples=256).critical_learning_rate
ntk = predict(mlp, NTK(), width=widths, samples=256).critical_learning_rate
for m, a, b in zip(widths, standard, ntk, strict=True):
    print(f"M = {m:5d}: {a:.5f} standard, {b:.3f} NTK")

# %% Deeper: what the initialisation does, at the same width.
for name, (weight, bias) in {"he": (he[0], 0.1), "lecun": (*initialisation("lecun", "relu")[:1], 0.1)}.items():
    rates = [
        float(predict(Network(depth, "relu", weight, bias, 10), FIM(), width=512, samples=256).critical_learning_rate)
        for depth in (2, 4, 8, 16)
    ]
    print(f"{name:5s} L = 2, 4, 8, 16:", *(f"{rate:.4f}" for rate in rates))

# %% Is a real network like that? Finite width makes the sharpest direction sharper, the more the deeper the network.
small = Network(depth=4, activation="relu", weight_variance=he[0], bias_variance=0.1, outputs=10)
lambdas = [measure(small, FIM(), width=256, samples=64, seed=s).largest for s in range(5)]
expected = float(predict(small, FIM(), width=256, samples=64).largest)
print(f"λ_max measured / predicted, five networks: {np.round(np.array(lambdas) / expected, 2)}")

# %% Your own torch model, trained or not: the same statistics from `measure_module`.
torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
model = torch.nn.Sequential(
    torch.nn.Linear(100, 200), torch.nn.Tanh(), torch.nn.Linear(200, 200), torch.nn.Tanh(), torch.nn.Linear(200, 3)
)
x = torch.randn(50, 100)
found = measure_module(model.eval(), x, FIM())
edge = float(found.critical_learning_rates["MSELoss"].value)
print(found)

# %% The edge is real: a little off the labels, gradient descent settles below it and leaves above it.
start = [q.detach().clone() for q in model.parameters()]
labels = model(x).detach() + 1e-4 * torch.randn(50, 3)


def loss() -> torch.Tensor:
    return torch.nn.functional.mse_loss(model(x), labels)


def loss_after(rate: float, steps: int = 60) -> float:
    for q, value in zip(model.parameters(), start, strict=True):
        q.data.copy_(value)
    for _ in range(steps):
        model.zero_grad()
        loss().backward()
        for q in model.parameters():
            q.data.sub_(rate * q.grad)
    return loss().item()


before = loss().item()
for factor in (0.9, 1.1):
    print(f"{factor} of the edge: loss {before:.1e} → {loss_after(factor * edge):.1e} in 60 steps")

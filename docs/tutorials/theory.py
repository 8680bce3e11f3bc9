# %% [markdown]
# # For the theory researcher
#
# You have an activation, a depth and an initialisation, and ask: what are mean, second moment and outliers of the
# Fisher information, the NTK or the input metric, by which formula, with which error and under which assumptions; and
# does a real random network agree?
#
# Run it whole (`python docs/tutorials/theory.py`, half a minute) or cell by cell in an editor that knows `# %%`.

# %% The formula. Closed forms are derived, for activations of your own too.
import tempfile
from pathlib import Path

import numpy as np

from empirical import measure
from meanfield import FIM, NTK, Activation, InputMetric, Network, derive, edge_of_chaos, order_parameters, predict
from verify import Sweep, compare, report, run
from verify.reporting import Document

print(derive(Activation("mine", "u*exp(-u**2/2)")))

# %% Order parameters, layer by layer, with an estimate of their error. What has no closed form is integrated.
tanh = Network(depth=3, activation="tanh", weight_variance=3.0, bias_variance=0.64, outputs=10)
op = order_parameters(tanh)
print("q     ", op.q)
print("q_st  ", op.q_st)
print(f"largest relative error: {op.error:.0e} ({op.status})")
print(f"edge of chaos at σ_b² = 0.64: σ_w² = {float(edge_of_chaos('tanh', 0.64)):.4f}")

# %% Predictions: arrays of widths and sample numbers broadcast. Assumptions and warnings travel with the numbers.
p = predict(tanh, FIM(), width=[250, 500, 1000], samples=100)
print(p)
print("it assumes:", *p.assumptions, sep="\n  ")

# %% A valid question without an answer gives NaN and says why: here K₂ is the biases' alone.
block = predict(tanh, FIM(layer=1), width=1000, samples=100)
print(block.largest, *block.warnings)

# %% Does a real network agree? One network differs from the mean over networks by a relative order 1/√M.
for metric in (FIM(), NTK(), InputMetric()):
    theory = predict(tanh, metric, width=500, samples=50)
    one = measure(tanh, metric, width=500, samples=50, seed=0)
    ratios = [one.mean / theory.mean, one.second_moment / theory.second_moment, np.mean(one.outliers) / theory.largest]
    print(f"{metric.label}: mean, second moment, outliers: {np.round(ratios, 3)} of the prediction")

# %% Cross-entropy: the outliers themselves, where Theorem 3.3 has bounds.
cross = predict(tanh, FIM(loss="cross_entropy"), width=1000, samples=100)
print("outliers:", np.round(cross.outliers, 1), "bounds on the first:", np.round(np.array(cross.bounds), 1))

# %% Theory against experiment as a sweep: your activation, four widths, a verdict in the limit of infinite width.
sweep = Sweep(
    name="mine",
    title="u exp(-u²/2), Fisher information against the width",
    grid={
        "activation": [{"name": "mine", "text": "u*exp(-u**2/2)"}], "depth": [3], "weight_variance": [3.0],
        "bias_variance": [0.5], "outputs": [3], "samples": [30], "width": [64, 128, 256, 512], "metric": ["fim", "ntk"],
    },
    run={"trials": 20, "seed": 1},
    verdict={"refined_delta": 0.1},
)  # fmt: skip
folder = Path(tempfile.mkdtemp())
with run(sweep, folder / "mine.sqlite", jobs=1, progress=False) as store:
    print(Document(compare(sweep, store.trials())).headline)
    print("report:", report(store, folder / "report")["html"])

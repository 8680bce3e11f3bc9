"""Makes tests/data/order_parameters.json: the six order parameters of theory.md §2, and 1 - c of every layer.

    python tests/generators/order_parameters.py

mpmath alone, nothing of the library. The recursions run in extended precision with a trapezoidal rule (mp_analytic) or
arc-cosine kernels (mp_piecewise), twice: at an aim of 56 digits and of 60 with 0.87 of the step. The largest relative
difference of the two runs over all layers is recorded for each order parameter as ``error``; the values are the second
run's. 1 - c = σ_w² (q̂ - q̂_st)/q is a difference: it loses as many digits as it is small, and keeps more than 20.
Variances are the decimals in the table. Run time: about a minute.
"""

import json
from pathlib import Path
from typing import NamedTuple

import mp_activations as activations
from mp_analytic import Rule, expectations
from mp_piecewise import homogeneous
from mpmath import mp, mpf, nstr

TABLE = Path(__file__).parents[1] / "data" / "order_parameters.json"
RUNS = Rule(56, 1, False), Rule(60, mpf("0.87"), True)


class Case(NamedTuple):
    name: str
    activation: tuple[str, ...]
    weight_variance: tuple[str, ...]
    bias_variance: tuple[str, ...]


def same(name: str, activation: str, depth: int, weight_variance: str, bias_variance: str) -> Case:
    return Case(name, (activation,) * (depth - 1), (weight_variance,) * depth, (bias_variance,) * depth)


CASES = [
    same("theory.md §8", "tanh", 3, "3", "0.64"),
    same("tanh, ordered", "tanh", 10, "1.4", "0.3"),
    same("tanh, chaotic", "tanh", 5, "10", "0.1"),
    same("tanh, centred, ordered", "tanh", 6, "0.9", "0"),
    same("tanh, close to the critical line", "tanh", 20, "1.05", "2e-5"),
    same("tanh, deep ordered", "tanh", 60, "0.8", "0.3"),
    same("silu", "silu", 4, "2", "0.1"),
    same("relu", "relu", 3, "2", "0.1"),
    Case("mixed", ("tanh", "silu", "relu"), ("2", "1.5", "3", "1.2"), ("0.1", "0.2", "0", "0.3")),
]


def averages(name: str, q: mpf, gap: mpf, rule: Rule) -> dict[str, mpf]:
    """E[φ²], E[φφ], E[φ'²], E[φ'φ'] at variance q and 1 - c = gap."""
    if name in activations.HOMOGENEOUS:
        _, degree, right, left = activations.HOMOGENEOUS[name]
        equal, apart = (homogeneous(degree, mpf(right), mpf(left), q, g) for g in (mpf(0), gap))
    else:
        _, pair, rho = activations.ANALYTIC[name]
        of_value, of_slope = expectations(pair, rho(), q, {"gap": gap}, rule)
        equal, apart = (of_value.square, of_slope.square), (of_value.pairs["gap"], of_slope.pairs["gap"])
    return {"phi2": equal[0], "phi_phi": apart[0], "dphi2": equal[1], "dphi_dphi": apart[1]}


def order_parameters(case: Case, rule: Rule) -> dict[str, list[mpf]]:
    """q, q_st, 1 - c, backward for l = 1..L, forward for l = 0..L-1."""
    depth = len(case.weight_variance)
    weight, bias = [mpf(x) for x in case.weight_variance], [mpf(x) for x in case.bias_variance]
    forward, forward_st, q, q_st, gap, slopes = [mpf(1)], [mpf(0)], [], [], [], []
    for l in range(depth):
        q.append(weight[l] * forward[l] + bias[l])
        q_st.append(weight[l] * forward_st[l] + bias[l])
        gap.append(weight[l] * (forward[l] - forward_st[l]) / q[l])
        if l < depth - 1:
            found = averages(case.activation[l], q[l], gap[l], rule)
            forward.append(found["phi2"])
            forward_st.append(found["phi_phi"])
            slopes.append((found["dphi2"], found["dphi_dphi"]))
    backward, backward_st = [mpf(1)], [mpf(1)]
    for l in reversed(range(depth - 1)):
        backward.insert(0, weight[l + 1] * backward[0] * slopes[l][0])
        backward_st.insert(0, weight[l + 1] * backward_st[0] * slopes[l][1])
    return {"q": q, "q_st": q_st, "one_minus_c": gap, "forward": forward, "forward_st": forward_st,
            "backward": backward, "backward_st": backward_st}  # fmt: skip


def run(case: Case, rule: Rule) -> dict[str, list[mpf]]:
    with mp.workdps(rule.digits + 14):
        return order_parameters(case, rule)


def relative(first: mpf, second: mpf) -> mpf:
    return abs(first - second) / abs(second) if abs(second) > mpf(10) ** -50 else mpf(0)


def row(case: Case) -> dict[str, object]:
    first, second = (run(case, rule) for rule in RUNS)
    errors = {k: nstr(max(map(relative, first[k], second[k])), 2) for k in second}
    values = {k: [nstr(x, 30) if abs(x) > mpf(10) ** -50 else "0.0" for x in second[k]] for k in second}
    return {**case._asdict(), "depth": len(case.weight_variance), **values, "error": errors}


def main() -> None:
    mp.dps = RUNS[1].digits + 14
    rows = []
    for case in CASES:
        rows.append(row(case))
        print(case.name, rows[-1]["error"], flush=True)
    about = {
        "made_by": "tests/generators/order_parameters.py, where the rules are explained",
        "layers": "q, q_st, one_minus_c, backward, backward_st: l = 1..L; forward, forward_st: l = 0..L-1",
        "error": "largest relative error estimate over the layers",
    }
    TABLE.write_text(json.dumps({"about": about, "networks": rows}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

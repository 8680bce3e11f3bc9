"""Makes tests/data/gaussian_expectations.json: true values of E[φ²], E[φ(u)φ(v)], E[φ'²], E[φ'(u)φ'(v)].

    python tests/generators/gaussian_expectations.py                  the whole table
    python tests/generators/gaussian_expectations.py --only tanh silu    these, into the table that is there
    python tests/generators/gaussian_expectations.py --check          a random part of the table against other rules

(u, v) ~ N(0, q [[1, c], [c, 1]]). mpmath alone, nothing of the library: every activation is spelled out in
mp_activations.py. q, 1 - c and the activations' parameters are the decimals in the table, not the nearest doubles.

Every value is computed by two rules and comes with the difference of the two (plus 1e-28 of E[φ²], E[φ'²], for
rounding) as its error estimate. The value is that of the second rule, which is better by 3 digits or so. An estimate
above 1e-21 of E[φ²] (E[φ'²]; of E[φ'φ'] at c = 0 for a jump, whose E[φ'²] is infinite) stops the program.

    kind          first rule                          second rule
    analytic      trapezoidal, aim 1e-27              trapezoidal, aim 1e-30, 0.87 of the step, shifted by half a step
    closed        trapezoidal, aim 1e-27              closed form, 44 digits (first rule of linear and exp: 34 digits)
    homogeneous   Gauss-Legendre, 28 nodes a panel    arcsine law, arc-cosine kernels, 44 digits
    pieces        Gauss-Legendre, 28 nodes, ratio 2   Gauss-Legendre, 34 nodes, ratio 1.8
    softsign      Gauss-Legendre, 22 nodes, ratio 2   Gauss-Legendre, 28 nodes, ratio 1.8

Working precision: at least 14 digits above the aim. Run time: about 15 minutes of CPU, half of that on two idle cores;
each activation's CPU time is in the table.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import mp_activations as activations
import mp_piecewise as piecewise
import mp_softsign
from mp_analytic import Rule, expectations
from mp_piecewise import Panels
from mpmath import isinf, mp, mpf, nstr

TABLE = Path(__file__).parents[1] / "data" / "gaussian_expectations.json"
VARIANCES = ("1e-3", "0.1", "1", "3", "30", "1e3")
GAPS = ("2", "1.9", "1.3", "1", "0.7", "0.1", "1e-3", "1e-6", "1e-12", "0")
WORKING_DIGITS = 44
Results = dict[str, tuple[mpf, mpf]]
"""{1 - c: (E[φφ], E[φ'φ'])}; the entry "0" holds (E[φ²], E[φ'²])."""

# --------------------------------------------------------------------------------------------------------------
# One activation at one q, by one rule


def analytic(pair: activations.Pair, rho: mpf, q: mpf, rule: Rule) -> Results:
    of_value, of_slope = expectations(pair, rho, q, {g: mpf(g) for g in GAPS}, rule)
    return {g: (of_value.pairs[g], of_slope.pairs[g]) for g in GAPS} | {"0": (of_value.square, of_slope.square)}


def pieces(name: str, q: mpf, rule: Panels) -> Results:
    value = activations.PIECES[name][1]()
    slope = piecewise.derivative(value)
    return {g: tuple(piecewise.conditional(f, q, mpf(g), rule) for f in (value, slope)) for g in GAPS}


def homogeneous(name: str, q: mpf) -> Results:
    _, degree, right, left = activations.HOMOGENEOUS[name]
    return {g: piecewise.homogeneous(degree, mpf(right), mpf(left), q, mpf(g)) for g in GAPS}


def closed(name: str, q: mpf) -> Results:
    return {g: activations.CLOSED[name][1](q, mpf(g)) for g in GAPS}


def at_precision(digits: int, function: Callable[..., Results], *arguments: Any) -> Results:
    with mp.workdps(digits):
        return function(*arguments)


def two_rules(name: str, variance: str) -> tuple[str, Results, Results]:
    """The activation's kind, and the results of the first and the second rule."""
    q = mpf(variance)
    first, second = Rule(27, 1, False), Rule(30, mpf("0.87"), True)
    if name in activations.ANALYTIC:
        _, pair, rho = activations.ANALYTIC[name]
        return "analytic", analytic(pair, rho(), q, first), analytic(pair, rho(), q, second)
    if name in activations.CLOSED_AS_ANALYTIC:
        pair, rho = activations.CLOSED_AS_ANALYTIC[name]
        return "closed", analytic(pair, rho, q, first), closed(name, q)
    if name in activations.CLOSED:
        return "closed", at_precision(34, closed, name, q), closed(name, q)
    if name in activations.HOMOGENEOUS:
        jump = activations.HOMOGENEOUS[name][1] == 0
        coarse, exact = pieces(name, q, Panels(26, 28, "2")), homogeneous(name, q)
        # Piecewise rules leave the Dirac deltas of a jump out: there the closed form has a second precision only.
        slopes = at_precision(34, homogeneous, name, q) if jump else coarse
        return "homogeneous", {g: (coarse[g][0], slopes[g][1]) for g in GAPS}, exact
    if name in activations.PIECES:
        return "pieces", pieces(name, q, Panels(26, 28, "2")), pieces(name, q, Panels(29, 34, "1.8"))
    rules = Panels(26, 22, "2"), Panels(29, 28, "1.8")
    return ("softsign", *({g: mp_softsign.pair(q, mpf(g), rule) for g in GAPS} for rule in rules))


# --------------------------------------------------------------------------------------------------------------
# The table


def formulas() -> dict[str, str]:
    tables = (activations.ANALYTIC, activations.CLOSED, activations.HOMOGENEOUS, activations.PIECES)
    return dict(
        sorted({name: row[0] for t in tables for name, row in t.items()}.items() | {("softsign", activations.SOFTSIGN)})
    )


def case(task: tuple[str, str]) -> tuple[str, str, dict[str, Any], float]:
    """(name, kind, the table's entry for one q, seconds of CPU)."""
    name, variance = task
    start = time.process_time()
    mp.dps = WORKING_DIGITS
    kind, first, second = two_rules(name, variance)
    entries = {g: [_entry(first[g][f], second[g][f], _scale(second, f)) for f in (0, 1)] for g in GAPS}
    pairs = [{"gap": g, "c": str(1 - mpf(g)), "phi_phi": entries[g][0], "dphi_dphi": entries[g][1]} for g in GAPS]
    row = {"q": variance, "phi2": entries["0"][0], "dphi2": entries["0"][1], "pairs": pairs}
    return name, kind, row, time.process_time() - start


def _scale(results: Results, f: int) -> mpf:
    return results["1" if isinf(results["0"][f]) else "0"][f]


def _entry(first: mpf, second: mpf, scale: mpf) -> list[str]:
    """[value, absolute error]."""
    if isinf(second):
        return ["inf", "0"]
    error = abs(first - second) + max(scale, abs(second)) * mpf(10) ** -28
    if error > max(scale, abs(second)) * mpf(10) ** -21:
        raise ArithmeticError(f"the two rules differ: {first} {second}")
    resolution = scale * mpf(10) ** -34
    return [nstr(second, 32) if abs(second) > resolution else "0.0", nstr(error, 2)]


def generate(names: list[str], jobs: int) -> None:
    computed = dict.fromkeys(activations.SAME.get(name, name) for name in names)
    tasks = [(name, q) for name in computed for q in reversed(VARIANCES)]
    found: dict[str, dict[str, Any]] = {}
    with Pool(jobs) as pool:
        for done, (name, kind, row, seconds) in enumerate(pool.imap_unordered(case, tasks), start=1):
            entry = found.setdefault(name, {"kind": kind, "cpu_seconds": 0.0, "cases": []})
            entry["cpu_seconds"] = round(entry["cpu_seconds"] + seconds, 1)
            entry["cases"].append(row)
            print(f"{done}/{len(tasks)} {name} q={row['q']}: {seconds:.1f} s", flush=True)
            if len(entry["cases"]) == len(VARIANCES):
                store(name, entry)


def store(name: str, entry: dict[str, Any]) -> None:
    table = json.loads(TABLE.read_text())["activations"] if TABLE.exists() else {}
    entry["cases"].sort(key=lambda row: float(row["q"]))
    for twin in (name, *(k for k, same in activations.SAME.items() if same == name)):
        table[twin] = {"formula": formulas()[twin], "parameters": activations.PARAMETERS.get(twin, {}), **entry}
    partial = TABLE.with_suffix(".partial")
    partial.write_text("".join(_lines(dict(sorted(table.items())))))
    os.replace(partial, TABLE)


def _lines(table: dict[str, Any]) -> Iterator[str]:
    """JSON with one line for each (q, c)."""
    about = {
        "made_by": "tests/generators/gaussian_expectations.py, where the rules are explained",
        "pairs_of": "(u, v) ~ N(0, q [[1, c], [c, 1]]), gap = 1 - c",
        "values": "[value, absolute error estimate]; parameters, q and gap are exact decimals",
        "working_digits": WORKING_DIGITS,
        "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in table.values())),
    }
    yield f'{{"about": {json.dumps(about, indent=1)},\n"activations": {{\n'
    for i, (name, entry) in enumerate(table.items()):
        head = {k: v for k, v in entry.items() if k != "cases"}
        yield f'{"," if i else ""}"{name}": {json.dumps(head)[:-1]}, "cases": [\n'
        for j, row in enumerate(entry["cases"]):
            moments = {k: v for k, v in row.items() if k != "pairs"}
            yield f'{"," if j else ""} {json.dumps(moments)[:-1]}, "pairs": [\n  '
            yield ",\n  ".join(json.dumps(pair) for pair in row["pairs"]) + "]}\n"
        yield "]}\n"
    yield "}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(formulas()), default=list(formulas()), metavar="NAME")
    parser.add_argument("--check", action="store_true", help="compare a random part of the table with other rules")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of --check")
    options = parser.parse_args()
    if options.check:
        from mp_check import check

        held = check(json.loads(TABLE.read_text())["activations"], options.only, options.seed)
        sys.exit(0 if held else 1)
    generate(options.only, options.jobs)


if __name__ == "__main__":
    main()

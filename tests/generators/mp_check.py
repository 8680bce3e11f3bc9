"""The check of the table of Gaussian expectations: a random part of it, against rules that share nothing with it.

Derivative       φ' as spelled against mpmath.diff of φ.
By definition    two nested adaptive quadratures (mpmath.quad) over the plane of independent z₁, z₂, for q <= 1 and
                 1 - c >= 0.1, to 1e-12.
By law           erf: the arcsine law; hardtanh, hard_sigmoid: Price's theorem, E[φ''φ''] integrated twice over c. To
                 the error the table states, for every q.
At precision     the rule of the activation's kind again, at an aim of 33 to 35 digits with other steps and panels, to
                 the error the table states.
"""

import random
from collections.abc import Callable
from typing import Any

import gaussian_expectations as table
import mp_activations as activations
import mp_piecewise as piecewise
import mp_softsign
from mp_analytic import Rule
from mp_piecewise import Panels
from mpmath import asin, diff, erf, exp, isinf, mp, mpf, nstr, pi, quad, sin, sqrt

SIZE = 6
Function = Callable[[mpf], mpf]


def check(stored: dict[str, Any], names: list[str], seed: int) -> bool:
    """Prints one line for each comparison; whether all hold."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    every = [(name, row) for name in names for row in stored[name]["cases"]]
    small = [case for case in every if float(case[1]["q"]) <= 1]
    held = [derivative(name, chance) for name in names]
    held += [by_law(name, row) for name, row in every if name in LAWS]
    held += [by_definition(*case, chance) for case in chance.sample(small, min(SIZE, len(small)))]
    held += [at_precision(*case) for case in chance.sample(every, min(SIZE, len(every)))]
    return all(held)


def report(label: str, difference: mpf, allowed: mpf) -> bool:
    held = bool(difference <= allowed)
    print(f"{'ok  ' if held else 'FAIL'} {label}: {nstr(difference, 2)} <= {nstr(allowed, 2)}", flush=True)
    return held


def against(label: str, pairs: list[dict[str, Any]], found: Callable[[str], tuple[mpf, mpf]]) -> bool:
    """The table's values against (E[φφ], E[φ'φ']) by 1 - c, in units of the stated errors."""
    ratios = []
    for pair in pairs:
        for key, other in zip(("phi_phi", "dphi_dphi"), found(pair["gap"]), strict=True):
            value, error = map(mpf, pair[key])
            ratios += [] if isinf(value) else [abs(value - other) / error]
    return report(f"{label}, largest difference / stated error", max(ratios), mpf(1))


# --------------------------------------------------------------------------------------------------------------
# By definition


def plain(name: str) -> tuple[Function, Function, list[mpf]]:
    """φ, φ' and their breakpoints."""
    if name in activations.PIECES:
        parts = activations.PIECES[name][1]()
        slopes = piecewise.derivative(parts)
        return (lambda u: piecewise.at(parts, u)), (lambda u: piecewise.at(slopes, u)), [p.right for p in parts[:-1]]
    if name == "softsign":
        return (lambda u: u / (1 + abs(u))), (lambda u: 1 / (1 + abs(u)) ** 2), [mpf(0)]
    if name == "linear":
        return (lambda u: u), (lambda u: mpf(1)), []
    if name == "exp":
        return exp, exp, []
    pair = activations.ANALYTIC[name][1] if name in activations.ANALYTIC else activations.CLOSED_AS_ANALYTIC[name][0]
    return (lambda u: pair(u)[0]), (lambda u: pair(u)[1]), []


def derivative(name: str, chance: random.Random) -> bool:
    mp.dps = 30
    value, slope, _ = plain(name)
    points = [mpf(chance.gauss(0, sigma)) for sigma in (0.1, 1, 3, 30)]
    worst = max(abs(diff(value, u) - slope(u)) / (abs(slope(u)) + mpf("1e-3")) for u in points)
    return report(f"derivative    {name}", worst, mpf("1e-12"))


def by_definition(name: str, row: dict[str, Any], chance: random.Random) -> bool:
    mp.dps = 15
    value, slope, breakpoints = plain(name)
    pair = chance.choice([p for p in row["pairs"] if 0.1 <= float(p["gap"]) <= 1.9])
    wanted = [("phi_phi", "phi2", value)] + [("dphi_dphi", "dphi2", slope)] * (name not in ("step", "sign"))
    key, scale, function = chance.choice(wanted)
    found = nested(function, breakpoints, mpf(row["q"]), 1 - mpf(pair["gap"]))
    label = f"by definition {name} q={row['q']} gap={pair['gap']} {key}"
    return report(label, abs(found - mpf(pair[key][0])) / mpf(row[scale][0]), mpf("1e-12"))


def nested(phi: Function, breakpoints: list[mpf], q: mpf, c: mpf) -> mpf:
    """E[φ(√q z₁) φ(√q (c z₁ + √(1 - c²) z₂))]."""
    s, apart = sqrt(q), sqrt(1 - c**2)

    def row(z: mpf) -> mpf:
        ends = edges([(b / s - c * z) / apart for b in breakpoints])
        return quad(
            lambda y: exp(-(y**2) / 2) * phi(s * (c * z + apart * y)), ends, method="gauss-legendre", maxdegree=5
        )

    ends = edges([b / s for b in breakpoints])
    return quad(lambda z: exp(-(z**2) / 2) * phi(s * z) * row(z), ends, method="gauss-legendre", maxdegree=5) / (2 * pi)


def edges(breakpoints: list[mpf]) -> list[mpf]:
    return sorted({*map(mpf, (-10, -6, -2.5, 0, 2.5, 6, 10)), *(b for b in breakpoints if abs(b) < 10)})


# --------------------------------------------------------------------------------------------------------------
# By law


def arcsine_law(q: mpf, gap: mpf) -> tuple[mpf, mpf]:
    """E[erf erf] and E[erf' erf'] (Williams 1997)."""
    b = q * (1 - gap)
    return 2 / pi * asin(2 * b / (1 + 2 * q)), 4 / pi / sqrt((1 + 2 * q) ** 2 - 4 * b**2)


def clipped_law(end: mpf, slope: mpf, middle: mpf, q: mpf, gap: mpf) -> tuple[mpf, mpf]:
    """E[φφ] and E[φ'φ'] of middle + slope·u, clipped at |u| = end, from the density of (u, v) at (±end, ±end)."""
    c, theta = 1 - gap, pi / 2 - 2 * asin(sqrt(gap / 2))

    def density(t: mpf) -> mpf:
        return slope**2 / pi * (exp(-(end**2) / (q * (1 + sin(t)))) - exp(-(end**2) / (q * (1 - sin(t)))))

    ends = [theta * x for x in map(mpf, ("0", "0.5", "0.9", "0.99", "0.999", "1"))]
    mean = slope * erf(end / sqrt(2 * q))
    value = middle**2 + q * c * mean**2 + quad(lambda t: q * (c - sin(t)) * density(t), ends)
    return value, mean**2 + quad(density, ends)


LAWS: dict[str, Callable[[mpf, mpf], tuple[mpf, mpf]]] = {
    "erf": arcsine_law,
    "hardtanh": lambda q, gap: clipped_law(mpf(1), mpf(1), mpf(0), q, gap),
    "hard_sigmoid": lambda q, gap: clipped_law(mpf(3), mpf(1) / 6, mpf(1) / 2, q, gap),
}


def by_law(name: str, row: dict[str, Any]) -> bool:
    mp.dps = 50
    inner = [pair for pair in row["pairs"] if pair["gap"] not in ("0", "2")]
    return against(f"by law        {name} q={row['q']}", inner, lambda gap: LAWS[name](mpf(row["q"]), mpf(gap)))


# --------------------------------------------------------------------------------------------------------------
# At another precision


def at_precision(name: str, row: dict[str, Any]) -> bool:
    mp.dps = 52
    return against(f"at precision  {name} q={row['q']}", row["pairs"], again(name, mpf(row["q"])).__getitem__)


def again(name: str, q: mpf) -> table.Results:
    if name in activations.ANALYTIC:
        _, pair, rho = activations.ANALYTIC[name]
        return table.analytic(pair, rho(), q, Rule(35, mpf("0.93"), True))
    if name in activations.CLOSED:
        return table.closed(name, q)
    if name in activations.HOMOGENEOUS:
        return table.homogeneous(name, q)
    if name in activations.PIECES:
        return table.pieces(name, q, Panels(35, 38, "1.7"))
    return {g: mp_softsign.pair(q, mpf(g), Panels(33, 34, "1.7")) for g in table.GAPS}

"""The first screen in words."""

from __future__ import annotations

from dataclasses import replace

from verify.judging.verdict import Comparison
from verify.reporting import Document


def test_agreement_is_said_with_its_tolerance(agreeing: Comparison) -> None:
    assert agreeing.verdict == "pass"
    everywhere = f"in all {len(agreeing.limits)} comparisons in the limit of infinite width"
    assert Document(agreeing).headline == f"Leading-order theory and experiment agree {everywhere}, within 5 %."


def test_two_orders_of_theory_are_one_subject(agreeing: Comparison) -> None:
    tolerances = {"refined": agreeing.tolerances["leading"], "leading": agreeing.tolerances["leading"]}
    said = Document(replace(agreeing, tolerances=tolerances)).headline
    assert said.startswith("Theory (refined where there is one, else leading order) and experiment agree in all 16 ")
    assert said.endswith("within 5 % (refined) and 5 % (leading).")


def test_disagreement_is_said_with_its_places_and_sizes(disagreeing: Comparison) -> None:
    said = Document(disagreeing).headline
    assert said.startswith(
        "Leading-order theory and experiment disagree in 4 of 16 comparisons in the limit of infinite width: "
    )
    assert "mean eigenvalue of" in said
    assert ": 1.3 of the prediction" in said
    assert said.endswith("and 1 more.")


def test_where_some_ratios_have_no_limit_both_places_are_named(agreeing: Comparison) -> None:
    (first, *others) = agreeing.rows
    mixed = replace(agreeing, rows=(replace(first, decides=True), *others))
    assert "in the limit of infinite width or, lacking one, at the sizes measured" in Document(mixed).headline


def test_too_few_networks_are_no_disagreement(disagreeing: Comparison) -> None:
    passing = tuple(x for x in disagreeing.limits if x.verdict == "pass")
    open_ = replace(passing[0], judgement=replace(passing[0].judgement, verdict="unclear"))
    said = Document(replace(disagreeing, limits=(*passing[1:], open_))).headline
    assert said.startswith("No disagreement found, not all decided")
    assert "for 1 there are too few networks" in said


def test_a_tolerance_that_was_changed_after_the_measurement_is_told(agreeing: Comparison) -> None:
    now = agreeing.asked["verdict"]
    before = {**now, "delta": 0.01}
    first, second = {"verdict": before, "measured": 0}, {"verdict": now, "measured": 30}
    assert Document(agreeing, {"sessions": [first, second]}).remarks[1] == (
        "What counts as agreement was changed after 30 networks were measured: delta 0.01 → 0.05."
    )
    assert "changed after 72 networks" in Document(agreeing, {"sessions": [first]}).remarks[1]
    unchanged = Document(agreeing).remarks
    assert Document(agreeing, {"sessions": [{**second, "measured": 0}, second, {"workers": 2}]}).remarks == unchanged
    unused = {**second, "measured": 0}  # the first session was interrupted before it had measured anything
    assert Document(agreeing, {"sessions": [first, unused]}).remarks == unchanged


def test_a_form_that_does_not_fit_is_said_on_the_first_screen(agreeing: Comparison) -> None:
    first, *others = agreeing.limits
    crooked = replace(agreeing, limits=(replace(first, fits=False), *others))
    assert "for 1 the declared form of the extrapolation does not fit." in Document(crooked).headline
    assert Document(crooked).remarks[1].startswith(f"In 1 of {len(agreeing.limits)} limits the declared form")
    assert [r["remarks"] for r in Document(crooked).tables["deciding"].records()] == [
        "form does not fit", *[""] * len(others),
    ]  # fmt: skip


def test_nothing_measured_is_said_plainly(agreeing: Comparison) -> None:
    assert Document(replace(agreeing, limits=(), rows=())).headline.startswith("Nothing is decided")


def test_counts_are_those_of_the_rows(agreeing: Comparison, hostile: Comparison) -> None:
    assert Document(agreeing).counts["deciding"] == {"pass": len(agreeing.limits), "fail": 0, "unclear": 0}
    assert sum(Document(hostile).counts["cells"].values()) == len(hostile.rows)
    assert Document(hostile).counts["cells"]["void"] == sum(r.judgement is None for r in hostile.rows) > 0


def test_remarks_say_what_the_trials_could_tell(agreeing: Comparison) -> None:
    trials, finite, telling = Document(agreeing).remarks
    assert trials == "72 random networks measured, 0 failed trials."
    assert "leading-order theory" in finite
    assert "they would refute a prediction that is off by" in telling


def test_the_rule_names_level_and_tolerance(agreeing: Comparison) -> None:
    assert "0.05" in Document(agreeing).rule
    assert "a₀" in Document(agreeing).rule


def test_networks_are_named_by_what_tells_them_apart(agreeing: Comparison) -> None:
    assert sorted(Document(agreeing).names.values()) == ["linear", "relu"]

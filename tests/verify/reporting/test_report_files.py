"""The files of a report: whole, self-contained, escaped, the same bytes for the same input."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from verify.asking.sweep import Sweep
from verify.judging.verdict import Comparison
from verify.reporting import Document, write_report

VOID_ELEMENTS = {"meta", "link"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers tags, ids and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def hostile_files(
    hostile: Comparison, facts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    return write_report(Document(hostile, facts), tmp_path_factory.mktemp("hostile"))


def test_all_files_are_there_and_nothing_else(written: dict[str, Path]) -> None:
    assert set(written) == {"html", "markdown", "json", "csv", "fits"}
    folder = written["html"].parent
    assert {p.name for p in folder.iterdir()} == {*(p.name for p in written.values()), "figures"}


def test_same_input_same_bytes(
    written: dict[str, Path], agreeing: Comparison, facts: dict[str, Any], tmp_path: Path
) -> None:
    again = write_report(Document(agreeing, facts), tmp_path)
    assert {k: p.read_bytes() for k, p in written.items()} == {k: p.read_bytes() for k, p in again.items()}
    figures = sorted((tmp_path / "figures").iterdir())
    assert figures
    assert all((written["html"].parent / "figures" / p.name).read_bytes() == p.read_bytes() for p in figures)


def test_the_figures_of_an_earlier_report_go_and_nothing_else(
    agreeing: Comparison, facts: dict[str, Any], tmp_path: Path
) -> None:
    write_report(Document(agreeing, facts), tmp_path)
    for name in ("old.svg", "yours.svg", "notes.txt"):
        (tmp_path / "figures" / name).write_text("old")
    with (tmp_path / "report.md").open("a", encoding="utf-8") as text:  # the earlier one had a figure more
        text.write("![Old](figures/old.svg)\n")
    write_report(Document(agreeing, facts), tmp_path)
    left = {p.name for p in (tmp_path / "figures").iterdir()}
    assert {"notes.txt", "yours.svg"} < left
    assert "old.svg" not in left
    assert len(left) == 2 + 3 * 5  # and five figures in three formats


@pytest.mark.parametrize("name", ["report.html", "report.json", "cells.csv"])
def test_a_report_writes_over_no_file_of_another_origin(
    agreeing: Comparison, facts: dict[str, Any], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=f"^out: expected the name of a new file, got '.*{name}'"):
        write_report(Document(agreeing, facts), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    write_report(Document(agreeing, facts), tmp_path, force=True)
    assert (tmp_path / name).read_text() != "{}"


def test_the_page_needs_nothing_from_outside(written: dict[str, Path]) -> None:
    text = written["html"].read_text("utf-8")
    page = Page(text)
    links = [v for _, a in page.tags for k, v in a.items() if k in {"src", "href", "xlink:href", "data", "action"}]
    assert all(v is not None and v.startswith(("#", "data:")) for v in links)
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))


def test_ids_are_unique_and_references_resolve(written: dict[str, Path]) -> None:
    page = Page(written["html"].read_text("utf-8"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    named = {a["aria-labelledby"] for a in page.of("svg")}
    assert named
    used = {(v or "")[1:] for _, a in page.tags for k, v in a.items() if k == "xlink:href"}
    assert named | used <= set(ids)


def test_the_contents_lead_to_every_section(written: dict[str, Path]) -> None:
    page = Page(written["html"].read_text("utf-8"))
    targets = [str(a["href"])[1:] for a in page.of("a")]
    assert targets == [a["id"] for a in page.of("section") if "id" in a]
    assert "section-what-was-measured" in targets


def test_the_networks_measured_are_named_with_all_their_fields(written: dict[str, Path], small: Sweep) -> None:
    """They are the same for both networks, so no short name tells them."""
    document = json.loads(written["json"].read_text("utf-8"))
    assert Sweep.from_json(json.dumps(document["sweep"])) == small
    fields = {"depth": 2, "weight_variance": 1.5, "bias_variance": 0.2, "outputs": 3, "width_ratios": 1.0}
    assert [(r["network"], r["activation"]) for r in document["measured"]] == [("linear", "linear"), ("relu", "relu")]
    for record in document["measured"]:
        assert {key: record[key] for key in fields} == fields
        assert (record["width"], record["samples"], record["trials"]) == ("64, 128, 256", "20, 40", "6")
    kinds = [document["cells"], document["series"], document["deciding"]]
    kinds += [list(csv.DictReader(written[kind].read_text("utf-8").splitlines())) for kind in ("csv", "fits")]
    for records in kinds:
        assert records
        assert all(float(r[f"network_{key}"]) == value for r in records for key, value in fields.items())
    text = written["html"].read_text("utf-8")
    assert text.index("What was measured</h2>") < text.index("<svg")
    assert "spectrum extremes, backend numpy, dtype float64, seed 0" in text
    assert "## What was measured" in written["markdown"].read_text("utf-8")


def test_figures_have_a_title_and_tables_a_caption_and_scopes(written: dict[str, Path]) -> None:
    page = Page(written["html"].read_text("utf-8"))
    figures = [a for a in page.of("svg") if a.get("role") == "img"]
    assert len(figures) == len(page.of("figure")) == 5
    assert len(page.of("caption")) == len(page.of("table")) == 6
    assert {a.get("scope") for a in page.of("th")} == {"col", "row"}


def test_the_first_sentence_is_the_headline(written: dict[str, Path], agreeing: Comparison) -> None:
    text = written["html"].read_text("utf-8")
    assert re.findall(r'<p class="headline">(.*?)</p>', text) == [Document(agreeing).headline]
    assert written["markdown"].read_text("utf-8").split("\n\n")[1] == Document(agreeing).headline
    assert json.loads(written["json"].read_text("utf-8"))["headline"] == Document(agreeing).headline


def test_names_cannot_break_the_page(hostile_files: dict[str, Path]) -> None:
    page = Page(hostile_files["html"].read_text("utf-8"))
    assert len(page.of("script")) == 1
    assert any("alert('ü|$x$')" in text for text in page.texts)
    assert "<" not in hostile_files["markdown"].read_text("utf-8")


def test_figures_are_whole_svg_even_with_hostile_names(hostile_files: dict[str, Path]) -> None:
    folder = hostile_files["html"].parent / "figures"
    figures = sorted(folder.glob("*.svg"))
    for picture in figures:
        assert picture.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert picture.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    texts = ["".join(ET.parse(p).getroot().itertext()) for p in figures]
    assert len(texts) >= 3
    assert any("alert('ü|$x$')" in text for text in texts)


def test_json_is_strict_and_complete(hostile_files: dict[str, Path], hostile: Comparison) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document = json.loads(hostile_files["json"].read_text("utf-8"), parse_constant=refuse)
    assert document["provenance"]["failures"] == 0
    assert len(document["cells"]) == len(hostile.rows)
    assert document["verdict"] == hostile.verdict


def test_a_report_that_cannot_be_written_leaves_nothing(
    agreeing: Comparison, facts: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"^out: expected a folder that can be written, got .*file"):
        write_report(Document(agreeing, facts), tmp_path / "file" / "report")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]

"""What a comparison leaves behind, read again: by a browser, by a document, by a machine."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.compare.made_results import CLASSES, made_results
from tests.train.test_report import Page
from train.compare.findings import find
from train.compare.output.files import write
from train.compare.results import Results
from train.errors import UserError

ODD = "<b>pole|*"
"""A class that would be markup in HTML and in Markdown, and two cells of a table."""


class Written:
    """A comparison's folder."""

    def __init__(self, folder: Path, results: Results) -> None:
        self.results = results
        self.paths = write(find(results), folder)
        self.folder = folder

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def lines(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(self.text(name).splitlines()))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    classes = [ODD if name == "pole" else name for name in CLASSES]
    notes = ["Of 6 wanted trials 3 fit.", "<script>alert(1)</script>"]
    return Written(tmp_path_factory.mktemp("compared") / "small", made_results(classes=classes, notes=notes))


@pytest.fixture(scope="module")
def numbers(written: Written) -> dict[str, Any]:
    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    read: dict[str, Any] = json.loads(written.text("results.json"), parse_constant=refuse)
    return read


def test_files_are_whole_and_named(written: Written) -> None:
    names = ["report.html", "table.md", "section.md", "results.json", "results.csv", "runs.csv", "accuracy-latency.png"]
    names += [f"{student}-{kind}.png" for student in ("tiny", "lite0") for kind in ("differences", "time", "classes")]
    assert [path.name for path in written.paths] == names
    assert sorted(path.name for path in written.folder.iterdir()) == sorted(names)


def test_json_holds_the_numbers_of_the_results(written: Written, numbers: dict[str, Any]) -> None:
    assert (numbers["command"], numbers["block"]) == (written.results.command, 4)
    for arm, read in zip(written.results.arms, numbers["arms"], strict=True):
        assert [run["miou"] for run in read["runs"]] == [run.miou for run in arm.runs]
        assert read["runs"][0]["class_iou"] == arm.runs[0].class_iou
        assert "matrices" not in read["runs"][0]
        assert len(read["trials"]) == len(arm.trials)
    kd, cwd = numbers["arms"][2]["found"], numbers["arms"][3]["found"]
    gain = cwd["val"]["against"]["baseline"]
    assert gain["shown"] is True
    assert gain["low"] < gain["mean"] < gain["high"]
    assert gain["mean"] == pytest.approx(
        cwd["val"]["miou"]["mean"] - numbers["arms"][0]["found"]["val"]["miou"]["mean"]
    )
    assert kd["val"]["against"]["baseline"]["shown"] is False
    assert cwd["val"]["tc"] is None
    assert cwd["val"]["to_baseline"].keys() == {"last_miou", "macc", "boundary_f"}
    assert cwd["test"]["to_baseline"]["boundary_f"]["shown"] is True
    assert len(numbers["headlines"]["tiny"]) == 6


def test_a_line_an_arm_and_a_line_a_run(written: Written, numbers: dict[str, Any]) -> None:
    arms, runs = written.lines("results.csv"), written.lines("runs.csv")
    assert [(line["student"], line["method"]) for line in arms] == [
        (arm["student"], arm["method"]) for arm in numbers["arms"]
    ]
    found = numbers["arms"][3]["found"]["val"]
    assert float(arms[3]["miou"]) == found["miou"]["mean"]
    assert float(arms[3]["to_baseline_low"]) == found["against"]["baseline"]["low"]
    assert [arms[0]["to_baseline"], arms[0]["tc"], arms[2]["to_baseline_shown"]] == ["", "", "0"]
    assert json.loads(arms[3]["parameters"]) == {"optimizer.lr": 0.002}
    assert len(runs) == 12 * 3 * 2
    assert [line["split"] for line in runs[:6]] == ["val"] * 3 + ["test"] * 3
    assert float(runs[0][f"iou_{ODD}"]) == written.results.arms[0].runs[0].class_iou[ODD]


def test_the_page_has_all_in_itself_and_everything_escaped(written: Written) -> None:
    page = Page(written.text("report.html"))
    assert page.outside == []
    assert page.images[0]["alt"] == "mIoU of the students over their cost"
    assert len(page.images) == 1 + 2 * 3
    words = [ODD, "<script>alert(1)</script>", "no difference shown (", "one in twenty"]
    words += ["2 of 4 methods beat the tuned baseline", "tiny/cwd/trial-01", written.results.command, "torch"]
    words += ["; baseline-longer: 6", "weights 8d2f0c41a7be"]
    for text in words:
        assert text.lower() in page.text.lower()


def test_documents_escape_what_is_markup(written: Written) -> None:
    for name in ("table.md", "section.md"):
        text = written.text(name)
        assert r"\<b>pole\|\*" in text
        assert ODD not in text
        assert r"- \<script>" in text
        assert f"    {written.results.command}\n" in text
    assert "# camvid/small" in written.text("table.md").splitlines()
    assert "## camvid/small" in written.text("section.md").splitlines()
    assert "## Trials" in written.text("table.md")
    assert "Trials" not in written.text("section.md")
    assert written.results.arms[0].runs[0].digest in written.text("section.md")


def test_writing_again_replaces_and_gives_the_same(written: Written) -> None:
    before = {path.name: path.read_bytes() for path in written.paths}
    assert write(find(written.results), written.folder) == written.paths
    assert {path.name: path.read_bytes() for path in written.paths} == before


@pytest.mark.parametrize(
    "results",
    [
        lambda: made_results(students=("tiny",), gains={"baseline": 0.0}, latency=False, tested=False, notes=()),
        lambda: made_results(students=("tiny",), seeds=(1,), latency=False),
        lambda: made_results(students=("tiny",), gains={"baseline": 0.0, "kd": 0.01}, seeds=(1, 2), classes=("a", "b")),
    ],
    ids=["only the baseline", "one seed", "two classes"],
)
def test_a_comparison_that_lacks_something_is_shown(tmp_path: Path, results: Callable[[], Results]) -> None:
    written = Written(tmp_path, results())
    assert Page(written.text("report.html")).outside == []
    assert "nan" not in written.text("table.md").lower().split()
    json.loads(written.text("results.json"))


def test_a_folder_that_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/out: cannot be written"):
        write(find(made_results(students=("tiny",), gains={"baseline": 0.0})), tmp_path / "file" / "out")

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from train.checkpoint import load_run
from train.data.open import open_dataset
from train.report import write_report
from train.run_directory import RunDirectory
from train.web_page import legend


class Page(HTMLParser):
    """The texts, images and outside references of a page; unclosed elements are an error."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.outside: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(given)
        if tag in {"script", "link", "iframe"}:
            self.outside.append(tag)
        self.outside += [value for key, value in attrs if key in {"src", "href"} and value and value[:5] != "data:"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += f"{data} "


@pytest.fixture(scope="module")
def page(student_run: Path) -> Page:
    return Page((student_run / "report.html").read_text(encoding="utf-8"))


def test_page_needs_nothing_but_itself(page: Page) -> None:
    assert page.outside == []
    assert all(image["src"].startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for image in page.images)  # type: ignore[union-attr]
    assert all(image["alt"] for image in page.images)


def test_page_shows_scores_curves_classes_pictures_config_and_environment(page: Page, student_run: Path) -> None:
    best = max((line for line in RunDirectory(student_run).records() if "miou" in line), key=lambda line: line["miou"])
    for text in (f"{best['miou']:.3f}", f"step {best['step']}", "Parameters", "MACs", "teacher"):
        assert text in page.text
    for name, iou in best["class_iou"].items():
        assert re.search(rf"{name}\s+{'absent' if iou is None else f'{iou:.3f}'}", page.text), name
    assert "encoder: lcnet_035" in page.text
    assert "git_commit" in page.text
    alternatives = [str(image["alt"]) for image in page.images]
    assert alternatives[:4] == [
        "loss terms and learning rate over steps",
        "scores on the val split over steps",
        "confusion matrix, rows: label, columns: prediction",
        "reliability: accuracy over confidence",
    ]
    titles = ("image", "label", "teacher", "student", "who is right")
    shown = [(alternative.split(":")[0], alternative.split(": ")[-1]) for alternative in alternatives[4:]]
    assert shown[:30] == [(str(number), title) for number in range(6) for title in titles]
    assert [title for _, title in shown[30:]] == list(titles) * 8  # the worst, and where the two differ most


def test_page_says_how_sure_and_how_costly_the_networks_are(page: Page, student_run: Path) -> None:
    cost = page.text[page.text.index("Cost") : page.text.index("Pictures")]
    assert re.search(r"parameters\s+[\d.]+ k\s+[\d.]+ k\s+1\.0\s", cost)  # both are the same tiny network
    last = RunDirectory(student_run).records()[-1]
    assert re.search(rf"training, evaluations included\s+{round(last['seconds'])} s", cost)
    assert re.search(r"step\s+\d+ ms", cost)
    assert re.search(r"energy of the machine\s+(no meter that could be read|processors|GPUs)", cost)
    assert re.search(r"ECE, student\s+0\.\d{4}\s+ECE, teacher\s+0\.\d{4}", page.text)
    shares = re.findall(r"(?:both|only the \w+) (?:right|wrong)\s+(0\.\d{3})", page.text)
    assert sum(float(share) for share in shares) == pytest.approx(1, abs=0.002)


def test_classes_are_sorted_best_first(page: Page) -> None:
    bars = page.text[page.text.index("IoU of each class") : page.text.index("Where the pixels")]
    values = [float(value) for value in re.findall(r"\d\.\d{3}", bars)]
    assert len(values) > 3
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("classes", "folded"), [(40, False), (150, True)])
def test_many_colours_are_behind_a_click(classes: int, folded: bool) -> None:
    shown = Page(legend([f"class {number}" for number in range(classes)], [(1, 2, 3)] * classes))
    assert f"class {classes - 1} " in shown.text
    assert ("Colours of the 150 classes" in shown.text) == folded


def test_names_are_escaped_and_a_run_without_a_teacher_shows_predictions(teacher_run: Path) -> None:
    trained = load_run(teacher_run)
    classes = ["<script>x</script>", "$a_b", *trained.config.data.classes[2:]]
    data = trained.config.data.model_copy(update={"classes": classes})
    written = write_report(RunDirectory(teacher_run), trained.network, open_dataset(data, "val"), (64, 96))
    page = Page(written.read_text(encoding="utf-8"))
    assert "<script>x</script>" in page.text
    assert page.outside == []
    assert [str(image["alt"]) for image in page.images][-1].endswith(": prediction")
    assert "only the teacher right" not in page.text

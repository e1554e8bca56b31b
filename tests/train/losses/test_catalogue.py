from pathlib import Path

from train import distill
from train.losses.catalogue import read_costs
from train.losses.registry import LOSSES


def test_every_loss_is_listed_with_paper_needs_and_cost(cli) -> None:  # type: ignore[no-untyped-def]
    ended = cli(distill.main, ["--list-losses"])
    assert ended.code == 0
    for loss in LOSSES:
        name = loss.model_fields["name"].default
        paragraph = next(part for part in ended.out.split("\n\n") if part.startswith(f"{name} "))
        assert loss.source.url.startswith("https://")
        assert loss.source.url in paragraph
        assert "student: " in paragraph or "both networks: " in paragraph
        assert "ms and" in paragraph


def test_every_loss_was_measured() -> None:
    assert {loss.model_fields["name"].default for loss in LOSSES} == read_costs().keys()


def test_the_readme_has_the_measured_costs() -> None:
    readme = (Path(__file__).parents[3] / "train/losses/README.md").read_text(encoding="utf-8")
    for name, cost in read_costs().items():
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {cost['ms']} | {cost['mib']} |" in row

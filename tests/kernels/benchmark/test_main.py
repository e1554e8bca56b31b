from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kernels.benchmark import __main__ as benchmark
from kernels.benchmark.cases import FEATURES, LOGITS, SHAPES, Case, Size, cases, on_pairs

BENCH = benchmark.Bench(torch.device("cpu"), torch.float32, 1e8, 1e7, compiled=False, budget_s=0.01)


@pytest.fixture
def attention() -> Case:
    (case,) = (case for case in on_pairs(Size("tiny", 1, 4, 6, 6)) if case.operation == "attention_kl")
    return case


def test_a_row_for_each_form(attention: Case) -> None:
    rows = {row.form: row for row in benchmark._measure(attention, BENCH)}
    assert list(rows) == ["ours", "eager", "sdpa"]
    for row in rows.values():
        assert row.both_ms is not None
        assert row.forward_ms is not None
        assert row.gflop_per_s is not None
        assert row.gflop_per_s > 0
        assert row.floor_ms > 0
        assert row.note == ""
    # Six products for the yardstick, four for ours.
    assert rows["sdpa"].floor_ms == pytest.approx(1.5 * rows["ours"].floor_ms, abs=1e-3)


def test_what_does_not_fit_is_not_run(attention: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "free_bytes", lambda _: 1.0)
    for row in benchmark._measure(attention, BENCH):
        assert row.both_ms is None
        assert "not run: it holds about" in row.note


def test_every_shape_has_a_case_for_each_of_its_operations() -> None:
    assert set(SHAPES) == set(LOGITS) | set(FEATURES)
    assert len(list(cases())) == 6 * (len(LOGITS) + len(FEATURES))


def test_the_command_writes_a_row_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], attention: Case
) -> None:
    only: Callable[..., list[Case]] = lambda _: [attention]  # noqa: E731
    monkeypatch.setattr(benchmark, "cases", only)
    path = tmp_path / "rows.csv"
    monkeypatch.setattr("sys.argv", ["benchmark", "--device", "cpu", "--budget", "0.01", "--csv", str(path)])
    benchmark.main()
    assert len(path.read_text().splitlines()) == 4
    assert capsys.readouterr().out.count("attention_kl") == 3

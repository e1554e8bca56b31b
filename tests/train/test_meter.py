from pathlib import Path

import pytest

from train.meter import Meter, energy_counters


def test_a_resumed_run_counts_on_from_where_it_was() -> None:
    spent = iter([1000.0, 1007.0])
    meter = Meter([{"step": 1, "seconds": 50.0, "cpu_joules": 200.0}], {"cpu_joules": lambda: next(spent)})
    read = meter.read()
    assert read["seconds"] == pytest.approx(50, abs=0.5)
    assert read["cpu_joules"] == 207.0


def test_what_was_not_metered_from_the_start_is_left_out() -> None:
    assert set(Meter([{"step": 1, "seconds": 50.0}], {"gpu_joules": lambda: 1.0}).read()) == {"seconds"}
    assert set(Meter([{"step": 1, "seconds": 50.0, "gpu_joules": 3.0}], {}).read()) == {"seconds"}
    assert set(Meter([], {"gpu_joules": lambda: 1.0}).read()) == {"seconds", "gpu_joules"}


def test_processors_are_added_up_and_their_counters_may_wrap(tmp_path: Path) -> None:
    packages = [tmp_path / "intel-rapl:0", tmp_path / "intel-rapl:1"]
    for package in [*packages, tmp_path / "intel-rapl:0:0"]:  # the last is a part of the first
        package.mkdir()
        (package / "max_energy_range_uj").write_text("10000000\n")
        (package / "energy_uj").write_text("9000000\n")
    read = energy_counters(tmp_path)["cpu_joules"]
    before = read()
    packages[0].joinpath("energy_uj").write_text("1000000\n")
    packages[1].joinpath("energy_uj").write_text("9500000\n")
    assert read() - before == pytest.approx(2.5)


def test_no_meter_is_no_energy(tmp_path: Path) -> None:
    assert "cpu_joules" not in energy_counters(tmp_path)

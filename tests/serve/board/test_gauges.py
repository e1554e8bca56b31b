"""The board among the metrics of a server."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from serve.board.jetson import JetsonBoard
from serve.metrics import Metrics
from tests.serve.board.test_board import ORIN_NX, documented_tree


def scraped(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.exposition()[0].decode())
    samples = [sample for family in families for sample in family.samples if "_board_" in sample.name]
    return {(each.name.removeprefix("segdistill_board_"), *each.labels.values()): each.value for each in samples}


def power_mode(root: Path, number: int) -> None:
    for path, text in {
        "var/lib/nvpmodel/status": f"pmode:{number:04}\n",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def test_what_a_module_is_at_is_scraped(tmp_path: Path) -> None:
    root = documented_tree(tmp_path, ORIN_NX)
    power_mode(root, 2)
    metrics = Metrics(JetsonBoard(root))
    name = "Jetson, VDD_IN (INA3221)"
    states = {("power_watts",): 10.0, ("temperature_celsius",): 53.25, ("clock_hertz",): 918e6}
    assert scraped(metrics) == {**states, ("info", name, "15W"): 1}
    power_mode(root, 0)
    assert scraped(metrics) == {**states, ("info", name, "15W"): 0, ("info", name, "MAXN"): 1}


def test_a_sensor_that_is_gone_leaves_the_other_numbers(tmp_path: Path) -> None:
    root = documented_tree(tmp_path, ORIN_NX)
    metrics = Metrics(JetsonBoard(root))
    (root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/in1_input").unlink()
    assert "segdistill_resident_memory_bytes" in metrics.exposition()[0].decode()


def test_without_a_board_nothing_is_said_of_one() -> None:
    assert scraped(Metrics()) == {}

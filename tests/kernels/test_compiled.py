import csv
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

TABLE = Path(__file__).parents[2] / "kernels" / "triton" / "compiled.csv"
# The most that one block may have (CUDA C++ Programming Guide, table of compute capabilities).
SHARED_LIMIT_BYTES = {75: 65536, 80: 166912, 87: 166912, 89: 101376, 90: 232448, 100: 232448, 120: 101376}

# Triton makes no tensor-core products for Turing, and their tiles do not fit its registers.
SPILL = {("attention_kl_forward_kernel", "75"), ("attention_kl_backward_kernel", "75")}

Row = dict[str, str]


def rows_of(text: str) -> list[Row]:
    return list(csv.DictReader(text.splitlines()))


def fits(row: Row) -> bool:
    spills = row["stack_bytes"] != "0" and (row["kernel"], row["chip"]) not in SPILL
    return not spills and int(row["shared_bytes"]) <= SHARED_LIMIT_BYTES[int(row["chip"])]


def test_no_kernel_spills_or_asks_for_more_shared_memory_than_there_is() -> None:
    table = rows_of(TABLE.read_text())
    assert {row["chip"] for row in table} == {str(chip) for chip in SHARED_LIMIT_BYTES}
    assert [row for row in table if not fits(row)] == []


def test_products_run_on_tensor_cores() -> None:
    rows = [row for row in rows_of(TABLE.read_text()) if row["kernel"].startswith("attention_kl")]
    assert {row["dtype"] for row in rows} == {"fp16", "bf16", "fp32"}
    without = {(row["kernel"], row["chip"]) for row in rows if not row["tensor_cores"]}
    assert without == SPILL


def compiled_anew(*selection: str) -> list[Row]:
    command = [sys.executable, "-m", "kernels.triton.compiled", *selection]
    run = subprocess.run(command, capture_output=True, text=True, cwd=TABLE.parents[2], check=False)
    assert run.returncode == 0, run.stderr
    return rows_of(run.stdout)


def assert_is_committed(found: list[Row]) -> None:
    assert all(fits(row) for row in found)
    committed = rows_of(TABLE.read_text())
    # Another compiler may count other registers; the table says which one it is of.
    if committed[0]["triton"] == triton.__version__:
        assert [row for row in found if row not in committed] == []


def test_compiling_anew_gives_the_committed_table() -> None:
    found = compiled_anew("--chips", "87", "--dtypes", "fp16", "--channels", "19", "256")
    assert {row["kernel"] for row in found} == {row["kernel"] for row in rows_of(TABLE.read_text())}
    assert_is_committed(found)


@pytest.mark.slow
def test_compiling_everything_anew_gives_the_committed_table() -> None:
    found = compiled_anew()
    assert len(found) == len(rows_of(TABLE.read_text()))
    assert_is_committed(found)

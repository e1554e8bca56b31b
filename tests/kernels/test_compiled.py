import csv
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

TABLE = Path(__file__).parents[2] / "kernels" / "triton" / "compiled.csv"
# The most that one block may have (CUDA C++ Programming Guide, table of compute capabilities).
SHARED_LIMIT_BYTES = {75: 65536, 80: 166912, 87: 166912, 89: 101376, 90: 232448, 120: 101376}

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


def test_compiling_anew_gives_the_committed_table() -> None:
    command = [sys.executable, "-m", "kernels.triton.compiled", "--chips", "87", "--dtypes", "fp16", "--channels", "19"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=TABLE.parents[2], check=False)
    assert run.returncode == 0, run.stderr
    found = rows_of(run.stdout)
    assert len(found) > 10
    assert all(fits(row) for row in found)
    committed = rows_of(TABLE.read_text())
    # Another compiler may count other registers; the table says which one it is of.
    if committed[0]["triton"] == triton.__version__:
        assert [row for row in found if row not in committed] == []

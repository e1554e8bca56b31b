import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).parents[2]


def test_kernels_agree_with_their_references_in_the_interpreter() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "SEGDISTILL_KERNELS": "triton", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "tests/kernels/triton"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout or run.stdout.rstrip().endswith("[100%]"), run.stdout

"""These tests run Triton's interpreter, which must be chosen before any kernel is imported: `test_triton.py` does."""

import os

if os.environ.get("TRITON_INTERPRET") != "1":
    collect_ignore_glob = ["test_*.py"]

"""How long a student takes where it is used: exported by the project's own command, and timed by it."""

import json
import subprocess
import sys
from pathlib import Path

_ROLE = "onnx"


def bundle_latency_ms(run: Path, bundle: Path) -> float | None:
    """The median time of one image through the exported bundle, in ms; None: it cannot be exported here.

    A bundle that is there is not made again. Training does not know how to export: another program does it.
    """
    manifest = bundle / "manifest.json"
    if not manifest.is_file():
        command = [sys.executable, "-m", "export.onnx", str(run), "--out", str(bundle)]
        if subprocess.run(command, check=False).returncode:
            print(f"{bundle}: could not be exported, see above: the tables have no latency", flush=True)
            return None
    timed = json.loads(manifest.read_text(encoding="utf-8"))["files"][_ROLE]["latency"]
    return float(timed[0]["p50_ms"]) if timed else None

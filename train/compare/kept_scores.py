"""The scores of a run in files beside it: JSON for people, and the confusion matrices of its images (no torch)."""

import hashlib
import io
import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from train.compare.results import RunScores
from train.durable import atomic_path, writing


def read_scores(path: Path, made_from: dict[str, Any]) -> RunScores | None:
    """What was written; None: nothing was, it was made from something else, or a file is damaged.

    Args:
        path: of the JSON; the matrices are beside it, with the suffix ``.npz``.
        made_from: all that the scores depend on, in values that JSON has.
    """
    try:
        record = json.loads(path.read_bytes())
        packed = path.with_suffix(".npz").read_bytes()
        if (record["made_from"], record["sha256_of_matrices"]) != (made_from, hashlib.sha256(packed).hexdigest()):
            return None
        with np.load(io.BytesIO(packed)) as arrays:
            return RunScores(**record["scores"], matrices=arrays["matrices"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def write_scores(path: Path, made_from: dict[str, Any], scores: RunScores) -> None:
    """Write both files, each of them whole or not at all, and only valid together. `UserError` if there is no room."""
    packed = io.BytesIO()
    np.savez_compressed(packed, matrices=scores.matrices)
    plain = {each.name: getattr(scores, each.name) for each in fields(scores) if each.name != "matrices"}
    sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
    record = {"made_from": made_from, "scores": plain, "sha256_of_matrices": sha256}
    with writing(path, "make room, then run the same command again"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path.with_suffix(".npz")) as temporary:
            temporary.write_bytes(packed.getvalue())
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

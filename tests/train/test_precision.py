import json
from collections.abc import Callable
from pathlib import Path

import torch

from train.config import RunConfig
from train.precision import Precision
from train.session import open_session
from train.settings import load_config
from train.step import train_step
from train.views import taught

Options = Callable[..., list[str]]
CPU = torch.device("cpu")


def test_a_context_holds_whatever_it_stands_in() -> None:
    half, full = Precision(CPU, torch.bfloat16), Precision(CPU, None)
    layer, value = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with half.autocast():
        assert layer(value).dtype == torch.bfloat16
        with full.autocast():
            assert layer(value).dtype == torch.float32
    assert full.of_teacher("run") == full
    assert full.of_teacher("bf16") == half
    assert half.of_teacher("fp32") == full


def test_a_teacher_of_another_precision_teaches_nearly_the_same(
    options: Options, teacher_run: Path, tmp_path: Path
) -> None:
    terms = []
    for precision in ("run", "bf16"):
        losses = json.dumps([{"name": "cross_entropy"}, {"name": "kd"}])
        arguments = options("a", tmp_path, losses=losses, teacher__run=teacher_run, teacher__precision=precision)
        session = open_session(load_config(RunConfig, "test", [*arguments, "--profile"]))
        batch = next(session.batches())
        frames = taught(batch, session.teaching, session.state.losses.needs, session.teaching_context())
        assert frames is not None
        assert frames.key.logits.dtype == (torch.float32 if precision == "run" else torch.bfloat16)
        assert not frames.key.logits.is_inference()  # it can be saved for the student's backward pass
        torch.manual_seed(0)  # of dropout
        terms.append(train_step(session, batch))
    assert torch.equal(terms[0]["cross_entropy"], terms[1]["cross_entropy"])
    assert not torch.equal(terms[0]["kd"], terms[1]["kd"])
    torch.testing.assert_close(terms[0]["kd"], terms[1]["kd"], rtol=0.05, atol=1e-3)

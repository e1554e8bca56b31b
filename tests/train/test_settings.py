import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from train.config import RunConfig
from train.errors import UserError
from train.settings import load_config

ROOT = Path(__file__).parents[2]
COMPARISONS = ROOT / "configs" / "compare"
SHIPPED = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if COMPARISONS not in path.parents)


def load(*arguments: str) -> RunConfig:
    return load_config(RunConfig, "program", list(arguments))


def complaint(*arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        load(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("name: from-file\nseed: 1\noptimizer: {lr: 0.1, momentum: 0.1}\n", encoding="utf-8")
    return path


def test_command_line_beats_environment_beats_file(yaml_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDISTILL_OPTIMIZER__LR", "0.2")
    monkeypatch.setenv("SEGDISTILL_SEED", "2")
    config = load(str(yaml_file), "--seed", "3")
    assert (config.seed, config.optimizer.lr, config.optimizer.momentum) == (3, 0.2, 0.1)
    assert config.optimizer.weight_decay == RunConfig(name="default").optimizer.weight_decay
    assert config.name == "from-file"


def test_structured_values_are_given_as_json(yaml_file: Path) -> None:
    config = load(
        str(yaml_file),
        *("--losses", '[{"name": "kd", "temperature": 4}, {"name": "fckd"}]'),
        *("--data.label_map", '{"3": 255}'),
        *("--data.crop", "[32, 64]"),
        *("--model.decoder", '{"decoder_channels": 16}'),
    )
    assert [loss.name for loss in config.losses] == ["kd", "fckd"]
    assert config.data.label_map == {3: 255}
    assert config.data.crop == (32, 64)
    assert config.model.decoder == {"decoder_channels": 16}


@pytest.mark.parametrize(
    ("text", "key", "known"),
    [
        ("nme: a", "nme", "name"),
        ("name: a\ndata: {rot: x}", "data.rot", "data.root"),
        ("name: a\nlr: 1", "lr", "optimizer.lr"),
        ("name: a\ndata: {augment: {mirrr: 1}}", "data.augment.mirrr", "data.augment.mirror"),
        ("name: a\nlosses: [{name: kd, temprature: 2}]", "losses.0.temprature", "losses.0.temperature"),
        ("name: a\nlosses: [{name: kd, tau: 2}]", "losses.0.tau", "temperature, resolution"),
        ("name: a\nlosses: [{name: kd, schedule: {knd: warmup}}]", "losses.0.schedule.knd", "losses.0.schedule.kind"),
    ],
)
def test_unknown_key_in_a_file_names_the_nearest(tmp_path: Path, text: str, key: str, known: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    message = complaint(str(path))
    assert message.startswith(f"{path}: ")
    assert f"'{key}'" in message
    assert known in message.partition(f"'{key}'")[2]


def test_unknown_option_names_the_nearest() -> None:
    assert complaint("--name", "a", "--optimizer.lrr", "1") == (
        "command line: unknown option '--optimizer.lrr': did you mean 'optimizer.lr'?"
    )
    assert "--losses as a whole" in complaint("--name", "a", "--losses.0.weight", "2")


@pytest.mark.parametrize(
    "variable", ["SEGDISTILL_OPTIMISER__LR", "SEGDISTILL_OPTIMIZER_LR", "SEGDISTILL_OPTIMIZER__LRR"]
)
def test_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    message = complaint("--name", "a")
    assert message.startswith("environment: ")
    assert variable in message
    assert "SEGDISTILL_OPTIMIZER__LR?" in message or "'optimizer.lr'?" in message


def test_variables_of_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDISTILL_SERVE_MAX_PIXELS", "1")
    assert load("--name", "a").name == "a"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [(["--seed", "x"], "command line: seed: "), (["--seed=x"], "command line: seed: ")],
)
def test_invalid_value_says_where_it_was_given(yaml_file: Path, arguments: list[str], where: str) -> None:
    assert complaint(str(yaml_file), *arguments).startswith(where)


def test_invalid_value_of_a_variable_or_a_file_says_so(
    tmp_path: Path, yaml_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: a\nloop: {steps: -1}", encoding="utf-8")
    assert complaint(str(broken)).startswith(f"{broken}: loop.steps: ")
    monkeypatch.setenv("SEGDISTILL_SEED", "-1")
    assert complaint(str(yaml_file)).startswith("environment: SEGDISTILL_SEED: seed: ")


@pytest.mark.parametrize(
    ("text", "reason"), [("a: [", "not valid YAML"), ("- a", "mapping"), ("", "mapping"), ("name: [1]", "name: ")]
)
def test_broken_file_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    assert reason in complaint(str(path))


def test_another_kind_on_the_command_line_replaces_what_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("name: a\nteacher: {run: b, flip: true}\n", encoding="utf-8")
    onnx = {"kind": "onnx", "path": Path("c.onnx")}
    expected = {"name": "a", "teacher": onnx}
    for arguments in (
        ["--teacher.kind", "onnx", "--teacher.path", "c.onnx"],
        ["--teacher.kind=onnx", "--teacher.path=c.onnx"],
    ):
        assert load(str(path), *arguments).model_dump(exclude_unset=True) == expected
    whole = '{"kind": "onnx", "path": "c.onnx"}'
    assert load(str(path), "--teacher", whole).model_dump(exclude_unset=True) == expected
    kept = load(str(path), "--teacher.checkpoint", "last").model_dump(exclude_unset=True)["teacher"]
    assert kept == {"run": "b", "flip": True, "checkpoint": "last"}
    assert load(str(path), "--teacher.kind", "run").teacher is not None
    monkeypatch.setenv("SEGDISTILL_TEACHER__KIND", "onnx")
    monkeypatch.setenv("SEGDISTILL_TEACHER__PATH", "c.onnx")
    assert load(str(path)).model_dump(exclude_unset=True) == expected
    assert "unknown key 'teacher.run': known here are precision, " in complaint(str(path), "--teacher.run", "d")


def test_missing_file_names_the_nearest_shipped_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    near = SHIPPED[0].relative_to(ROOT)
    assert f"did you mean '{near}'?" in complaint(f"{near}".replace(".yaml", "s.yaml"))


def groups_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a key holds; a list is given whole."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = () if get_origin(annotation) is list else get_args(annotation)
    return [group for part in inner for group in groups_in(part)]


def options_of(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Every option with its description; of kinds that share one, that of the first."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        groups = groups_in(field.annotation)
        for group in groups:
            found |= {key: text for key, text in options_of(group, f"{prefix}{name}.").items() if key not in found}
        if not groups:
            found[f"--{prefix}{name}"] = field.description or ""
    return found


@pytest.mark.parametrize("module", ["train.distill", "train.teacher"])
def test_help_lists_every_option_with_description_and_default(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(module).main()
    assert ended.value.code in (0, None)
    text = " ".join(capsys.readouterr().out.split())
    assert RunConfig.__doc__ is not None
    assert RunConfig.__doc__ in text
    for option, description in options_of(RunConfig).items():
        assert description, f"{option} has no description"
        entry = re.search(rf" {re.escape(option)}[ ,](?!.*?\] \[--).*?{re.escape(description)} \((.*?)\)", text)
        assert entry is not None, option
        assert entry[1].startswith("default: ") or entry[1].endswith("required"), option


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_config_loads_and_explains_every_value(path: Path) -> None:
    assert load(str(path)).name
    for line in path.read_text(encoding="utf-8").splitlines():
        sets_a_value = re.fullmatch(r"\s*(- )?\w+: *[^\s#].*", line) or re.fullmatch(r"\s*- [^\s#].*", line)
        assert not sets_a_value or " # " in line, f"{path}: no comment: {line}"


def test_a_mistake_ends_the_real_command_with_2_and_one_line() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "train.distill", "--name", "a", "--optimizer.lrr", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == "error: command line: unknown option '--optimizer.lrr': did you mean 'optimizer.lr'?\n"
    assert result.stdout == ""

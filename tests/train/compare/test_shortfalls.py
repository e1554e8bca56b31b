from pathlib import Path

from tests.train.compare.tiny import tiny, tiny_config
from train.compare.arms import open_arms
from train.compare.shortfalls import of_teachers


def test_times_without_the_teacher_are_said_to_be_such_and_other_teachers_are_named(tmp_path: Path) -> None:
    losses = [{"name": "cross_entropy"}, {"name": "kd"}]
    other = {"teacher": {"run": "runs/other"}}
    methods = {"baseline": {}, "kd": {"config": {"losses": losses}}, "kd2": {"config": {"losses": losses, **other}}}
    recipe = tiny(tmp_path)["recipe"]
    recipe["data"]["augment"] = {"variants": 2}

    def notes(teacher: dict[str, object], *names: str) -> list[str]:
        given = {"recipe": recipe | {"teacher": teacher}, "methods": {name: methods[name] for name in names}}
        return of_teachers(open_arms(tiny_config(tmp_path, **given)))

    alone, cached = {"run": "runs/a"}, {"run": "runs/a", "cache": {"folder": str(tmp_path)}}
    assert notes(cached, "baseline") == []
    assert notes(alone, "baseline", "kd") == []
    assert [note.split(",")[0] for note in notes(cached, "baseline", "kd")] == ["What the teacher says is kept"]
    assert notes(alone, "baseline", "kd", "kd2") == [
        "Not all methods have the same teacher: the one in the tables is that of kd."
    ]

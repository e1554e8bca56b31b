from pathlib import Path

import pytest

from train.errors import UserError
from train.yaml_file import read_yaml


def test_words_that_yaml_1_1_took_for_booleans_are_words(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("on: off\nno: yes\ntrue_one: true\nfalse_one: False\nnumber: 1.5e-3\n", encoding="utf-8")
    assert read_yaml(path) == {"on": "off", "no": "yes", "true_one": True, "false_one": False, "number": 0.0015}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "not valid YAML"),
        ("- 1", "this is list"),
        ("", "this is NoneType"),
        ("!!python/name:os.system", "YAML"),
    ],
)
def test_what_is_no_mapping_is_refused_in_a_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=reason) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)

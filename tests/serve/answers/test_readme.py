"""What the README shows can be copied and works on a real server."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serve.answers

README = Path(serve.answers.__file__).with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:pycocotools")
def test_every_way_to_read_an_answer_gives_the_class_map(server, image, encode):
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found
    names: dict[str, Any] = {"server": server.url, "image": encode(image)}
    read = 0
    for line in re.split(r"\n(?=ids =|raw =|for )", found.group(1)):
        names["ids"] = np.full(image.shape[:2], 99, np.uint8)
        exec(line, names)
        if not line.startswith(("import", "raw")):
            read += 1
            np.testing.assert_array_equal(names["ids"], image.argmax(-1))
    assert read == 4

"""Classes by name or id."""

import pytest

from export.bundle import load_bundle
from serve.class_choice import chosen_classes
from serve.problem import ProblemError


@pytest.fixture(scope="module")
def manifest(bundle):
    return load_bundle(bundle).manifest


@pytest.mark.parametrize(("text", "ids"), [(None, None), ("red", {0}), ("green, 2", {1, 2}), ("0,0,red", {0})])
def test_names_and_ids(manifest, text, ids):
    assert chosen_classes(text, manifest) == ids


@pytest.mark.parametrize(
    ("text", "hint"), [("gren", "did you mean 'green'?"), ("3", "there are red, green, blue"), ("", "there are red")]
)
def test_what_is_no_class_is_named_with_what_is(manifest, text, hint):
    with pytest.raises(ProblemError) as refused:
        chosen_classes(text, manifest)
    assert refused.value.status_code == 422
    assert f"'{text}' is no class of this model" in refused.value.detail
    assert hint in refused.value.detail

"""Shapes of a plan are read as they were meant, or refused in one line."""

import pytest

from export.manifest import InputSpec
from export.tensorrt.profile import check_verifiable, default_profile, parse_profile
from train.errors import UserError

SPEC = InputSpec(height=352, width=480, multiple=16, smallest=32, mean=[0, 0, 0], std=[1, 1, 1])
FIXED = SPEC.model_copy(update={"dynamic_batch": False, "dynamic_size": False})


def test_batch_sizes_are_at_the_bundles_size() -> None:
    profile = parse_profile("1:4:8", SPEC)
    assert (profile.min, profile.opt, profile.max) == ((1, 352, 480, 3), (4, 352, 480, 3), (8, 352, 480, 3))


def test_shapes_are_batch_height_width() -> None:
    profile = parse_profile("1x32x64:2:4x704x960", SPEC)
    assert (profile.min, profile.opt, profile.max) == ((1, 32, 64, 3), (2, 352, 480, 3), (4, 704, 960, 3))


def test_one_picture_by_default() -> None:
    assert default_profile(SPEC) == parse_profile("1:1:1", SPEC) == parse_profile("1:1:1", FIXED)


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        ("1:2", SPEC, "not understood: give min:opt:max"),
        ("1:2:3:4", SPEC, "not understood"),
        ("1:two:3", SPEC, "not understood"),
        ("1x2:1:1", SPEC, "not understood"),
        ("-1:1:1", SPEC, "not understood"),
        ("", SPEC, "not understood"),
        ("4:2:8", SPEC, "batch: min 4 is above opt 2: give min <= opt <= max"),
        ("1:9:8", SPEC, "batch: opt 9 is above max 8"),
        ("1x352x480:1x320x480:1x352x480", SPEC, "height: min 352 is above opt 320"),
        ("1:1:1x352x464", SPEC, "width: opt 480 is above max 464"),
        ("0:1:1", SPEC, "0x352x480 is empty"),
        ("1:1:1x360x480", SPEC, "360x480: both must be multiples of 16"),
        ("1x16x480:1:1", SPEC, "16x480: the student takes no side below 32 pixels"),
        ("1:1:2", FIXED, "batch 1 only: export it with --shapes batch or dynamic"),
        ("1:1:1x704x960", FIXED, "352x480 only: export it with --shapes dynamic"),
    ],
)
def test_a_mistake_is_one_line(text: str, spec: InputSpec, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        parse_profile(text, spec)
    assert str(error.value).startswith(f"--profile {text}: ")
    assert "\n" not in str(error.value)


def test_a_plan_is_verified_on_one_picture_of_the_bundles_size() -> None:
    check_verifiable(parse_profile("1:4:8", SPEC), SPEC)
    for text in ("4:4:8", "1x32x64:1x32x64:1x64x96"):
        with pytest.raises(UserError, match=r"the first one takes no single picture of 352x480, .*--no-verify"):
            check_verifiable(parse_profile(text, SPEC), SPEC)

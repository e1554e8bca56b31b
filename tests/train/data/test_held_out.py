import pytest

from train.data.held_out import stretches


@pytest.mark.parametrize("frames", [20, 221, 1000, 1001, 3500])
def test_stretches_of_time_are_held_out_with_frames_between(frames: int) -> None:
    every, train, val = stretches(frames, held_out=0.1, apart=5)
    assert every == [range(frames)]
    taught, scored = ({frame for part in parts for frame in part} for parts in (train, val))
    assert len(scored) == pytest.approx(0.1 * frames, abs=1 + frames // 1000)
    assert min(abs(one - other) for one in taught for other in scored) == 6
    assert len(val) == -(-frames // 1000)
    assert len(taught) + len(scored) >= frames - 10 * len(val)


def test_of_what_is_too_short_nothing_is_held_out() -> None:
    assert stretches(4, held_out=0.1, apart=0) == ([range(4)], [range(4)], [])
    assert stretches(0, held_out=0.1, apart=0).train == []


def test_a_clip_that_the_gap_swallows_is_not_trained_on() -> None:
    assert stretches(12, held_out=0.1, apart=20).train == []

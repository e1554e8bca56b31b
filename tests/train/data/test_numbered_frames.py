from train.data.numbered_frames import find_clips


def test_even_steps_make_a_clip_whatever_the_order_of_the_list() -> None:
    [clip] = find_clips(["a_000104", "a_000100", "a_000102"], 30, 3)
    assert clip.indices == [1, 2, 0]
    assert clip.frames_per_s == 15


def test_a_missing_frame_ends_a_clip() -> None:
    clips = find_clips([f"a_{number:03d}" for number in (1, 2, 3, 5, 6, 40)], 30, 3)
    assert [clip.indices for clip in clips] == [[0, 1, 2], [3, 4], [5]]
    assert {clip.frames_per_s for clip in clips} == {30}


def test_frames_too_far_apart_are_still_images() -> None:
    clips = find_clips(["a_000", "a_030", "a_060", "b_001", "b_002"], 30, 3)
    assert sorted(clip.indices for clip in clips) == [[0], [1], [2], [3, 4]]


def test_names_of_another_form_and_other_sequences_do_not_mix() -> None:
    clips = find_clips(["1", "2", "a_1", "b_2", "a_2"], 30, 3)
    assert sorted(clip.indices for clip in clips) == [[0], [1], [2, 4], [3]]

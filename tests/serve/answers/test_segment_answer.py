"""The JSON answer: classes, shares, and masks that give the class map back."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco

from serve.answers.segment_answer import SegmentAnswer, encode_json
from serve.segmentation import AnswerOptions


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:pycocotools")
def test_pycocotools_decodes_the_masks(segmentation, manifest):
    answer = json.loads(encode_json(segmentation, manifest, AnswerOptions())[0])
    ids = np.full((answer["height"], answer["width"]), 99, np.uint8)
    for entry in answer["classes"]:
        mask = coco.decode(entry["mask"]) == 1
        assert mask.sum() == entry["pixels"]
        ids[mask] = entry["id"]
    np.testing.assert_array_equal(ids, segmentation.ids)


def test_classes_come_with_name_and_share_the_largest_first(segmentation, manifest):
    answer = SegmentAnswer.model_validate_json(encode_json(segmentation, manifest, AnswerOptions())[0])
    assert [(entry.id, entry.name) for entry in answer.classes] == [(0, "sky"), (1, "road"), (3, "tree"), (255, None)]
    for entry in answer.classes:
        assert entry.share == pytest.approx(np.mean(segmentation.ids == entry.id), abs=1e-6)
        assert entry.confidence is None
    assert answer.notes == ["rotated", "converted from greyscale"]
    assert answer.timings_ms == {"decode": 1.5, "inference": 2}


def test_confidence_is_the_mean_probability_of_each_class(sure, manifest):
    answer = SegmentAnswer.model_validate_json(encode_json(sure, manifest, AnswerOptions(confidence=True))[0])
    for entry in answer.classes:
        assert entry.confidence == pytest.approx(sure.confidence[sure.ids == entry.id].mean() / 255, abs=1e-4)


def test_no_list_is_as_long_as_the_image_has_pixels(segmentation, manifest):
    noise = np.random.default_rng(0).integers(0, 4, segmentation.ids.shape, dtype=np.uint8)

    def lists(node: object) -> list[int]:
        if isinstance(node, dict):
            return [length for value in node.values() for length in lists(value)]
        return [len(node), *(n for value in node for n in lists(value))] if isinstance(node, list) else []

    answer = json.loads(encode_json(replace(segmentation, ids=noise), manifest, AnswerOptions())[0])
    assert max(lists(answer)) == 4

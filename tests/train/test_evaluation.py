from pathlib import Path

import numpy as np
import pytest
import torch

from train.checkpoint import load_run
from train.data.open import open_dataset
from train.data.spec import DatasetSpec
from train.evaluation import evaluate, predictions
from train.metrics import ConfusionMatrix


@pytest.mark.parametrize("size", [(64, 96), (32, 48)])
def test_predictions_come_in_order_at_the_size_of_the_labels(
    student_run: Path, camvid_root: Path, size: tuple[int, int]
) -> None:
    network = load_run(student_run).network
    dataset = open_dataset(DatasetSpec(layout="camvid", root=camvid_root), "val")
    network.train()
    seen = list(predictions(network, dataset, size, batch_size=4))
    assert [prediction.sample.name for prediction in seen] == ["0", "1", "2", "3", "4", "5"]
    assert {prediction.ids.shape for prediction in seen} == {(64, 96)}
    assert network.training  # left in the mode it came in
    alone = list(predictions(network, [seen[5].sample], size))
    assert np.array_equal(alone[0].ids, seen[5].ids)  # the rest of a batch does not matter
    matrix = ConfusionMatrix(11)
    for prediction in seen:
        matrix.add(prediction.sample.label, prediction.ids)
    assert np.array_equal(evaluate(network, dataset, size).counts, matrix.counts)


def test_confidence_is_the_softmax_probability_of_the_predicted_class(student_run: Path, camvid_root: Path) -> None:
    network = load_run(student_run).network
    dataset = open_dataset(DatasetSpec(layout="camvid", root=camvid_root), "val")
    (prediction,) = predictions(network, [dataset[0]], (64, 96), confident=True)
    image = torch.tensor(dataset[0].image).permute(2, 0, 1)[None]
    with torch.inference_mode():
        logits = torch.nn.functional.interpolate(network(image).logits, (64, 96), mode="bilinear")
    of_ids = logits.softmax(1)[0].gather(0, torch.from_numpy(prediction.ids)[None].long())[0]
    assert prediction.confidence is not None
    np.testing.assert_allclose(prediction.confidence, of_ids.numpy(), atol=1e-6)
    (smaller,) = predictions(network, [dataset[0]], (32, 48), confident=True)
    assert smaller.confidence is not None
    assert smaller.confidence.shape == (64, 96)
    assert 1 / 11 < smaller.confidence.min() <= smaller.confidence.max() <= 1
    (plain,) = predictions(network, [dataset[0]], (64, 96))
    assert plain.confidence is None

from pathlib import Path

import numpy as np
import pytest

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
    for sample, ids in seen:
        matrix.add(sample.label, ids)
    assert np.array_equal(evaluate(network, dataset, size).counts, matrix.counts)

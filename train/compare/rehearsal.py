"""What would end a comparison after hours is looked for before them."""

from train.compare.arms import ArmConfig
from train.config import RunConfig
from train.data.dataset import Dataset
from train.data.unlabelled import open_unlabelled
from train.data.val_copies import without_val_copies
from train.errors import UserError
from train.progress import progress
from train.session import open_session
from train.splits import open_split


def rehearse(arms: list[ArmConfig]) -> None:
    """Load what each arm trains with and is scored on, and train nothing.

    Raises:
        UserError: the data, the teacher, a loss or a network cannot be had, or they do not fit together; a split is too
            small for intervals; the test split has no labels, or is trained on.
    """
    comparison = arms[0].comparison
    configs = [arm.training("rehearsal", comparison.tuning.seed, arm.start) for arm in arms]
    if comparison.test_split:
        _check_test(configs, comparison.test_split, comparison.block)
    for config in progress(configs, "rehearsal", len(configs)):
        session = open_session(config.model_copy(update={"profile": True}))
        _check_blocks(session.val_set, comparison.block)


def _check_test(configs: list[RunConfig], split: str, block: int) -> None:
    try:
        test_set = open_split(configs[0], split)  # the data of all arms are the same
    except UserError as error:
        raise UserError(f"test_split: {error}") from None
    if not test_set.labelled:
        raise UserError(f"test_split: {test_set.name} has no labels to score on: choose another split")
    _check_blocks(test_set, block)
    for config in configs:
        if config.data.unlabelled:
            _check_pool(config, test_set)


def _check_pool(config: RunConfig, test_set: Dataset) -> None:
    data = config.data.model_copy(update={"layout": "unlabelled", "classes": test_set.classes})
    pool = open_unlabelled(data, "all")
    own = without_val_copies(pool, test_set, data.pool.model_copy(update={"val_copies": "drop"}))
    if len(own) < len(pool):
        raise UserError(
            f"data.unlabelled: {len(pool) - len(own)} of its images are in {test_set.name}, or all but the same: that "
            "is the test split, which nothing may be trained on: remove them"
        )


def _check_blocks(dataset: Dataset, block: int) -> None:
    if len(dataset) < 2 * block:
        raise UserError(
            f"block: {block}: {dataset.name} has {len(dataset)} images, and there must be two blocks at least: choose "
            "fewer images"
        )

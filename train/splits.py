"""The images of a training: its splits, and the pool without labels, decoded once where there is a cache."""

from collections.abc import Callable

from train import processes
from train.config import RunConfig
from train.data.cache import cached
from train.data.dataset import Dataset
from train.data.mixture import Pool
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.data.unlabelled import UnlabelledFrames, open_unlabelled
from train.data.val_copies import without_val_copies


def open_split(config: RunConfig, split: str) -> Dataset:
    """One split of the dataset of a run, as `open_dataset` gives it, from the cache if it has one."""
    return _opened(config, config.data, split, lambda: open_dataset(config.data, split))


def open_pool(config: RunConfig, val_set: Dataset) -> Pool | None:
    """The images that join the labelled ones; None: there are none.

    Raises:
        UserError: what `open_unlabelled` says, or some of them are in ``val_set``.
    """
    if config.data.taught or not config.data.unlabelled:
        return None
    data = config.data.model_copy(update={"layout": "unlabelled"})
    split = f"all but {val_set.name}"  # to the cache they are other images than those of a pool for another val split

    def opened() -> Dataset:
        return without_val_copies(open_unlabelled(data, "all"), val_set, data.pool)

    return Pool(_opened(config, data, split, opened), data.pool.share)


def _opened(config: RunConfig, data: DataConfig, split: str, opened: Callable[[], Dataset]) -> Dataset:
    """One process looks at the images and fills the cache; where machines do not see the same files, one on each."""
    for goes_first in (processes.is_first(), processes.local_rank() == 0) if processes.count() > 1 else ():
        if goes_first:
            _stored(config, data, split, opened())
        processes.wait()
    dataset = opened()
    if isinstance(dataset, UnlabelledFrames) and processes.is_first():
        for note in dataset.notes if split != data.val_split else dataset.notes[-1:]:
            print(f"data.unlabelled: {note}", flush=True)
    return _stored(config, data, split, dataset)


def _stored(config: RunConfig, data: DataConfig, split: str, dataset: Dataset) -> Dataset:
    folder = data.cache
    return dataset if folder is None else cached(dataset, data, split, folder, config.loop.workers)

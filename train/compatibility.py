"""Whether the parts of a run fit each other: what can go wrong is said before the first step."""

from typing import NamedTuple

from train import processes
from train.config import RunConfig
from train.data.dataset import Dataset
from train.data.mixture import Pool
from train.data.neighbour import open_neighbours
from train.data.spec import PoolSpec
from train.errors import UserError
from train.losses.contract import Needs
from train.models.network import SegmentationNetwork
from train.models.taps import MODULE


class Parts(NamedTuple):
    """What a run is made of."""

    train_set: Dataset
    val_set: Dataset
    pool: Pool | None
    model: SegmentationNetwork
    teacher: SegmentationNetwork | None
    needs: Needs
    """Of all losses together."""


def check_parts(config: RunConfig, parts: Parts) -> None:
    """Look at all that two parts must agree on.

    Raises:
        UserError: a loss needs what the data cannot give, or a size does not fit; says which and what to do.
    """
    _check_data(config, parts.train_set, parts.val_set, parts.needs)
    _check_images(config, parts.train_set, parts.pool)
    _check_pool(config, parts.pool, parts.needs)
    _check_sizes(config, parts.model, parts.teacher)
    _check_batch(config)
    _check_compiled(config, parts.needs)


def _check_data(config: RunConfig, train_set: Dataset, val_set: Dataset, needs: Needs) -> None:
    """`UserError` where a loss needs what the dataset cannot give."""
    if needs.labels and not train_set.labelled:
        names = ", ".join(loss.name for loss in config.losses if loss.needs.labels)
        raise UserError(f"losses: {names}: needs labels and {train_set.name} has none: remove it, or use labelled data")
    if not val_set.labelled:
        raise UserError(f"data.val_split: {val_set.name} has no labels to score on: add some, or choose another split")
    if needs.neighbour:
        open_neighbours(train_set, config.data.neighbour)


def _check_images(config: RunConfig, train_set: Dataset, pool: Pool | None) -> None:
    """`UserError` where a loss counts only images of a kind that there is none of, so that it would always be 0."""
    all_labelled = train_set.labelled and pool is None and not config.data.clips.unlabelled
    for loss in config.losses:
        if loss.images == "unlabelled" and all_labelled:
            raise UserError(
                f"losses: {loss.name}: images: unlabelled: all images have labels: add some with --data.unlabelled "
                "PATH, or take images: all"
            )
        if loss.images == "labelled" and not train_set.labelled:
            raise UserError(f"losses: {loss.name}: images: labelled: no image has a label: take images: all")


def _check_pool(config: RunConfig, pool: Pool | None, needs: Needs) -> None:
    """`UserError` where images without labels are missing, would teach nothing, or cannot be given neighbours."""
    if pool is None:
        if config.data.pool != PoolSpec() and not config.data.taught:
            raise UserError(
                "data.pool: it says how images without labels are used, and there are none: add --data.unlabelled "
                "PATH, or remove it"
            )
        return
    if all(loss.needs.labels or loss.images == "labelled" for loss in config.losses):
        raise UserError(
            "data.unlabelled: no loss learns from images without labels: add one that listens to a teacher, e.g. "
            "{name: kd}, or remove data.unlabelled"
        )
    if config.data.pool.confidence and config.teacher is None:
        raise UserError("data.pool.confidence: it is a teacher's, and the run has none: set --teacher.run, or 0 here")
    if needs.neighbour:
        open_neighbours(pool.dataset, config.data.neighbour)


def _check_sizes(config: RunConfig, model: SegmentationNetwork, teacher: SegmentationNetwork | None) -> None:
    multiple = max(model.multiple, teacher.multiple if teacher else 1)
    for key, size in (("size", config.data.size), ("crop", config.data.crop or config.data.size)):
        if any(side % multiple for side in size):
            raise UserError(f"data.{key}: {size}: both sides must be multiples of {multiple}, the networks' stride")


def _check_batch(config: RunConfig) -> None:
    size, parts = config.loop.batch_size, processes.count() * config.loop.accumulate
    if size % parts:
        raise UserError(
            f"loop.batch_size: {size}: {processes.count()} processes with loop.accumulate {config.loop.accumulate} "
            f"share it evenly: choose a multiple of {parts}"
        )
    for loss in config.losses:
        if size < loss.least_images:
            raise UserError(
                f"loop.batch_size: {size}: under its settings {loss.name} compares the images of a batch and needs "
                f"{loss.least_images} or more: raise it, or change the loss"
            )


def _check_compiled(config: RunConfig, needs: Needs) -> None:
    taps = needs.student | needs.teacher | needs.neighbour_student | needs.neighbour_teacher
    hooked = sorted(tap for tap in taps if tap.startswith(MODULE))
    if config.loop.compile and hooked:
        raise UserError(f"loop.compile: a compiled network does not show '{hooked[0]}': use another tap, or no compile")

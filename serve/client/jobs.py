"""Which images a command segments, and where each answer goes."""

from dataclasses import dataclass
from pathlib import Path

from serve.benchmark.images import SUFFIXES
from train.errors import UserError


@dataclass(frozen=True)
class Job:
    """One image and the file of its answer."""

    image: Path
    output: Path


def jobs_of(sources: list[Path], out: Path, suffix: str) -> list[Job]:
    """A job for each file and each image in a folder, in the order given and, in a folder, by name.

    Raises:
        UserError: a path that is not there, a folder without images, or answers that would overwrite each other or an
            image.
    """
    images = list(dict.fromkeys(image for source in sources for image in _images(source)))
    jobs = [Job(image, out / f"{image.stem}{suffix}") for image in images]
    _check(jobs)
    return jobs


def _images(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UserError(f"{source}: not there: give files, or folders of images")
    found = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{source}: no images in it ({', '.join(SUFFIXES)})")
    return found


def _check(jobs: list[Job]) -> None:
    images = {job.image.resolve(): job.image for job in jobs}
    first: dict[Path, Job] = {}
    for job in jobs:
        other = first.setdefault(job.output, job)
        if other is not job:
            raise UserError(f"{other.image} and {job.image} would both become {job.output}: rename one, or run twice")
        if job.output.resolve() in images:
            raise UserError(f"the answer to {job.image} would take the place of {job.output}: give another --out")

"""Many images, a bounded number of them at once; each answer is a file that is whole or not there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from serve.client.answer import Answer
from serve.client.jobs import Job
from serve.client.problem import NoAnswer, ServerProblem
from train.durable import atomic_path, writing
from train.errors import UserError

_OF_EVERY_IMAGE = (401, 403, 404, 405, 406)
_PARAMETER = "urn:segdistill:problem:invalid-parameter"

Ask = Callable[[Path], Awaitable[Answer]]


@dataclass(frozen=True)
class Outcome:
    """What became of an image."""

    job: Job
    error: UserError | None = None
    """Why it has no answer; None: it has."""
    request_id: str | None = None
    notes: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)


async def segment_files(
    jobs: list[Job], ask: Ask, concurrency: int, on_outcome: Callable[[Outcome], None]
) -> list[Outcome]:
    """Start the jobs in their order; the outcomes are in this order too, whichever ends first.

    Raises:
        UserError: what would be the same for all that are left: no server, no access, no such model or class, no
            room on disk.
    """
    outcomes: dict[Job, Outcome] = {}
    queue = iter(jobs)

    async def work(queue: Iterator[Job]) -> None:
        for job in queue:
            outcomes[job] = await _segment(job, ask)
            on_outcome(outcomes[job])

    workers = [asyncio.create_task(work(queue)) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [outcomes[job] for job in jobs]


async def _segment(job: Job, ask: Ask) -> Outcome:
    try:
        answer = await ask(job.image)
    except UserError as error:
        if _of_every_image(error):
            raise
        return Outcome(job, error)
    await asyncio.to_thread(_write, answer, job.output)
    return Outcome(job, None, answer.request_id, answer.notes, answer.timings_ms)


def _of_every_image(error: UserError) -> bool:
    if isinstance(error, NoAnswer):
        return not error.reached
    return isinstance(error, ServerProblem) and (error.status in _OF_EVERY_IMAGE or error.type == _PARAMETER)


def _write(answer: Answer, output: Path) -> None:
    with writing(output, "make room, then give the same command again"), atomic_path(output) as path:
        path.write_bytes(answer.body)

"""Segment a folder on a server: ``python -m serve.client URL DIR --out DIR``."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from serve.client.answer import Answer
from serve.client.async_client import AsyncClient
from serve.client.batch import Outcome, segment_files
from serve.client.jobs import Job, jobs_of
from serve.client.options import FORMS, check, parser
from serve.client.retries import Retries
from train.command import command
from train.durable import atomic_path, writing
from train.errors import UserError
from train.interruption import Interrupted
from train.progress import TrainingProgress

_FIRST_CONTACT_S = 5.0
_LINES = 20
_GO_ON = "the same command goes on"


def main() -> None:
    """Segment what is not there yet, say what became of it; exit with 1 where an image failed."""
    options = parser().parse_args()
    check(options)
    jobs = jobs_of(options.images, options.out, FORMS[options.answer].suffix)
    with writing(options.out, "give another --out"):
        options.out.mkdir(parents=True, exist_ok=True)
    left = [job for job in jobs if options.overwrite or not job.output.exists()]
    outcomes = _segment(left, options) if left else []
    if options.json is not None:
        _write_report(jobs, outcomes, options.json)
    failed = sum(outcome.error is not None for outcome in outcomes)
    print(
        f"{len(jobs)} images: {len(left) - failed} written to {options.out}, {len(jobs) - len(left)} there before, "
        f"{failed} failed"
    )
    if failed:
        sys.exit(1)


def _segment(jobs: list[Job], options: argparse.Namespace) -> list[Outcome]:
    """What became of ``jobs``; if they do not come to their end, how many did, and that the rest can follow."""
    done: list[Outcome] = []
    try:
        return asyncio.run(_run(jobs, options, done))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after {_written(done)} of {len(jobs)} images: {_GO_ON}", signal.SIGINT
        ) from None
    except UserError as error:
        if not done:
            raise
        raise UserError(f"{error}; {_written(done)} of {len(jobs)} images are written, {_GO_ON}") from None


async def _run(jobs: list[Job], options: argparse.Namespace, done: list[Outcome]) -> list[Outcome]:
    await _check_server(options)
    form = FORMS[options.answer]
    retries = Retries(deadline_s=options.deadline)
    async with AsyncClient(options.url, timeout_s=options.timeout, retries=retries) as client:

        async def ask(image: Path) -> Answer:
            return await client.answer(
                image,
                form.media_type,
                overlay=form.overlay,
                model=options.model,
                size=options.size,
                classes=options.classes,
                confidence=options.confidence,
            )

        with TrainingProgress("segmented", 0, len(jobs), 1, max(1, len(jobs) // _LINES)) as progress:

            def on_outcome(outcome: Outcome) -> None:
                done.append(outcome)
                if outcome.error is not None:
                    print(f"failed: {outcome.job.image}: {outcome.error}", file=sys.stderr)
                progress.update(len(done), {})

            return await segment_files(jobs, ask, options.concurrency, on_outcome)


async def _check_server(options: argparse.Namespace) -> None:
    """A wrong address, key or model shows here, before an image is sent and before patience would hide it."""
    retries = Retries(deadline_s=min(options.deadline, _FIRST_CONTACT_S))
    async with AsyncClient(options.url, timeout_s=options.timeout, retries=retries) as client:
        await client.model(options.model)


def _written(outcomes: list[Outcome]) -> int:
    return sum(outcome.error is None for outcome in outcomes)


def _write_report(jobs: list[Job], outcomes: list[Outcome], file: Path) -> None:
    """A record for each image, in their order."""
    by_job = {outcome.job: outcome for outcome in outcomes}
    records = [_record(job, by_job.get(job)) for job in jobs]
    with writing(file, "give another --json"), atomic_path(file) as path:
        path.write_text(json.dumps({"images": records}, indent=2) + "\n", encoding="utf-8")


def _record(job: Job, outcome: Outcome | None) -> dict[str, Any]:
    files = {"image": str(job.image), "output": str(job.output)}
    if outcome is None:
        return {**files, "result": "there before"}
    if outcome.error is not None:
        return {**files, "result": "failed", "error": str(outcome.error)}
    details = {"request_id": outcome.request_id, "notes": outcome.notes, "timings_ms": outcome.timings_ms}
    return {**files, "result": "written", **details}


if __name__ == "__main__":
    command(main)

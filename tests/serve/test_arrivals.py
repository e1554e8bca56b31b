"""Bodies on their way: which of them gives its place, and which does not."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from serve.arrivals import Arrivals
from serve.problem import ProblemError


async def never() -> bytes:
    await asyncio.sleep(60)
    return b"late"


async def soon() -> bytes:
    await asyncio.sleep(0.01)
    return b"body"


def test_the_oldest_slow_body_gives_its_place_and_nobody_elses() -> None:
    async def scenario() -> tuple[list[bool], list[object]]:
        arrivals = Arrivals(60, patience_s=0.05)
        tasks = []
        for _ in range(3):
            tasks.append(asyncio.create_task(arrivals.receive(never())))
            await asyncio.sleep(0.04)
        displaced = [arrivals.displace(), arrivals.displace(), arrivals.displace()]
        await asyncio.sleep(0.01)
        assert [task.done() for task in tasks] == [True, True, False]
        tasks[2].cancel()
        return displaced, await asyncio.gather(*tasks, return_exceptions=True)

    displaced, outcomes = asyncio.run(scenario())
    assert displaced == [True, True, False]
    assert [getattr(outcome, "status_code", None) for outcome in outcomes] == [503, 503, None]
    assert isinstance(outcomes[2], asyncio.CancelledError), "cancelled by somebody else, not told to be slow"


def test_a_body_that_has_come_is_displaced_no_more() -> None:
    async def scenario() -> tuple[bytes, bool]:
        arrivals = Arrivals(60, patience_s=0)
        return await asyncio.create_task(arrivals.receive(soon())), arrivals.displace()

    assert asyncio.run(scenario()) == (b"body", False)


def test_a_task_goes_on_after_it_was_displaced() -> None:
    """It has an answer to send."""

    async def request(arrivals: Arrivals) -> bytes:
        try:
            return await arrivals.receive(never())
        except ProblemError:
            return await asyncio.wait_for(soon(), 5)

    async def scenario() -> bytes:
        arrivals = Arrivals(60, patience_s=0)
        task = asyncio.create_task(request(arrivals))
        await asyncio.sleep(0)
        assert arrivals.displace()
        return await task

    assert asyncio.run(scenario()) == b"body"


def test_what_goes_wrong_with_a_body_stays_what_it_is() -> None:
    async def failing() -> bytes:
        raise ProblemError(413, "body-too-large", "too large")

    with pytest.raises(ProblemError, match="413"):
        asyncio.run(Arrivals(60).receive(failing()))


def test_a_body_that_takes_too_long_is_408_and_the_task_goes_on() -> None:
    async def scenario() -> bytes:
        with pytest.raises(HTTPException) as late:
            await Arrivals(0.02).receive(never())
        assert late.value.status_code == 408
        return await soon()

    assert asyncio.run(scenario()) == b"body"

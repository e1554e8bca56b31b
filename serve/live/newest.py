"""A place for one thing, in which a newer one takes the place of one that nobody has taken."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Newest(Generic[T]):
    """Between two tasks of one event loop."""

    def __init__(self) -> None:
        self.superseded = 0
        """Things that were never taken."""
        self._thing: T | None = None
        self._there = asyncio.Event()

    def put(self, thing: T) -> None:
        """Without a wait."""
        self.superseded += self._thing is not None
        self._thing = thing
        self._there.set()

    async def take(self) -> T:
        """The newest, as soon as there is one."""
        await self._there.wait()
        thing, self._thing = self._thing, None
        self._there.clear()
        assert thing is not None
        return thing

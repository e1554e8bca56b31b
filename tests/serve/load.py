"""Clients that never rest, and what they got."""

import threading
from collections import Counter

import httpx


class Load:
    """Clients that ask without a pause, each on a connection of its own."""

    def __init__(self, url: str, image: bytes, clients: int = 8) -> None:
        self.outcomes: Counter[int | str] = Counter()
        self.answers: Counter[bytes] = Counter()
        self._stop = threading.Event()
        self._url, self._image = url, image
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/segment", content=self._image)
                except httpx.ConnectError:
                    return
                except httpx.TransportError as error:
                    self.outcomes[type(error).__name__] += 1
                    return
                self.outcomes[answer.status_code] += 1
                self.answers[answer.content] += answer.status_code == 200

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

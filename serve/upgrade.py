"""Which requests may ask for another protocol: WebSocket, at one path."""

import re

_UPGRADE = re.compile(rb"\r\nupgrade[ \t]*:", re.IGNORECASE)


class Upgrade:
    """Watches the heads of one connection, piece by piece. ``path``: the one that speaks WebSocket; None: none does."""

    def __init__(self, path: bytes | None) -> None:
        self._path = path
        self._beginning = b""  # of a head, as much as is needed to know its path

    def piece(self, data: bytes) -> bytes:
        """What of a piece of a head goes to the parser: the request for an upgrade only where it may be."""
        return data if self._asks_for_path(data) else _without_upgrade(data)

    def end_of_request(self) -> None:
        """What comes next is another head."""
        self._beginning = b""

    def allows(self, method: bytes, url: bytes) -> bool:
        """Whether a request for these may ask for WebSocket."""
        return method == b"GET" and url.partition(b"?")[0] == self._path

    def _asks_for_path(self, data: bytes) -> bool:
        if self._path is None:
            return False
        asked = b"GET " + self._path
        self._beginning += data[: len(asked) + 1 - len(self._beginning)]
        return self._beginning in (asked + b" ", asked + b"?")


def _without_upgrade(data: bytes) -> bytes:
    """Without the header by which clients of HTTP/2, Java's for one, ask in each request whether it is spoken here."""
    end = data.find(b"\r\n\r\n")
    found = _UPGRADE.search(data, 0, end if end >= 0 else len(data))
    return data if found is None else b"%b\r\nX-%b" % (data[: found.start()], data[found.start() + 2 :])

"""Which media type a client wants (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence


def choose_media_type(accept: str, offers: Sequence[str]) -> str | None:
    """The offer that the ``Accept`` header likes best, the first of equals; None if it takes none of them.

    An empty header takes anything.
    """
    ranges = [_parse(entry) for entry in accept.split(",") if entry.strip()] or [("*/*", 1.0)]
    weights = [_weight(offer, ranges) for offer in offers]
    best = max(weights)
    return offers[weights.index(best)] if best > 0 else None


def _parse(entry: str) -> tuple[str, float]:
    media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            return media_range, _quality(parameter[2:])
    return media_range, 1.0


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _weight(offer: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that matches: ``image/png`` before ``image/*`` before ``*/*``."""
    given = dict(ranges)
    for media_range in (offer, offer.split("/")[0] + "/*", "*/*"):
        if media_range in given:
            return given[media_range]
    return 0.0

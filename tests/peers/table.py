"""A comparison in Markdown, with the goals that it was made for."""

from serve.benchmark.report import machine
from tests.peers.comparison import OURS, Comparison
from tests.peers.levels import LEVELS

_FLAT = 0.05


def markdown(found: Comparison, deadline_s: float) -> str:
    """The tables of `serve/README.md`."""
    parts = [f"On {machine()}; medians of {len(found.levels[OURS][LEVELS[0]])} rounds, ratios within each round."]
    parts += [_levels(found), _ratios(found), _goals(found, deadline_s)]
    return "\n\n".join(parts) + "\n"


def _levels(found: Comparison) -> str:
    lines = [
        "| clients | server | answers/s | p50 ms | p99 ms | CPU ms/answer | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for clients in LEVELS:
        for label in found.levels:
            numbers = (found.median(label, clients, name) for name in ("throughput", "p50_ms", "p99_ms", "cpu_ms"))
            failed = sum(level.failed for level in found.levels[label][clients])
            cells = " | ".join(f"{number:.1f}" for number in numbers)
            lines.append(f"| {clients} | {label} | {cells} | {failed} |")
    bare = (f"| - | {label} | {_median(rounds):.1f} | | | | |" for label, rounds in found.bare.items())
    return "\n".join([*lines, *bare])


def _ratios(found: Comparison) -> str:
    lines = ["| ours to | clients | throughput | p50 | p99 |", "|---|---|---|---|---|"]
    for peer in found.levels:
        if peer != OURS:
            for clients in LEVELS:
                ratios = (found.ratio(peer, clients, name) for name in ("throughput", "p50_ms", "p99_ms"))
                lines.append(f"| {peer} | {clients} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |")
    return "\n".join(lines)


def _goals(found: Comparison, deadline_s: float) -> str:
    rows = []
    if found.bare:
        best = max(found.of_bare(clients) for clients in LEVELS)
        rows.append(("throughput to the fastest bare loop", f"{best:.2f}", "at least 0.90", best >= 0.9))
    overhead = found.median(OURS, 1, "overhead_ms")
    rows.append(
        ("whole request beyond its stages, p50, one client", f"{overhead:.2f} ms", "at most 1 ms", overhead <= 1)
    )
    rows += [*_peer_goals(found), *_overload_goals(found, deadline_s)]
    lines = ["| goal | measured | asked | |", "|---|---|---|---|"]
    lines += [f"| {name} | {value} | {asked} | {'met' if met else 'missed'} |" for name, value, asked, met in rows]
    return "\n".join(lines)


def _peer_goals(found: Comparison) -> list[tuple[str, str, str, bool]]:
    peers = [label for label in found.levels if label != OURS]
    rows = []
    for clients in LEVELS:
        slowest = min((found.ratio(peer, clients, "throughput") for peer in peers), default=1.0)
        latest = max((found.ratio(peer, clients, "p99_ms") for peer in peers), default=1.0)
        rows.append((f"throughput to the best peer, {clients} clients", f"{slowest:.2f}", "at least 1", slowest >= 1))
        rows.append((f"p99 to the best peer, {clients} clients", f"{latest:.2f}", "at most 1", latest <= 1))
    return rows


def _overload_goals(found: Comparison, deadline_s: float) -> list[tuple[str, str, str, bool]]:
    load = found.overload
    if load is None:
        return []
    refused = load.refused_p99_ms or 0.0
    back = load.full_speed_after_s
    offered = f"{load.offered:.0f}/s offered for {load.seconds:g} s"
    accepted = f"{offered}: p99 of the {load.accepted:.0f}/s accepted"
    rejected = f"{offered}: p99 until the {load.refused:.0f}/s refused have their 503"
    deadline_ms = deadline_s * 1e3
    others = ", ".join(f"{count} x {kind}" for kind, count in load.failed.items())
    grown = f"{load.memory_mib[0]:.0f} to {load.memory_mib[-1]:.0f} MiB, {load.memory_slope:+.1f} a minute"
    flat = abs(load.memory_slope) <= _FLAT * load.memory_mib[-1]
    again = "not within 6 s" if back is None else f"{back:.1f} s"
    below = f"below the deadline, {deadline_ms:.0f} ms"
    return [
        (accepted, f"{load.accepted_p99_ms:.0f} ms", below, load.accepted_p99_ms < deadline_ms),
        (
            rejected,
            f"{refused:.1f} ms, {load.client_late_p99_ms:.1f} of them the client's",
            "at most 50 ms",
            refused <= 50,
        ),
        (f"{offered}: neither answered nor refused", others or "none", "none", not load.failed),
        (f"{offered}: memory", grown, f"flat: less than {_FLAT:.0%} a minute", flat),
        ("full speed again after", again, "at most 2 s", back is not None and back <= 2),
    ]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]

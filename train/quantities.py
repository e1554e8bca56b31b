"""Numbers as people read them (no torch)."""


def with_prefix(count: float) -> str:
    """Three digits and a prefix: 268 k, 3.09 M."""
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:#.3g}".rstrip(".") + f" {prefix}"
    return f"{count:.3g}"


def duration(seconds: float) -> str:
    """Two units of time: 38 s, 14 min 02 s, 3 h 05 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def energy(joules: float) -> str:
    """Kilowatt-hours: 1.234 kWh."""
    return f"{joules / 3.6e6:.3f} kWh"

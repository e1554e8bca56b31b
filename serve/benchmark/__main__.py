"""Time a bundle, or a running server: ``python -m serve.benchmark BUNDLE`` or ``--url URL``."""

import argparse
import sys

from serve.benchmark.images import load_images
from serve.benchmark.measurement import WHOLE_REQUEST
from serve.extras import installed
from train.command import command

with installed():
    from serve.benchmark.load_table import show_points
    from serve.benchmark.measurement import Plan
    from serve.benchmark.options import check, loads, parser, windows
    from serve.benchmark.plot import write_plot
    from serve.benchmark.report import Report, show, write_json
    from serve.benchmark.run import Order, time_bundle, time_kserve, time_server


def main() -> None:
    """Measure, show, write what was asked for; exit with 1 where a bound is broken."""
    options = parser().parse_args()
    check(options)
    report = _measure(options)
    show_points(report.points)
    show(report)
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        write_plot(report.points, report.target, options.plot)
    broken = _broken(report, options)
    if broken:
        print(f"failed: {'; '.join(broken)}", file=sys.stderr)
        sys.exit(1)


def _measure(options: argparse.Namespace) -> Report:
    images = load_images(options.image, options.images, options.bundle)
    plan = Plan(options.warmup, options.samples, options.batch)
    order = Order(images, plan, loads(options), windows(options))
    if options.protocol == "kserve":
        return time_kserve(options.url, options.model, order)
    if options.url is not None:
        return time_server(options.url, options.model, order)
    return time_bundle(options.bundle, order, options.engine, options.threads, options.server, options.write)


def _broken(report: Report, options: argparse.Namespace) -> list[str]:
    """What breaks a bound: of the levels of load, or, where there are none, of the requests one after the other."""
    if report.points:
        found = [bound.broken_by(point) for bound in options.fail_over for point in report.points]
    else:
        whole = next(row for row in report.measurements if row.stage == WHOLE_REQUEST)
        found = [bound.broken_by_row(whole) for bound in options.fail_over]
    return [line for line in found if line is not None]


if __name__ == "__main__":
    command(main)

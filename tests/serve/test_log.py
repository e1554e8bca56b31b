"""The log: one line a record whatever is in it, and no harm from a sink that takes nothing."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.log import JsonFormatter, LogFormat, LogWriter, TextFormatter

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def logging_to(descriptor: int, formatter: logging.Formatter) -> Iterator[tuple[logging.Logger, LogWriter]]:
    logger, writer = logging.Logger("serve.test"), LogWriter(formatter, descriptor)
    logger.addHandler(writer)
    try:
        yield logger, writer
    finally:
        writer.close()


def lines_of(formatter: logging.Formatter, write: object) -> list[str]:
    reader, descriptor = os.pipe()
    with logging_to(descriptor, formatter) as (logger, _):
        write(logger)  # type: ignore[operator]
    os.close(descriptor)
    with os.fdopen(reader) as file:
        return file.read().splitlines()


def test_a_text_line_has_time_level_logger_message_and_fields() -> None:
    (line,) = lines_of(TextFormatter(), lambda log: log.info("%s done", 3, extra={"fields": {"request_id": "r1"}}))
    moment, rest = line.split(" ", 1)
    assert rest == "INFO serve.test 3 done request_id=r1"
    assert abs(time.time() - time.mktime(time.strptime(moment[:-5], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
    assert moment.endswith("Z")


def test_a_json_line_is_an_object_with_the_fields() -> None:
    (line,) = lines_of(JsonFormatter(), lambda log: log.warning("full", extra={"fields": {"batch": 4}}))
    entry = json.loads(line)
    assert set(entry) == {"time", "level", "logger", "message", "batch"}
    assert (entry["level"], entry["logger"], entry["message"], entry["batch"]) == ("warning", "serve.test", "full", 4)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_nobody_writes_lines_of_their_own(formatter: logging.Formatter) -> None:
    hostile = "/x\n2026-01-01T00:00:00.000Z INFO serve.access forged\r\x1b[31m\udcff"
    lines = lines_of(formatter, lambda log: log.info("%s", hostile, extra={"fields": {"path": hostile}}))
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


def test_an_exception_keeps_its_trace() -> None:
    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError("no such class")
        except ValueError:
            log.exception("failed")

    text = lines_of(TextFormatter(), fail)
    assert text[0].endswith("ERROR serve.test failed")
    assert text[-1] == "  ValueError: no such class"
    (line,) = lines_of(JsonFormatter(), fail)
    assert json.loads(line)["exception"].endswith("ValueError: no such class")


def test_a_reader_that_reads_nothing_stops_nobody_and_is_told_what_it_missed() -> None:
    reader, descriptor = os.pipe()
    with logging_to(descriptor, TextFormatter()) as (logger, _):
        start = time.monotonic()
        for _ in range(12_000):
            logger.info("x" * 300)
        assert time.monotonic() - start < 5
        os.set_blocking(reader, False)
        text, deadline = "", time.monotonic() + 10
        while "lines could not be written" not in text and time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                text += os.read(reader, 1 << 20).decode()
            logger.info("later")
        os.close(reader)
    os.close(descriptor)
    assert "WARNING serve.log " in text


def test_a_closed_pipe_stops_nobody() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    with logging_to(descriptor, TextFormatter()) as (logger, _):
        logger.info("nobody listens")
    os.close(descriptor)


def test_a_message_that_does_not_fit_its_arguments_stops_nobody() -> None:
    lines = lines_of(TextFormatter(), lambda log: (log.info("%d", "no number"), log.info("next")))
    assert [line.split(" ", 2)[2] for line in lines] == ["serve.log 1 lines could not be written", "serve.test next"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_changes_no_exit_code(form: LogFormat) -> None:
    code = f"""
import logging
from serve.log import start_log
writer = start_log("info", {form!r})
for _ in range(1000):
    logging.getLogger("serve").info("x" * 100)
logging.shutdown()
print("worked on")
"""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, b"worked on\n")

"""Stage times and their header."""

import time

from serve.timing import StageTimes, parse_server_timing


def test_a_block_is_timed_in_milliseconds():
    times = StageTimes()
    with times.measure("decode"):
        time.sleep(0.02)
    assert 20 <= times["decode"] < 2000


def test_the_header_is_read_back():
    times = StageTimes(decode=1.5, inference=20.25)
    assert times.header() == "decode;dur=1.500, inference;dur=20.250"
    assert parse_server_timing(times.header()) == times


def test_other_peoples_entries_are_understood():
    assert parse_server_timing('cache;desc="hit, not miss", db;dur=53;desc=x, total') == {"db": 53.0}
    assert parse_server_timing("") == {}

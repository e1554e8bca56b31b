"""`python -m serve.benchmark` under load, against a real server: tables, JSON, picture, exit code."""

import json

import pytest

from serve.benchmark.server_usage import find_server, server_usage

FEW = ("--samples", "3", "--warmup", "1", "--window", "0.25", "--windows", "3", "--threads", "1")


def test_both_sweeps_of_a_bundle(benchmark, bundle, street, tmp_path, capsys):
    where = {name: tmp_path / name for name in ("load.json", "load.png")}
    loads = ("--concurrency", "1,2,4", "--rate", "20", "--json", where["load.json"], "--plot", where["load.png"])
    benchmark(bundle, "--image", street, *loads, *FEW, "--server", "--workers 2")
    report = json.loads(where["load.json"].read_text())
    points = report["points"]
    assert [(point["loop"], point["offered"]) for point in points] == [("closed", n) for n in (1, 2, 4)] + [
        ("open", 20)
    ]
    for point in points:
        assert point["errors"] == {}
        assert 0 < point["p50_ms"] <= point["p90_ms"] <= point["p99_ms"] <= point["max_ms"]
        assert {"decode", "inference", "encode"} <= set(point["stages_ms"])
        assert point["server_cpu_ms"] > 0.1
        assert point["server_memory_mib"] > 30
    assert points[-1]["throughput"] == pytest.approx(20, rel=0.6)
    assert report["knees"]["closed"] in (1, 2, 4)
    assert where["load.png"].read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    for text in ("closed loop: clients", "open loop: requests a second", "answers/s", "CPU ms", "Kleinrock", "Jetson"):
        assert text in printed


def test_a_broken_bound_is_one_line_and_1(benchmark, server, street, capsys):
    bounds = ("--fail-over", "p99=60s", "--fail-over", "throughput=1000000/s", "--fail-over", "p50=1us")
    with pytest.raises(SystemExit) as end:
        benchmark("--url", server.url, "--image", street, "--concurrency", "2", *bounds, *FEW)
    assert end.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed: ")]
    assert "throughput=1000000/s: " in line
    assert "p50=1us: " in line
    assert "p99=60s" not in line


def test_without_levels_of_load_the_bound_is_of_the_requests_one_after_the_other(benchmark, server, street, capsys):
    benchmark("--url", server.url, "--image", street, *FEW, "--fail-over", "p99=60s")
    with pytest.raises(SystemExit):
        benchmark("--url", server.url, "--image", street, *FEW, "--fail-over", "p99=1us")
    assert "p99=1us: " in capsys.readouterr().err


def test_a_server_on_this_machine_is_found_by_its_address(server):
    assert find_server(server.url) == server.process.pid
    assert find_server("http://127.0.0.1:9") is None
    assert find_server("http://192.0.2.1:80") is None
    before = server_usage(server.process.pid)
    for _ in range(20):
        server.client.get("/healthz")
    after = server_usage(server.process.pid)
    assert after.cpu_s >= before.cpu_s > 0
    assert after.memory_bytes > 30 * 2**20

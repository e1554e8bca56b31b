"""`python -m serve.benchmark` of a bundle and of a running server: the rows, the JSON file, the manifest."""

import json
import shutil

import pytest

from export.bundle import load_bundle
from serve.benchmark.measurement import Measurement, Plan
from serve.benchmark.stages import STAGES
from train.errors import UserError

FEW = ("--samples", "5", "--warmup", "2", "--threads", "1")


def test_a_bundle_is_timed_stage_by_stage_and_over_http(benchmark, bundle, street, tmp_path, capsys):
    benchmark(bundle, "--image", street, "--json", tmp_path / "times.json", "--batch", 3, *FEW)
    report = json.loads((tmp_path / "times.json").read_text())
    rows = {row["stage"]: row for row in report["measurements"]}
    assert list(rows) == [*STAGES, "engine alone", "+ pre- and postprocess", "+ decode and encode", "whole request"]
    for row in rows.values():
        assert (row["warmup"], row["samples"]) == (2, 5)
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"] <= row["max_ms"]
    alone, engine_and_more, everything = (rows[name]["max_ms"] for name in list(rows)[-4:-1])
    assert alone < engine_and_more < everything
    assert rows["inference"]["batch"] == 3
    assert rows["inference"]["scope"].startswith("batch 3, 48x64")
    assert rows["decode"]["batch"] == rows["whole request"]["batch"] == 1
    table = capsys.readouterr().out
    for text in (
        *rows,
        "p50",
        "p90",
        "p99",
        "max",
        "threads",
        "warm-up",
        "samples",
        *(row["scope"] for row in rows.values()),
    ):
        assert text in table


def test_a_running_server_is_timed_from_both_sides(benchmark, server, street, tmp_path):
    benchmark("--url", server.url, "--image", street, "--json", tmp_path / "times.json", *FEW)
    report = json.loads((tmp_path / "times.json").read_text())
    rows = {row["stage"]: row for row in report["measurements"]}
    assert report["target"] == server.url
    assert (report["device"], report["runtime"].split()[0]) == ("fp32 on cpu, 1 threads", "onnxruntime")
    assert set(rows) == {*STAGES, "queue", "whole request"}
    assert rows["whole request"]["p50_ms"] > sum(rows[stage]["p50_ms"] for stage in STAGES) / 2
    assert rows["inference"]["scope"] == "as the server timed it"


def test_the_bundles_samples_are_sent_and_its_manifest_keeps_the_latency(benchmark, bundle, street, tmp_path):
    own = shutil.copytree(bundle, tmp_path / "bundle")
    (own / "samples").mkdir()
    shutil.copy(street, own / "samples")
    for _ in range(2):
        benchmark(own, "--write", *FEW)
    (latency,) = load_bundle(own).manifest.files["onnx"].latency
    assert latency.scope == "inference, batch 1, 48x64, normalisation to class ids"
    assert (latency.threads, latency.samples) == (1, 5)
    assert latency.runtime.startswith("onnxruntime")


def test_percentiles_leave_out_the_warm_up():
    row = Measurement.of("decode", "scope", [900.0, 800.0, *map(float, range(101))], Plan(warmup=2, samples=101))
    assert (row.p50_ms, row.p90_ms, row.p99_ms, row.samples) == (50, 90, 99, 101)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to time"),
        (("BUNDLE",), r"no images in .*samples: give --image FILE or --images DIR"),
        (("BUNDLE", "--images", "/nowhere"), "no images in /nowhere"),
        (("BUNDLE", "--image", "/nowhere.png"), "/nowhere.png: cannot be read"),
        (("BUNDLE", "--image", "STREET", "--samples", "0"), "--samples 0: at least 1"),
        (
            ("--url", "http://127.0.0.1:9", "--image", "STREET"),
            "http://127.0.0.1:9.*is `python -m serve` running there",
        ),
        (("--url", "http://127.0.0.1:9", "--write"), "leave out --url"),
        (("--url", "nonsense", "--image", "STREET"), "--url nonsense: not a URL like http"),
        (("BUNDLE", "--image", "STREET", "--plot", "x.png"), "--plot shows levels of load: add --concurrency"),
        (("BUNDLE", "--image", "STREET", "--json", "/nowhere/x.json"), "--json /nowhere/x.json: there is no folder"),
        (("BUNDLE", "--image", "STREET", "--window", "0"), "--window 0: more than 0 seconds"),
        (("--url", "http://127.0.0.1:9", "--server", "--workers 2"), "leave out --url"),
        (
            ("BUNDLE", "--image", "STREET", *FEW, "--server", "--workers 0"),
            "-m serve .* did not start: see its message",
        ),
        (("nowhere", "--image", "STREET"), "no bundle here"),
    ],
)
def test_a_mistake_is_one_line(benchmark, bundle, street, arguments, message):
    paths = {"BUNDLE": bundle, "STREET": street}
    with pytest.raises(UserError, match=message) as error:
        benchmark(*(paths.get(argument, argument) for argument in arguments))
    assert "\n" not in str(error.value)


def test_of_several_models_one_is_named_and_a_key_comes_from_the_environment(
    benchmark, bundle, server_process, street, tmp_path, monkeypatch
):
    other = shutil.copytree(bundle, tmp_path / "other")
    monkeypatch.setenv("SEGDISTILL_SERVE_API_KEYS", "a-key-of-sixteen-letters")
    running = server_process(bundle, f"second={other}")
    try:
        benchmark("--url", running.url, "--image", street, "--model", "second", *FEW)
        with pytest.raises(UserError, match=r"status 404: .*no model 'third'"):
            benchmark("--url", running.url, "--image", street, "--model", "third", *FEW)
        monkeypatch.delenv("SEGDISTILL_SERVE_API_KEYS")
        with pytest.raises(UserError, match="status 401"):
            benchmark("--url", running.url, "--image", street, *FEW)
    finally:
        running.stop()


def test_a_server_that_refuses_is_quoted(benchmark, small_server, encode, image, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(encode(image.repeat(3, 0).repeat(3, 1)))
    with pytest.raises(UserError, match=r"status 413: .*10000"):
        benchmark("--url", small_server.url, "--image", large, *FEW)

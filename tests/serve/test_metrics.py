"""What is scraped: the right numbers, from one process and from several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve.metrics import Metrics, State
from serve.timing import StageTimes

ROOT = Path(__file__).parents[2]

PROCESS = """
import sys
from serve.metrics import Metrics, State
metrics = Metrics()
metrics.watch(lambda: State(queued=2, in_flight=3, live=1, ready=True))
metrics.model("streets", "onnxruntime", "cpu", "fp32", "abc")
for _ in range(int(sys.argv[1])):
    metrics.request("streets", 200, 0.02)
metrics.refresh()
print("written", flush=True)
sys.stdin.read()
"""

PARENT = f"""
import subprocess, sys
from serve.metrics import Metrics, forget_process, shared_between_processes
with shared_between_processes():
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    both = [subprocess.Popen([sys.executable, "-c", {PROCESS!r}, count], **pipes) for count in ("5", "7")]
    for process in both:
        process.stdout.readline()
    metrics = Metrics()
    print(metrics.exposition()[0].decode())
    print("# NEXT")
    both[0].kill()
    both[0].communicate()
    forget_process(both[0].pid)
    print(metrics.exposition()[0].decode())
    both[1].communicate()
"""


def values(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def scraped(metrics: Metrics) -> dict[str, float]:
    text, content_type = metrics.exposition()
    assert content_type.startswith("text/plain; version=")
    return values(text.decode())


def test_requests_by_model_and_status(metrics: Metrics) -> None:
    for status in (200, 200, 503):
        metrics.request("streets", status, 0.03)
    found = scraped(metrics)
    assert found["segdistill_requests_total['200', 'streets']"] == 2
    assert found["segdistill_requests_total['503', 'streets']"] == 1
    assert found["segdistill_request_seconds_count['streets']"] == 3
    assert found["segdistill_request_seconds_sum['streets']"] == pytest.approx(0.09)
    assert found["segdistill_request_seconds_bucket['0.025', 'streets']"] == 0
    assert found["segdistill_request_seconds_bucket['0.05', 'streets']"] == 3


def test_stages_are_seconds_and_batches_are_images(metrics: Metrics) -> None:
    metrics.stages("streets", StageTimes(decode=2.0, inference=14.0))
    metrics.batch("streets", images=3, seconds=0.02)
    metrics.refused("overloaded")
    found = scraped(metrics)
    assert found["segdistill_stage_seconds_sum['decode', 'streets']"] == pytest.approx(0.002)
    assert found["segdistill_stage_seconds_sum['inference', 'streets']"] == pytest.approx(0.014)
    assert found["segdistill_batch_images_bucket['2.0', 'streets']"] == 0
    assert found["segdistill_batch_images_bucket['4.0', 'streets']"] == 1
    assert found["segdistill_engine_seconds_sum['streets']"] == pytest.approx(0.02)
    assert found["segdistill_refusals_total['overloaded']"] == 1


def test_gauges_are_of_the_moment(metrics: Metrics) -> None:
    state = State(queued=4, in_flight=9, live=2, ready=True)
    metrics.watch(lambda: state)
    found = scraped(metrics)
    assert found["segdistill_queue_images[]"] == 4
    assert found["segdistill_requests_in_flight[]"] == 9
    assert found["segdistill_ready_processes[]"] == 1
    state = State(queued=0, in_flight=0, live=0, ready=False)
    found = scraped(metrics)
    assert found["segdistill_queue_images[]"] == found["segdistill_ready_processes[]"] == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_memory_is_what_the_system_says(metrics: Metrics) -> None:
    status = Path("/proc/self/status").read_text()
    kib = int(status.split("VmRSS:")[1].split()[0])
    assert scraped(metrics)["segdistill_resident_memory_bytes[]"] == pytest.approx(kib * 1024, rel=0.1)


def test_a_model_that_was_replaced_is_0(metrics: Metrics) -> None:
    metrics.model("streets", "onnxruntime", "cpu", "fp32", "abc")
    metrics.model("streets", "onnxruntime", "cpu", "fp32", "def")
    found = scraped(metrics)
    assert found["segdistill_model_info['abc', 'cpu', 'fp32', 'onnxruntime', 'streets']"] == 0
    assert found["segdistill_model_info['cpu', 'def', 'fp32', 'onnxruntime', 'streets']"] == 1


def test_several_processes_are_one_and_a_dead_one_keeps_its_counts() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    both, one = map(values, done.stdout.split("# NEXT"))
    for found in (both, one):
        assert found["segdistill_requests_total['200', 'streets']"] == 12
        assert found["segdistill_request_seconds_count['streets']"] == 12
        assert found["segdistill_model_info['abc', 'cpu', 'fp32', 'onnxruntime', 'streets']"] == 1
    assert (both["segdistill_queue_images[]"], one["segdistill_queue_images[]"]) == (4, 2)
    assert (both["segdistill_ready_processes[]"], one["segdistill_ready_processes[]"]) == (2, 1)


def test_the_directory_goes_with_the_processes() -> None:
    code = """
import os
from serve.metrics import shared_between_processes
with shared_between_processes():
    print(os.environ["PROMETHEUS_MULTIPROC_DIR"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    directory = Path(done.stdout.strip())
    assert "segdistill-metrics-" in directory.name
    assert not directory.exists()
    assert directory.parent == Path("/dev/shm") or not os.access("/dev/shm", os.W_OK)

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from train.interruption import Interruption

ROOT = Path(__file__).parents[2]


def test_the_first_signal_is_noted_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert interruption.number is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.number == signal.SIGTERM
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_second_signal_ends_at_once() -> None:
    code = """
        import sys
        from train.interruption import Interruption
        with Interruption():
            print("inside", flush=True)
            while True:
                pass
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"inside\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr.readline() == b"SIGTERM: stopping after this step; a second signal ends at once\n"
    process.send_signal(signal.SIGTERM)  # the same once more
    time.sleep(1.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT

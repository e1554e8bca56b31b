import subprocess
import sys
from pathlib import Path

from train.file_lock import file_lock

HOLDER = """
import sys, time
from pathlib import Path
from train.file_lock import file_lock
with file_lock(Path(sys.argv[1])) as held:
    print(held, flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_holds_it_and_nothing_stays_behind(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path) as held:
        assert held
        with file_lock(path) as second, file_lock(path, wait_s=0.1) as third:
            assert not second
            assert not third
        assert path.is_file()
    assert not path.exists()
    with file_lock(path) as held:
        assert held


def test_the_system_takes_it_back_from_a_process_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with file_lock(path) as held:
            assert not held
        holder.kill()
        with file_lock(path, wait_s=10) as held:
            assert held
    assert not path.exists()

import pytest

from tests.kernels.cuda.on_cpu.kernels import Run, compile_for_cpu, runner


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The kernels on the CPU."""
    return runner(compile_for_cpu(tmp_path_factory.mktemp("on_cpu") / "kernels.so"))

"""The one command that compiles the kernels, and what comes out of it."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kernels.cuda import nvcc
from kernels.cuda.build import FOLDER, build, main
from kernels.cuda.launch import LAUNCHES, SOURCES
from kernels.cuda.nvcc import ARCHITECTURES, PTX_ARCHITECTURE, BuildError, compile_fatbin, find_nvcc, nvcc_version
from kernels.cuda.resources import Table, markdown, parse_ptxas

pytestmark = pytest.mark.timeout(900)  # all kernels for all chips take 15 s of one free core


@pytest.fixture(scope="module")
def compiler() -> Path:
    try:
        return find_nvcc()
    except BuildError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def built(compiler: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Table]:
    output = tmp_path_factory.mktemp("fatbins")
    return output, build(compiler, output)


@pytest.fixture(scope="module")
def cuobjdump() -> str:
    triton = find_spec("triton")
    bundled = Path(triton.origin).parent / "backends/nvidia/bin/cuobjdump" if triton and triton.origin else None
    found = shutil.which("cuobjdump") or (str(bundled) if bundled and bundled.exists() else None)
    if found is None:
        pytest.skip("no cuobjdump on this machine, of CUDA or of Triton: the fatbins are not opened")
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_a_fatbin_holds_machine_code_for_each_chip_and_ptx_for_the_rest(built, cuobjdump, source):
    fatbin = built[0] / f"{source}.fatbin"
    listed = subprocess.run([cuobjdump, "-lelf", "-lptx", fatbin], capture_output=True, text=True, check=True).stdout
    assert sorted(map(int, re.findall(r"sm_(\d+)\.cubin", listed))) == sorted(ARCHITECTURES)
    assert list(map(int, re.findall(r"sm_(\d+)\.ptx", listed))) == [PTX_ARCHITECTURE]


def test_the_launch_table_names_exactly_the_kernels_that_were_compiled(built):
    assert set(built[1]) == set(LAUNCHES)


def test_no_kernel_spills_or_has_a_stack_frame_on_any_chip(built):
    table = built[1]
    assert all(set(chips) == set(ARCHITECTURES) for chips in table.values())
    assert [(kernel, chip) for kernel in table for chip, use in table[kernel].items() if use.spill_bytes] == []
    assert [(kernel, chip) for kernel in table for chip, use in table[kernel].items() if use.stack_bytes] == []


def test_the_committed_table_of_registers_is_what_this_compiler_makes(built, compiler):
    committed = (FOLDER / "registers.md").read_text(encoding="utf-8")
    version = nvcc_version(compiler)
    if f"nvcc {version}. " not in committed:
        pytest.skip(f"registers.md was made by another nvcc than {version}")
    assert markdown(built[1], version) in committed


def test_a_build_for_one_chip_holds_that_one_alone(compiler, cuobjdump, tmp_path):
    source = tmp_path / "one.cu"
    source.write_text('extern "C" __global__ void kernel(int* p) { *p = 1; }\n', encoding="utf-8")
    fatbin = tmp_path / "one.fatbin"
    assert set(parse_ptxas(compile_fatbin(compiler, source, fatbin, [87], ptx=False))["kernel"]) == {87}
    listed = subprocess.run([cuobjdump, "-lelf", "-lptx", fatbin], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"sm_(\d+)\.(cubin|ptx)", listed) == [("87", "cubin")]


def test_a_warning_is_an_error(compiler, tmp_path):
    source = tmp_path / "unused.cu"
    source.write_text('extern "C" __global__ void kernel(int* p) { int unused; *p = 1; }\n', encoding="utf-8")
    with pytest.raises(BuildError, match="unused"):
        compile_fatbin(compiler, source, tmp_path / "unused.fatbin")


def test_spills_are_read_from_the_log():
    log = """ptxas info    : Compiling entry function 'kernel' for 'sm_87'
ptxas info    : Function properties for kernel
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 72 registers, used 0 barriers, 400 bytes cmem[0]
"""
    assert parse_ptxas(log) == {"kernel": {87: (72, 16, 12)}}


def test_a_machine_without_nvcc_gets_one_clear_line(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nvcc, "_DEFAULT_HOME", tmp_path / "cuda")
    monkeypatch.setattr(sys, "argv", ["build", "--out", str(tmp_path / "out")])
    assert main() == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "CUDA_HOME" in message
    assert not (tmp_path / "out").exists()


def test_a_wrong_cuda_home_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    with pytest.raises(BuildError, match=re.escape(str(tmp_path))):
        find_nvcc()

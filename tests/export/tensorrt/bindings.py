"""Which of the names that `export.tensorrt.api` uses each version of TensorRT has: asked of its Python bindings.

The bindings are a wheel of a megabyte without TensorRT itself. They import beside empty libraries of its names, and
then show every class. ``python -m tests.export.tensorrt.bindings`` writes the table anew.
"""

import inspect
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from export.tensorrt import api

TABLE = Path(__file__).with_name("bindings.json")
WHEELS = {
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",  # JetPack 6
    "10.16.1": "tensorrt-cu13-bindings==10.16.1.11",
    "11.4.0": "tensorrt-cu13-bindings==11.4.0.106",
}
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_SYMBOLS = (
    "createInferBuilder_INTERNAL createInferRefitter_INTERNAL createInferRuntime_INTERNAL "
    "createNvOnnxParserRefitter_INTERNAL createNvOnnxParser_INTERNAL getBuilderPluginRegistry getNvOnnxParserVersion "
    "getPluginRegistry initLibNvInferPlugins"
)
_ASK = """
import ctypes, importlib.util, json, sys
root, major, wanted = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
    ctypes.CDLL(f"{root}/lib{name}.so.{major}", ctypes.RTLD_GLOBAL)
spec = importlib.util.spec_from_file_location("tensorrt", f"{root}/tensorrt_bindings/tensorrt.so")
tensorrt = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tensorrt)
print(json.dumps([name for name in wanted if hasattr(getattr(tensorrt, name.split(".")[0], None), name.split(".")[1])]))
"""


def used_names() -> list[str]:
    """``Class.member`` of all of TensorRT that is used and that every version has."""
    classes = [value for value in vars(api).values() if inspect.isclass(value) and value.__module__ == api.__name__]
    always = [each for each in classes if each is not api.TakesComputeCapabilities]
    return sorted(f"{each.__name__}.{member}" for each in always for member in members(each))


def members(protocol: type) -> list[str]:
    """Attributes and methods of a protocol; its special methods are Python's, not TensorRT's."""
    methods = [name for name, value in vars(protocol).items() if inspect.isfunction(value)]
    return [name for name in (*protocol.__annotations__, *methods) if not name.startswith("_")]


def names_of(version: str) -> list[str]:
    """Those of `used_names` that the bindings of a version have."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _download(WHEELS[version], root)
        major = version.split(".")[0]
        _build_libraries(root, major)
        command = [sys.executable, "-c", _ASK, folder, major, json.dumps(used_names())]
        names: list[str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return names


def _download(wheel: str, root: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(root)]
    subprocess.run([*pip, wheel], check=True)
    with zipfile.ZipFile(next(root.glob("*.whl"))) as archive:
        archive.extract("tensorrt_bindings/tensorrt.so", root)


def _build_libraries(root: Path, major: str) -> None:
    source = root / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _SYMBOLS.split()))
    for name in _LIBRARIES:
        library = f"lib{name}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(root / library), f"-Wl,-soname,{library}"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    TABLE.write_text(json.dumps({version: names_of(version) for version in WHEELS}, indent=1) + "\n", encoding="utf-8")

"""The shape of the tree: one direction of imports, small files, no torch where none is promised."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "kernels": {"kernels"},
    "train": {"kernels", "train"},
    "export": {"kernels", "train", "export"},
    "serve": {"kernels", "train", "export", "serve"},
}
FILES = sorted(path.relative_to(ROOT) for package in ALLOWED for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "torchvision", "timm", "segmentation_models_pytorch", "safetensors")


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def promises_no_torch(path: Path) -> bool:
    """All of serving, and every module above the kernels whose docstring says so."""
    if path.parts[0] == "kernels":
        return False
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    return path.parts[0] == "serve" or bool(re.search(r"\bno torch\b|NumPy only", docstring))


def test_imports_point_in_one_direction() -> None:
    upward = [
        f"{path} imports {name}"
        for path in FILES
        for name in imports(path)
        if name.split(".")[0] in ALLOWED and name.split(".")[0] not in ALLOWED[path.parts[0]]
    ]
    assert upward == []


def test_serving_names_no_module_of_training_frameworks() -> None:
    heavy = [
        f"{path} imports {name}"
        for path in FILES
        if path.parts[0] == "serve"
        for name in imports(path)
        if name.split(".")[0] in HEAVY
    ]
    assert heavy == []


def test_modules_that_promise_no_torch_import_without_it() -> None:
    modules = {module_name(path) for path in FILES}
    light = [path for path in FILES if promises_no_torch(path)]
    names = {module_name(path) for path in light} | {"train.errors", "train.command"}
    names |= {name for path in light for name in imports(path)} & modules  # also what is imported inside functions
    names -= {name for name in names if name.endswith("__main__")}
    assert {"serve.app", "export.bundle", "export.preprocess", "train.data.open", "train.pictures"} <= names
    code = f"""
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
for name in {sorted(names)!r}:
    importlib.import_module(name)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


RUNS_WHAT_IT_READS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def calls(path: Path) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Each call, by its dotted name, and its keywords."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: word.value for word in node.keywords if word.arg}


def is_constant(value: ast.expr | None, constant: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is constant


def test_no_pickle_is_ever_read() -> None:
    """A file that somebody else made can run nothing: there is no reader here that would let it."""
    imported = [
        f"{path} imports {name}"
        for path in FILES
        for name in imports(path)
        if name.split(".")[0] in RUNS_WHAT_IT_READS or name in {"torch.load", "torch.serialization.load"}
    ]
    found = [(path, name, words) for path in FILES for name, words in calls(path)]
    called = [
        f"{path} calls {name}"
        for path, name, words in found
        if (name == "torch.load" and not is_constant(words.get("weights_only"), True))
        or ("allow_pickle" in words and not is_constant(words["allow_pickle"], False))
        or name in {"torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "yaml.unsafe_load"}
    ]
    assert imported + called == []
    assert any(name == "torch.load" for _, name, _ in found), "this proves nothing"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_are_small_and_named_after_a_concept(path: Path) -> None:
    longest = 400 if path.parent == Path("kernels/triton") else 300  # a kernel stands beside its backward pass
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= longest
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}

"""The bundle's README: how to run it, with this bundle's own names and sizes (no torch)."""

from export.bundle import Bundle, new_file
from export.manifest import DEFAULT_ROLE, Manifest


def write_readme(bundle: Bundle) -> None:
    """Write ``README.md`` into the bundle."""
    target = bundle.root / "README.md"
    sections = (_head(bundle), _python(bundle), _cpp(bundle), _trtexec(bundle), _server(bundle))
    with new_file(target) as path:
        path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
        path.replace(target)


def _head(bundle: Bundle) -> str:
    manifest, spec = bundle.manifest, bundle.manifest.input
    outputs = [f"`{manifest.output.name}`: uint8 class ids `(N, {spec.height}, {spec.width})`"]
    if manifest.output.confidence:
        outputs.append(f"`{manifest.output.confidence}`: uint8, 255 times the probability of that class")
    if manifest.output.logits:
        outputs.append(f"`{manifest.output.logits}`: float32 logits before the upsampling")
    files = [
        f"| `{record.path}` | {role} | {record.precision}{', bare logits' if record.logits else ''} | {record.runtime} "
        f"| {record.size_bytes / 1e6:.2f} MB |"
        for role, record in manifest.files.items()
    ]
    return "\n".join(
        [
            f"# {manifest.name}",
            "",
            f"Semantic segmentation, {len(manifest.classes)} classes: {', '.join(manifest.classes)}.",
            "",
            f"In: `{spec.name}`, uint8 RGB `(N, {spec.height}, {spec.width}, 3)`{_freedom(manifest)}. "
            f"Out: {'; '.join(outputs)}. Normalisation, upsampling and argmax are inside.",
            f"Pictures of another size are resized first: {spec.resize}.",
            "`manifest.json` has the palette, and of each file its hash, its proof and its latency.",
            "",
            "| file | role | precision | runtime | size |",
            "|---|---|---|---|---|",
            *files,
            *(["", manifest.licence_note] if manifest.licence_note else []),
        ]
    )


def _freedom(manifest: Manifest) -> str:
    spec = manifest.input
    if spec.dynamic_size:
        return f"; any N, height and width in multiples of {spec.multiple} from {spec.smallest} on"
    return "; any N" if spec.dynamic_batch else "; N is 1"


def _sample(bundle: Bundle) -> str:
    samples = sorted((bundle.root / "samples").glob("*"))
    return f"samples/{samples[0].name}" if samples else "picture.jpg"


def _python(bundle: Bundle) -> str:
    spec, output = bundle.manifest.input, bundle.manifest.output
    return f"""## ONNX Runtime, Python

`pip install onnxruntime opencv-python-headless`, then in this folder:

```python
import cv2
import onnxruntime

picture = cv2.cvtColor(cv2.imread("{_sample(bundle)}"), cv2.COLOR_BGR2RGB)
shrinks = picture.shape[0] >= {spec.height} and picture.shape[1] >= {spec.width}
resize = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
image = cv2.resize(picture, ({spec.width}, {spec.height}), interpolation=resize)[None]
session = onnxruntime.InferenceSession("{_path(bundle)}", providers=["CPUExecutionProvider"])
(mask,) = session.run(["{output.name}"], {{"{spec.name}": image}})
mask = cv2.resize(mask[0], picture.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
cv2.imwrite("mask.png", mask)
```"""


def _cpp(bundle: Bundle) -> str:
    spec, output = bundle.manifest.input, bundle.manifest.output
    return f"""## ONNX Runtime, C++

`pixels`: RGB, row by row, {spec.height} rows of {spec.width}. `mask`: as many bytes, one class id a pixel.

```cpp
#include <onnxruntime_cxx_api.h>

Ort::Env environment;
Ort::Session session(environment, "{_path(bundle)}", Ort::SessionOptions());
std::vector<int64_t> shape{{1, {spec.height}, {spec.width}, 3}};
auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
auto image = Ort::Value::CreateTensor<uint8_t>(memory, pixels.data(), pixels.size(), shape.data(), shape.size());
const char *inputs[] = {{"{spec.name}"}}, *outputs[] = {{"{output.name}"}};
auto results = session.Run(Ort::RunOptions(), inputs, &image, 1, outputs, 1);
const uint8_t *mask = results[0].GetTensorData<uint8_t>();
```"""


def _trtexec(bundle: Bundle) -> str:
    spec = bundle.manifest.input
    one = f"{spec.name}:1x{spec.height}x{spec.width}x3"
    shapes = ""
    if spec.dynamic_batch or spec.dynamic_size:
        shapes = f" \\\n    --minShapes={one} --optShapes={one} --maxShapes={one}"
    return f"""## TensorRT

On the machine that will run it; precision comes from the graph:

```sh
trtexec --onnx={_path(bundle)} --stronglyTyped --saveEngine=model.plan{shapes}
```

`python -m export.trt {bundle.root.name}` builds it too, and records what the plan is for."""


def _server(bundle: Bundle) -> str:
    return f"""## Server

```sh
python -m serve {bundle.root.name} --port 8000
curl --fail -F image=@{bundle.root.name}/{_sample(bundle)} localhost:8000/segment -o mask.png
```"""


def _path(bundle: Bundle) -> str:
    return bundle.record(DEFAULT_ROLE).path

"""Export: a run's student as a bundle, and the proof that it says the same."""

import os

# From 1.29 on, ONNX Runtime sends usage events to its maker and keeps an identifier of the machine, unless it is told
# before its import not to (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

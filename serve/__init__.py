"""Serving: a bundle over HTTP, and how long it takes. Imports no torch."""

import os

# From 1.29 on, ONNX Runtime sends usage events to its maker and keeps an identifier of the machine, unless it is told
# before its import not to (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

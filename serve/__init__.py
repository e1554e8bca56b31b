"""Serving: a bundle over HTTP, and how long it takes. Imports no torch."""

import export  # noqa: F401  its first import tells ONNX Runtime to send no telemetry

"""Plans for TensorRT 10, TensorRT 11 and TensorRT for RTX from one builder (no torch)."""

"""INT8: ranges from calibration images, the layers that lose by it, and the graph that keeps them in float."""

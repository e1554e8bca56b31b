"""`streets`: an endless dataset of street-like clips with exact labels and exact optical flow, made from seeds.

A pin-hole camera drives through a street of flat, textured surfaces at known depths. Nothing is downloaded or stored.

    clip = Clip(seed=7)
    frame = clip.frame(0)    # frame.image (H, W, 3), frame.label (H, W)
    flow = clip.flow(0, 2)   # flow.displacement (H, W, 2), flow.visible (H, W)
"""

from train.data.flow import Flow
from train.data.streets.classes import CLASSES, PALETTE
from train.data.streets.clip import FRAMES, FRAMES_PER_S, Clip, Frame

__all__ = ["CLASSES", "FRAMES", "FRAMES_PER_S", "PALETTE", "Clip", "Flow", "Frame"]

"""What a part of an answer in multipart/mixed says of its frame; the client reads it too (no other module)."""

FRAME_HEADER = "Segdistill-Frame"
"""Its number, from 0. The last part has none."""
TIME_HEADER = "Segdistill-Time"
"""When it is shown, in seconds from the beginning."""

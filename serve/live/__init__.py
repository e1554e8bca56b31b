"""Video from a camera, frame by frame, over a WebSocket."""

"""The page at ``/``: pictures, videos and the camera, segmented and looked at in a browser."""

from serve.page.site import PAGE

__all__ = ["PAGE"]

"""The first start on a device: an engine for that very device, proven there, then the server."""

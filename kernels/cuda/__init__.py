"""CUDA sources for the edge runtime: pixels in, pixels out, no torch. See README.md beside this file."""

# ruff: noqa: ARG002, ARG005, F821 (the arguments are those of TensorRT)
"""The stand-in of `tests/serve/engines` for TensorRT, which can also build: a plan names the graph that it runs.

``STAND_IN_VERSION`` is its version, ``STAND_IN_SECONDS`` how long a build takes.
"""

import json
import os
import runpy
import time
from enum import IntEnum
from pathlib import Path

globals().update(runpy.run_path(str(Path(__file__).parents[2] / "engines/stand_in/tensorrt.py")))
__version__ = os.environ.get("STAND_IN_VERSION", "10.3.0")


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class ProfilingVerbosity(IntEnum):
    DETAILED = 2


class LayerInformationFormat(IntEnum):
    JSON = 1


class IProgressMonitor:
    pass


class Tensor:
    name, shape = "image", (-1, -1, -1, 3)


class Network:
    def get_input(self, index):
        return Tensor()


class OnnxParser:
    num_errors = 0

    def __init__(self, network, logger):
        self._network = network

    def parse_from_file(self, path):
        self._network.graph = path
        return True


class TimingCache:
    def __init__(self, content):
        self.content = content or b"empty"

    def serialize(self):
        return memoryview(self.content)

    def combine(self, other, ignore_mismatch):
        self.content += b"+"
        return True


class Profile:
    def set_shape(self, name, low, best, high):
        self.shapes = [low, best, high]


class Config:
    def __init__(self):
        self.profiles, self.cache = [], None

    def create_timing_cache(self, content):
        return TimingCache(content)

    def set_timing_cache(self, cache, ignore_mismatch):
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache

    def add_optimization_profile(self, profile):
        self.profiles.append(profile.shapes)


class Builder:
    def __init__(self, logger):
        self._logger = logger

    def create_network(self, flags):
        return Network()

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0")))
        plan = {"graph": network.graph, "outputs": ["mask"], "profiles": config.profiles, "may_be_captured": True}
        return memoryview(json.dumps(plan).encode())


class Inspector:
    def get_engine_information(self, form):
        return json.dumps({"Layers": []})


ICudaEngine.create_engine_inspector = lambda self: Inspector()  # of the other stand-in

"""All of TensorRT that is used is there in every version that is promised."""

import json

import pytest

from export.tensorrt import api
from export.tensorrt.flavour import TensorRt, TensorRtForOtherGpus
from export.tensorrt.log import Log
from tests.export.tensorrt.bindings import TABLE, WHEELS, names_of, used_names

RECORDED = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", WHEELS)
def test_every_name_is_in_the_bindings_of(version: str) -> None:
    # A name that is new here: python -m tests.export.tensorrt.bindings
    assert RECORDED[version] == used_names()


def test_every_name_is_in_tensorrt_for_rtx(rtx: TensorRt) -> None:
    names = [name.split(".") for name in used_names()]
    assert [name for name in names if not hasattr(getattr(rtx, name[0]), name[1])] == []


def test_rtx_takes_compute_capabilities(rtx: TensorRt) -> None:
    assert isinstance(rtx, TensorRtForOtherGpus)
    assert isinstance(rtx.Builder(Log(rtx).logger).create_builder_config(), api.TakesComputeCapabilities)


@pytest.mark.slow
@pytest.mark.parametrize("version", WHEELS)
def test_the_table_is_what_the_bindings_say(version: str) -> None:
    assert names_of(version) == RECORDED[version]

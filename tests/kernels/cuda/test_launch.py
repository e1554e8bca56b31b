"""The launch table: grids that cover the work, and every kernel the sources have."""

import re

import pytest

from kernels.cuda.build import FOLDER
from kernels.cuda.launch import LAUNCHES, SOURCES


@pytest.mark.parametrize("name", LAUNCHES)
@pytest.mark.parametrize(("width", "height", "images"), [(1, 1, 1), (129, 17, 3), (2048, 1024, 2)])
def test_the_grid_covers_the_work_with_no_block_too_many(name, width, height, images):
    launch = LAUNCHES[name]
    x, y, z = launch.grid(width, height, images)
    for blocks, size, threads, each in zip((x, y), (width, height), launch.block, launch.per_thread, strict=True):
        assert (blocks - 1) * threads * each < size <= blocks * threads * each
    assert z == images


def test_blocks_are_whole_warps_and_no_larger_than_cuda_allows():
    for launch in LAUNCHES.values():
        threads = launch.block[0] * launch.block[1]
        assert threads % 32 == 0
        assert threads <= 1024


@pytest.mark.parametrize("source", SOURCES)
def test_the_comments_in_the_sources_say_what_the_table_says(source):
    text = (FOLDER / f"{source}.cu").read_text(encoding="utf-8")
    stated = {(int(x), int(y)) for x, y in re.findall(r"block \((\d+), (\d+)\)", text)}
    assert stated == {launch.block for launch in LAUNCHES.values() if launch.source == source}


def test_every_source_is_in_the_table():
    assert set(SOURCES) == {path.stem for path in FOLDER.glob("*.cu")}

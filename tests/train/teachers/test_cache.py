from pathlib import Path

import pytest
import torch
from torch import nn

from tests.train.teachers.tables import Bright, Table
from train.errors import UserError
from train.teachers.cache import TeacherCache, check_cache, open_cache
from train.teachers.cache_settings import CacheSettings
from train.teachers.packing import pack, unpack
from train.teachers.run import RunTeacher

IMAGES = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def opened(network: Table, folder: Path, classes: tuple[str, ...] = ("a", "b"), **settings: object) -> TeacherCache:
    config = CacheSettings.model_validate({"folder": folder, **settings})
    return open_cache(network, RunTeacher(run="a"), config, list(classes), "fp32")


def bright() -> Bright:
    return Bright(torch.ones(1, 2, 1, 1))


def test_a_crop_is_asked_about_once_in_any_batch_and_any_run(tmp_path: Path) -> None:
    network = bright()
    cache = opened(network, tmp_path, dtype="fp32")
    first = cache(IMAGES).logits
    assert torch.equal(first, network(IMAGES).logits)
    network.seen = 0
    assert torch.equal(cache(IMAGES.flip(0)[:3]).logits, first.flip(0)[:3])
    other = opened(network, tmp_path, dtype="fp32")
    assert torch.equal(other(IMAGES).logits, first)
    assert network.seen == 0
    assert other.line().startswith("teacher cache: 100% of 4 crops were there; it holds 4 maps, ")
    assert cache.line().startswith("teacher cache: 43% of 7 crops were there; it holds 4 maps, ")


def test_only_what_is_new_is_asked(tmp_path: Path) -> None:
    network = bright()
    cache = opened(network, tmp_path)
    cache(IMAGES[:2])
    assert network.seen == 2
    mixed = cache(IMAGES).logits
    assert network.seen == 4
    torch.testing.assert_close(mixed, network(IMAGES).logits, atol=2e-3, rtol=1e-3)


def test_taps_are_kept_apart_and_come_in_their_own_type(tmp_path: Path) -> None:
    network = bright()
    cache = opened(network, tmp_path)
    cache(IMAGES[:2])
    asked = []
    network.register_forward_pre_hook(lambda _, given: asked.append((len(given[0]), *given[1:])))
    shown = cache(IMAGES, frozenset({"stride:4", "logits"}))
    assert asked == [(2, frozenset({"logits", "stride:4"})), (2, frozenset({"stride:4"}))]
    assert set(shown.maps) == {"stride:4", "logits"}
    assert shown["stride:4"].shape == (4, 3, 8, 12)
    assert shown.logits.dtype == torch.float32
    assert cache.line().startswith("teacher cache: 0% of 6 crops were there; it holds 8 maps, ")


def test_another_teacher_another_meaning_another_folder(tmp_path: Path) -> None:
    opened(bright(), tmp_path)
    opened(bright(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    opened(Bright(torch.zeros(1, 2, 1, 1)), tmp_path)
    opened(bright(), tmp_path, classes=("b", "a"))
    opened(bright(), tmp_path, top_k=1)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", [b"", b"\0" * 200, None])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    network = bright()
    cache = opened(network, tmp_path)
    expected = cache(IMAGES[:1]).logits
    (file,) = tmp_path.glob("*/*/*.maps")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if damage is None else damage)
    assert torch.equal(cache(IMAGES[:1]).logits, expected)
    assert network.seen == 2
    assert file.read_bytes() == content


def test_top_k_keeps_the_probabilities_of_the_largest() -> None:
    logits = 3 * torch.randn(19, 4, 5)
    settings = CacheSettings(folder=Path(), dtype="fp32", top_k=3)
    found = unpack(pack({"logits": logits}, settings))
    assert found is not None
    expected, kept = logits.softmax(dim=0), found["logits"].softmax(dim=0)
    ids = logits.topk(3, dim=0).indices
    torch.testing.assert_close(kept.gather(0, ids), expected.gather(0, ids))
    others = kept.scatter(0, ids, 0.0)
    torch.testing.assert_close(others.sum(dim=0), expected.scatter(0, ids, 0.0).sum(dim=0))
    assert ((others == 0) | (others == others.amax(dim=0))).all()
    whole = len(pack({"logits": logits}, CacheSettings(folder=Path(), dtype="fp32")))
    assert len(pack({"logits": logits}, CacheSettings(folder=Path(), top_k=3))) < whole / 2


def test_what_half_precision_cannot_hold_is_refused(tmp_path: Path) -> None:
    network = Table(torch.full((1, 2, 4, 6), 1e5))
    with pytest.raises(UserError, match="fp16 cannot hold the teacher's 'logits', whose largest value is 100000"):
        opened(network, tmp_path)(IMAGES)
    assert torch.equal(opened(network, tmp_path, dtype="fp32")(IMAGES).logits[0], network.table[0])


def test_crops_that_never_come_again_and_a_folder_that_cannot_be(tmp_path: Path) -> None:
    settings = CacheSettings(folder=tmp_path / "new")
    check_cache(settings, variants=2)
    check_cache(None, variants=0)
    with pytest.raises(UserError, match=r"say with --data\.augment\.variants"):
        check_cache(settings, variants=0)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"choose another folder with --teacher\.cache\.folder"):
        check_cache(CacheSettings(folder=tmp_path / "file" / "below"), variants=1)


def test_inner_modules_can_be_kept(tmp_path: Path) -> None:
    cache = opened(bright(), tmp_path)
    assert isinstance(cache.network, nn.Module)
    shown = cache(IMAGES, frozenset({"module:identity"}))
    assert shown["module:identity"].shape == (4, 2, 4, 6)

"""A device's own copy of a bundle, to which plans are added."""

import shutil
from pathlib import Path

from export.bundle import Bundle, BundleError, load_bundle, new_file, room_for, save_manifest
from export.manifest import FileRecord

_SAMPLES = "samples"


def bring_up_to_date(source: Bundle, root: Path) -> Bundle:
    """The bundle in ``root``, with all that ``source`` has and the plans that were built there from the same graphs.

    Files that are there already are not copied again. A copy that is damaged, as by a power cut, is made anew.

    Raises:
        UserError: the disk is full.
    """
    have = _present(root)
    kept = {} if have is None else _own_plans(source, have)
    files = {**source.manifest.files, **kept}
    root.mkdir(exist_ok=True)
    for role, record in files.items():
        if role not in kept and (have is None or have.manifest.files.get(role) != record):
            _copy_files(source, record, root)
    _copy_samples(source.root / _SAMPLES, root / _SAMPLES)
    save_manifest(root, source.manifest.model_copy(update={"files": files}))
    _remove_others(root, have, files)
    return load_bundle(root)


def _present(root: Path) -> Bundle | None:
    if not root.exists():
        return None
    try:
        return load_bundle(root)
    except BundleError as error:
        print(f"{error}: made anew", flush=True)
        return None


def _own_plans(source: Bundle, have: Bundle) -> dict[str, FileRecord]:
    """Plans in the copy whose graph is still the source's."""
    graphs = {record.sha256 for record in source.manifest.files.values()}
    plans = {role: record for role, record in have.manifest.files.items() if record.built_for is not None}
    return {role: record for role, record in plans.items() if record.source_sha256 in graphs}


def _copy_files(source: Bundle, record: FileRecord, root: Path) -> None:
    for name in (record.path, *record.parts):
        with new_file(root / name) as made:
            shutil.copyfile(source.root / name, made)
            made.replace(root / name)


def _copy_samples(source: Path, target: Path) -> None:
    with room_for(target):
        shutil.rmtree(target, ignore_errors=True)
        if source.is_dir():
            shutil.copytree(source, target, copy_function=shutil.copyfile)


def _remove_others(root: Path, have: Bundle | None, files: dict[str, FileRecord]) -> None:
    """What the copy held and holds no more; nothing that a bundle did not name is touched."""
    if have is None:
        return
    named = {name for record in files.values() for name in (record.path, *record.parts)}
    for record in have.manifest.files.values():
        for name in (record.path, *record.parts):
            if name not in named:
                (root / name).unlink(missing_ok=True)

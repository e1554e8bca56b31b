"""Where images without labels come from: videos, and folders of images, anywhere below some paths (no torch)."""

import os
from pathlib import Path

from train.data.folder import IMAGE_SUFFIXES
from train.data.frame_folder import FrameFolder
from train.data.video import VIDEO_SUFFIXES, VideoFile
from train.errors import UserError


def find_sources(paths: list[Path]) -> tuple[list[tuple[str, VideoFile | FrameFolder]], list[str]]:
    """Videos and folders of images, each with a name of its own, and what of them cannot be opened, a line each.

    Raises:
        UserError: no such path, nothing there, or nothing that can be opened.
    """
    if not paths:
        raise UserError("data.unlabelled: the layout 'unlabelled' needs videos or folders: --data.unlabelled PATH")
    found: list[VideoFile | FrameFolder] = []
    notes = []
    for path in [inner for given in paths for inner in _below(given)]:
        try:
            found.append(FrameFolder(path, None) if path.is_dir() else VideoFile(path, whole=False))
        except UserError as error:
            notes.append(f"left out: {error}")
    if not found:
        reason = notes[0].removeprefix("left out: ") if notes else f"{paths[0]}: no images and no videos here: add some"
        raise UserError(f"data.unlabelled: {reason}")
    names = [source.name for source in found]
    return [
        (name if names.count(name) == 1 else f"{name}-{names[: index + 1].count(name)}", source)
        for index, (name, source) in enumerate(zip(names, found, strict=True))
    ], notes


def _below(path: Path) -> list[Path]:
    """The video itself; or the videos in a folder, and the folders that have images in them."""
    if path.is_file():
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise UserError(f"data.unlabelled: {path}: no video ({', '.join(sorted(VIDEO_SUFFIXES))}): give its folder")
        return [path]
    if not path.is_dir():
        raise UserError(f"data.unlabelled: {path}: no such file or folder: check the path")
    found = []
    for folder, folders, files in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        suffixes = {Path(name).suffix.lower() for name in files if not name.startswith(".")}
        found += [Path(folder)] if suffixes & IMAGE_SUFFIXES else []
        found += [Path(folder) / name for name in sorted(files) if Path(name).suffix.lower() in VIDEO_SUFFIXES]
    return found


def said_of(title: str, source: VideoFile | FrameFolder, readable: int, broken: list[str]) -> list[str]:
    """What was found in a source, and what to do about the rest, a line each."""
    lines = [f"{title}: {readable} images of {source.path}"]
    if broken:
        remedy = (
            f"write it anew (ffmpeg -i {source.path.name} NEW.mkv)" if isinstance(source, VideoFile) else "replace them"
        )
        lines.append(f"{title}: {len(broken)} not readable, left out: {remedy}; the first: {broken[0]}")
    return lines

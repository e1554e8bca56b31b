"""A bundle that was made anew takes the place of the one that is served, once proven; if it fails, it goes back."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from serve.models import Model, Models
from train.errors import UserError

PROBATION = 100
"""Images that a new bundle has to segment before the one that it replaced is let go."""

_log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int], ...]
"""Of a folder's files: name, time of the last change, size."""


class Reloader:
    """Watches the folders of the models; a new version is loaded, warmed up and compared before it is switched to.

    Args:
        models: what is served.
        load: loads the bundle of a name and a folder.
        switched: called with the model that is served from now on.
    """

    def __init__(self, models: Models, load: Callable[[str, Path], Model], switched: Callable[[Model], None]) -> None:
        self._models = models
        self._load = load
        self._switched = switched
        self._seen = {name: signature(models[name].bundle.root) for name in models}
        self._former: dict[str, Model] = {}
        self._lock = threading.Lock()
        self.errors: dict[str, str] = {}
        """Why the newest version of a bundle is not the one that is served, by name."""

    async def watch(self, every_s: float) -> None:
        """Look at each folder again and again; never returns."""
        while True:
            await asyncio.sleep(every_s)
            for name in self._models:
                await asyncio.to_thread(self.look, name)

    def look(self, name: str) -> None:
        """Switch to what stands in the folder of a model, if that has changed and is sound."""
        root = self._models[name].bundle.root
        now = signature(root)
        if now == self._seen[name]:
            return
        self._seen[name] = now  # what fails is not tried again before a file changes
        try:
            self._switch(name, root)
        except Exception as error:  # whatever it is, the watch goes on
            self.errors[name] = " ".join(str(error).split())
            unexpected = not isinstance(error, UserError)
            _log.error("%s: the new bundle is not taken, the former one goes on: %s", name, error, exc_info=unexpected)

    def _switch(self, name: str, root: Path) -> None:
        self._forget_former(name)  # or there would be three of them in memory
        model = self._load(name, root)
        if model.manifest == self._models[name].manifest:  # touched, and put back
            model.choice.engine.close()
            self.errors.pop(name, None)
            return
        try:
            agreement = model.prove()
        except BaseException:
            model.choice.engine.close()
            raise
        with self._lock:
            self._former[name] = self._models.replace(model)
        self._switched(model)
        self.errors.pop(name, None)
        _log.info("%s: switched to the bundle of %s, agreement %.5f", name, model.manifest.created, agreement)

    def answered(self, model: Model) -> None:
        """One more image of a model is segmented; a new one that has done enough of them is here to stay."""
        model.answered += 1  # not exact between threads, and need not be
        if model.answered >= PROBATION and model is self._models[model.name]:
            self._forget_former(model.name)

    def failed(self, model: Model, error: Exception) -> bool:
        """The network of a model failed: whether another version is in its place, now or already."""
        with self._lock:
            if model is not self._models[model.name]:
                return True
            former = self._former.pop(model.name, None)
            if former is None:
                return False
            self._models.retire(self._models.replace(former))
        self._switched(former)
        self.errors[model.name] = f"rolled back, the new bundle failed: {' '.join(str(error).split())}"
        _log.error("%s: %s", model.name, self.errors[model.name])
        return True

    def _forget_former(self, name: str) -> None:
        with self._lock:
            former = self._former.pop(name, None)
        if former is not None:
            self._models.retire(former)


def signature(root: Path) -> Signature:
    """Of the files in a folder; empty if it is not there."""
    try:
        files = [(path.name, path.stat()) for path in sorted(root.iterdir()) if path.is_file()]
    except OSError:
        return ()
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in files)

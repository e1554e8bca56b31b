"""The networks that a server has loaded, each by its name."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from export.bundle import Bundle, BundleError, load_bundle
from export.manifest import Manifest
from serve.answers.media import MASK_ENCODERS
from serve.batcher import Batcher
from serve.engines.choose import Choice, open_engine
from serve.engines.protocol import DeviceError
from serve.parity import check_parity
from serve.pipeline import Order, Pipeline
from serve.settings import Settings, available_cores
from serve.ticket import Ticket
from train.errors import UserError

OnBatch = Callable[[str, int, float], None]
"""Called with the model's name, the number of images and the seconds of each inference."""

_GPU_BATCH = 8
_WARM_UP_S = 600.0


@dataclass(eq=False)
class Model:
    """A bundle that is loaded."""

    name: str
    bundle: Bundle
    choice: Choice
    pipeline: Pipeline
    users: int = 0
    retired: bool = False
    answered: int = 0

    @property
    def manifest(self) -> Manifest:
        """Of its bundle."""
        return self.bundle.manifest

    @property
    def verified(self) -> bool:
        """Whether the file that is served is proven."""
        return self.bundle.record(self.choice.engine.role).verified

    def prove(self) -> float:
        """Warm up, and compare with the bundle's fp32 graph: the share of equal pixels.

        Raises:
            BundleError: the network does not run here, or gives other class maps.
        """
        self._warm_up()
        return check_parity(self.bundle, self.choice.engine)

    def _warm_up(self) -> None:
        """The first inferences, of one image and of a full batch: they allocate memory and show that it runs.

        Engines that prepare for each batch size, for a second or more, do so here and not while clients wait.

        Pillow loads its readers with the first JPEG and the first WebP, 17 and 24 ms that no client shall wait.
        """
        media_type, encode = next(iter(MASK_ENCODERS.items()))
        dot = np.zeros((1, 1, 3), np.uint8)
        spec, engine, largest = self.manifest.input, self.choice.engine, self.pipeline.batcher.max_batch
        try:
            for count in range(1 if engine.prepares_shapes else largest, largest + 1):
                images = np.zeros((count, spec.height, spec.width, 3), np.uint8)
                engine.infer(images)
                if engine.prepares_shapes and self.manifest.output.confidence:
                    engine.infer(images, confidence=True)
            for kind in (".jpg", ".webp"):
                data = cv2.imencode(kind, dot)[1].tobytes()
                self.pipeline.answer(data, Order(media_type, encode), Ticket(_WARM_UP_S))
        except DeviceError:
            raise
        except Exception as error:  # an engine's exceptions have no common base
            reason = " ".join(str(error).split())
            raise BundleError(f"{self.name}: the first inference failed ({reason}): export it again") from None


def load_model(name: str, root: Path, settings: Settings, on_batch: OnBatch) -> Model:
    """Check a bundle's files, choose its engine, load the network. It has made no inference yet.

    Raises:
        UserError: no bundle, or its engine is not to be had.
    """
    bundle = load_bundle(root)
    choice = open_engine(bundle, settings.engine, settings.threads, settings.kserve_url)
    on_cpu = choice.engine.device == "cpu"
    batcher = Batcher(
        choice.engine,
        settings.parallel or (available_cores() if on_cpu else 1),
        settings.max_batch or (1 if on_cpu else _GPU_BATCH),
        settings.max_delay_ms / 1e3,
        lambda images, seconds: on_batch(name, images, seconds),
    )
    return Model(name, bundle, choice, Pipeline(batcher, bundle.manifest))


@dataclass
class Models:
    """By name; the first is the one that a request gets that names none."""

    current: dict[str, Model]
    _lock: Lock = field(default_factory=Lock)

    def __getitem__(self, name: str) -> Model:
        return self.current[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.current)

    @property
    def default(self) -> str:
        """The first one's name."""
        return next(iter(self.current))

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """The model of a name, which is not closed before the end of the block, even if another takes its place."""
        with self._lock:
            model = self.current[name]
            model.users += 1
        try:
            yield model
        finally:
            self.release(model)

    def hold(self, model: Model) -> None:
        """One more user of a model that is in use."""
        with self._lock:
            model.users += 1

    def release(self, model: Model) -> None:
        """One user less; the last one of a retired model closes it."""
        with self._lock:
            model.users -= 1
            closes = model.retired and model.users == 0
        if closes:
            model.choice.engine.close()

    def replace(self, model: Model) -> Model:
        """Put ``model`` in the place of the one of its name, which is given back still open."""
        with self._lock:
            former, self.current[model.name] = self.current[model.name], model
        return former

    def retire(self, model: Model) -> None:
        """Close a model that is in no place any more, now or when its last user is done."""
        with self._lock:
            model.retired = True
            closes = model.users == 0
        if closes:
            model.choice.engine.close()


def named_roots(arguments: list[str]) -> Mapping[str, Path]:
    """``NAME=DIR`` or ``DIR`` (the folder's name) to folders by name; `UserError` if two have the same name."""
    roots: dict[str, Path] = {}
    for argument in arguments:
        name, found, path = argument.partition("=")
        root = Path(path if found else argument)
        name = name if found else root.resolve().name
        if name in roots:
            raise UserError(f"{argument}: another bundle is named '{name}' too: give names, NAME=DIR")
        roots[name] = root
    return roots

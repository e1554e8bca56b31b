"""Walk through the clips of a dataset, so that each frame is read and predicted once, and pairs of them are scored."""

from collections.abc import Iterable, Iterator

from train.data.dataset import Clips, Dataset, FramePlace, Sample, has_frame
from train.data.flow.pair import FramePair
from train.data.flow.provider import open_provider
from train.data.spec import NeighbourSpec
from train.errors import UserError
from train.evaluation import Prediction
from train.temporal import TemporalConsistency


class ClipWalk:
    """The samples of a dataset and the frame ``gap`` after each, in the order of time; reads as a list of samples.

    Raises:
        UserError: the dataset has no clips, or none of its samples has a frame at this distance.
    """

    def __init__(self, dataset: Dataset, gap: int) -> None:
        if dataset.clips is None:
            raise UserError(f"temporal: {dataset.name} has no clips, only still images: choose a split of video frames")
        self.clips: Clips = dataset.clips
        self.gap = gap
        self._samples = {self.clips.place(index) for index in range(len(dataset))}
        self.starts = {place for place in self._samples if has_frame(self.clips, place.later(gap))}
        if not self.starts:
            raise UserError(
                f"data.neighbour.gap: {gap}: no sample of {dataset.name} has a frame so many frames later: "
                "choose a smaller gap"
            )
        self.places = sorted(self._samples | {place.later(gap) for place in self.starts})

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Sample:
        return self.clips.read(self.places[number])

    def is_sample(self, place: FramePlace) -> bool:
        """Whether a place is one of the dataset's samples, and not only the second frame of a pair."""
        return place in self._samples


class TemporalEvaluation:
    """Scores the pairs of a walk as their predictions come in; keeps no frame longer than the gap."""

    def __init__(self, walk: ClipWalk, spec: NeighbourSpec, classes: int) -> None:
        self.consistency = TemporalConsistency(classes)
        self._walk = walk
        self._provider = open_provider(spec, walk.clips)
        self._recent: dict[FramePlace, Prediction] = {}

    def add(self, place: FramePlace, now: Prediction) -> None:
        """The prediction of the walk's next place."""
        gap = self._walk.gap
        start = place.later(-gap)
        self._recent = {at: kept for at, kept in self._recent.items() if at >= start}
        self._recent[place] = now
        if start not in self._walk.starts:
            return
        before = self._recent[start]
        frames_per_s = self._walk.clips.frames_per_s(place.clip)
        flow = self._provider(FramePair(before.sample.image, now.sample.image, before.sample.name, start, gap))
        self.consistency.add(before.ids, now.ids, flow, gap / frames_per_s if frames_per_s else None)

    def through(self, seen: Iterable[Prediction]) -> Iterator[Prediction]:
        """Score the walk's predictions, all in order, and pass on those of the dataset's samples."""
        for place, prediction in zip(self._walk.places, seen, strict=True):
            self.add(place, prediction)
            if self._walk.is_sample(place):
                yield prediction

"""Opens the flow provider that a config names."""

from pathlib import Path
from typing import Literal, cast

from train.data.dataset import Clips
from train.data.flow.cache import FlowCache
from train.data.flow.dis import DisEstimator
from train.data.flow.estimated import EstimatedFlow, Estimator
from train.data.flow.known import FloFiles, KnownFlow, identity
from train.data.flow.pair import FlowProvider
from train.data.spec import NeighbourSpec
from train.errors import UserError

ProviderName = Literal["exact", "dis", "raft", "flo", "identity"]


def choose_provider(spec: NeighbourSpec, clips: Clips) -> ProviderName:
    """The provider that a config names, or for ``auto`` the best that these clips have.

    ``affine`` makes a second frame; where there is one already, it is as ``auto``.
    """
    if spec.provider in ("auto", "affine"):
        return "dis" if clips.flow is None else "exact"
    return cast(ProviderName, spec.provider)


def open_provider(spec: NeighbourSpec, clips: Clips) -> FlowProvider:
    """Open the provider that `choose_provider` picks.

    Raises:
        UserError: the clips cannot give what it needs, or its weights, files or cache are not there.
    """
    name = choose_provider(spec, clips)
    if name == "identity":
        return identity
    if name == "flo":
        return FloFiles(_flo_folder(spec))
    if name == "exact":
        if clips.flow is None:
            raise UserError("data.neighbour.provider: exact: only streets knows its flow: set it to auto or dis")
        return KnownFlow(clips.flow)
    return EstimatedFlow(_estimator(name, spec), spec.tolerance, FlowCache.open(spec.cache))


def _estimator(name: ProviderName, spec: NeighbourSpec) -> Estimator:
    if name == "dis":
        return DisEstimator(spec.preset)
    from train.data.flow.raft import RaftEstimator  # here, for it needs torch

    return RaftEstimator()


def _flo_folder(spec: NeighbourSpec) -> Path:
    if spec.flo is None:
        raise UserError("data.neighbour.provider: flo: which files? Set --data.neighbour.flo FOLDER")
    if not spec.flo.is_dir():
        raise UserError(f"data.neighbour.flo: {spec.flo}: no such folder: check the path, or compute the flow first")
    return spec.flo

"""What a client is told of a model."""

from pydantic import BaseModel, Field

from export.manifest import Manifest, Precision
from serve.models import Model


class EngineCard(BaseModel):
    """What runs a network."""

    name: str
    role: str = Field(description="the file of the bundle, as the manifest names it")
    precision: Precision
    runtime: str = Field(description="library and version")
    device: str
    threads: int = Field(description="CPU threads of one inference")
    max_batch: int = Field(description="images in one inference")
    passed_over: list[str] = Field(description="better engines that were not to be had, and why")


class ModelCard(BaseModel):
    """A model as it is served."""

    name: str
    verified: bool = Field(description="whether the file that is served was compared with PyTorch, and passed")
    engine: EngineCard
    reload_error: str | None = Field(description="why a newer bundle in the folder is not the one that is served")
    manifest: Manifest


def card_of(model: Model, reload_error: str | None) -> ModelCard:
    """Of a model that is loaded."""
    engine = model.choice.engine
    return ModelCard(
        name=model.name,
        verified=model.verified,
        engine=EngineCard(
            name=engine.name,
            role=engine.role,
            precision=engine.precision,
            runtime=engine.runtime,
            device=engine.device,
            threads=engine.threads,
            max_batch=model.pipeline.batcher.max_batch,
            passed_over=model.choice.passed_over,
        ),
        reload_error=reload_error,
        manifest=model.manifest,
    )

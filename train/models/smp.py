"""Networks of segmentation_models_pytorch on timm encoders, with taps."""

from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from train.errors import UserError
from train.models.config import ModelConfig
from train.models.lite_weights import LITE_MEAN, LITE_STD, load_lite_weights
from train.models.network import SegmentationNetwork


class SmpNetwork(SegmentationNetwork):
    """Encoder, decoder and classifier of an smp model; stops before smp's own upsampling.

    The upsampling to the size of the image happens once, where it is needed: in a loss, in `predict` or in the
    exported graph.
    """

    def __init__(self, config: ModelConfig, classes: int) -> None:
        network = _create(config, classes)
        mean, std = _normalisation(config, network)
        super().__init__(classes, int(network.encoder.output_stride), mean, std)
        self.encoder: nn.Module = network.encoder
        self.decoder: nn.Module = network.decoder
        self.classifier: nn.Module = network.segmentation_head[0]

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """See `SegmentationNetwork`."""
        features = self.encoder(image)
        # Encoders without a stride-2 stage put an empty map in its place.
        stages = [feature for feature in features[1:] if feature.shape[1] > 0]
        maps = {f"stride:{image.shape[-1] // stage.shape[-1]}": stage for stage in stages}
        if decoded:
            maps["fused"] = maps["pre_classifier"] = self.decoder(features)
            maps["logits"] = self.classifier(maps["fused"])
        return maps


def _create(config: ModelConfig, classes: int) -> Any:
    try:
        network = smp.create_model(
            config.architecture,
            encoder_name=f"tu-{config.encoder}",
            encoder_weights="imagenet" if config.weights == "imagenet" else None,
            encoder_depth=config.encoder_depth,
            classes=classes,
            **config.decoder,
        )
    except Exception as error:  # timm and smp raise many kinds; all of them mean that this config does not fit
        reason = " ".join(str(error).split())
        raise UserError(f"model: cannot build {config.architecture} on {config.encoder}: {reason}") from error
    if config.weights == "imagenet-offline":
        load_lite_weights(network.encoder.model, config.encoder)
    _drop_unused_blocks(network.encoder.model)
    return network


def _drop_unused_blocks(encoder: Any) -> None:
    """timm keeps an EfficientNet's blocks behind the last tapped stage, which cost time and train nothing."""
    outputs = getattr(encoder, "_stage_out_idx", None)
    if outputs and isinstance(getattr(encoder, "blocks", None), nn.Sequential):
        encoder.blocks = encoder.blocks[: max(outputs)]


def _normalisation(config: ModelConfig, network: Any) -> tuple[list[float], list[float]]:
    """Mean and standard deviation the encoder's weights were trained with, in units of 0..255."""
    if config.weights == "imagenet-offline":
        return LITE_MEAN, LITE_STD
    defaults = network.encoder.model.default_cfg if hasattr(network.encoder.model, "default_cfg") else {}
    mean = defaults.get("mean", (0.485, 0.456, 0.406))
    std = defaults.get("std", (0.229, 0.224, 0.225))
    return [255.0 * value for value in mean], [255.0 * value for value in std]

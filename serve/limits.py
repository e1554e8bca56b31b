"""What the server refuses to do for one client, so that it keeps working for the others."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from train.data.image import MAX_PIXELS


class Limits(BaseSettings):
    """Bounds on a request and on their number. The environment sets other defaults: ``SEGDISTILL_SERVE_MAX_PIXELS``.

    At most ``max_concurrency`` bodies and ``workers`` decoded images are in memory at any time.
    """

    model_config = SettingsConfigDict(env_prefix="SEGDISTILL_SERVE_", extra="forbid", frozen=True)

    max_upload_bytes: int = Field(
        default=32 * 2**20, gt=0, description="largest request body, in bytes; more is answered 413"
    )
    max_pixels: int = Field(
        default=MAX_PIXELS, gt=0, description="largest image, in pixels, read from its header; more is answered 413"
    )
    max_concurrency: int = Field(
        default=16,
        gt=0,
        description="requests received, waiting or worked on at once; one more is answered 503",
    )
    workers: int = Field(default=2, gt=0, description="requests decoded, segmented and encoded at once, in threads")
    upload_timeout_s: float = Field(
        default=30.0, gt=0, description="time for one request body to arrive, in seconds; longer is answered 408"
    )

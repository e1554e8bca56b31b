"""What is wrong with a video, for a line that its sender can act on."""

from train.errors import UserError

NO_PICTURE = "the file has no moving picture: give one with a video stream"


class VideoError(UserError):
    """The video is damaged, or has no frame."""


class UnknownVideoError(VideoError):
    """The bytes are in no container, or with no codec, that is read here."""


class VideoTooLargeError(VideoError):
    """More pixels, frames or seconds than allowed."""

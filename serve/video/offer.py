"""``POST /segment/video``, where the server can read videos: PyAV is an extra of its own."""

from fastapi import FastAPI, HTTPException

from serve.service import Service


def offer_video(app: FastAPI, service: Service) -> None:
    """Add the path; without PyAV it says what is missing."""
    try:
        from serve.video.route import add_video
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        app.router.add_api_route("/segment/video", _absent, methods=["POST"], include_in_schema=False)
        return
    add_video(app, service)


async def _absent() -> None:
    raise HTTPException(501, "this server reads no videos: pip install 'segdistill[video]' where it runs")

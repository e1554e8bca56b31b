"""What ``POST /segment/video`` answers, read."""

import email
import email.policy
import io
import json
from email.message import EmailMessage
from typing import Any

import av
import httpx
import numpy as np
from pycocotools.mask import decode


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def class_map(line: dict[str, Any]) -> np.ndarray:
    found = np.full((line["height"], line["width"]), 255, np.uint8)
    for entry in line["classes"]:
        found[decode(entry["mask"]) == 1] = entry["id"]
    return found


def parts(answer: httpx.Response) -> list[EmailMessage]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.default)
    return list(message.iter_parts())  # type: ignore[arg-type]


def frames_of(data: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["type"].rpartition(":")[2]

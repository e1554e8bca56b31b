"""A server that speaks as much of KServe v2 as one model needs, over ONNX Runtime: a program of its own.

It takes tensors as bytes only and is strict where the protocol is:
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import onnxruntime

LENGTH = "Inference-Header-Content-Length"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"  # connections stay open
    session: Any
    options: argparse.Namespace

    def do_GET(self) -> None:
        if self.path != f"/v2/models/{self.options.name}":
            self._answer(404, json.dumps({"error": f"Request for unknown model: '{self.path}' is not found"}).encode())
            return
        shape = [-1, self.options.height, self.options.width]
        inputs = [{"name": "image", "datatype": self.options.datatype, "shape": [*shape, 3]}]
        outputs = [{"name": "mask", "datatype": "UINT8", "shape": shape}]
        metadata = {"name": self.options.name, "versions": ["1"], "platform": "onnxruntime_onnx"}
        self._answer(200, json.dumps({**metadata, "inputs": inputs, "outputs": outputs}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            head, content = self._infer(body)
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            self._answer(400, json.dumps({"error": f"bad request: {error!r}"}).encode())
        else:
            self._answer(200, head + content, None if self.options.json_only else len(head))

    def _infer(self, body: bytes) -> tuple[bytes, bytes]:
        assert self.path == f"/v2/models/{self.options.name}/infer"
        length = int(self.headers[LENGTH])
        request, content = json.loads(body[:length]), body[length:]
        (image,), (wanted,) = request["inputs"], request["outputs"]
        assert (image["name"], image["datatype"]) == ("image", "UINT8")
        assert image["parameters"] == {"binary_data_size": len(content)}
        assert image["shape"][1:] == [self.options.height, self.options.width, 3]
        assert wanted == {"name": "mask", "parameters": {"binary_data": True}}
        pixels = np.frombuffer(content, np.uint8).reshape(image["shape"])
        (mask,) = self.session.run(["mask"], {"image": pixels})
        output = {"name": "mask", "datatype": "UINT8", "shape": list(mask.shape)}
        if self.options.json_only:
            return json.dumps({"outputs": [{**output, "data": mask.flatten().tolist()}]}).encode(), b""
        answer = {"outputs": [{**output, "parameters": {"binary_data_size": mask.nbytes}}]}
        return json.dumps({"model_name": self.options.name, "model_version": "1", **answer}).encode(), mask.tobytes()

    def _answer(self, status: int, body: bytes, json_length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if json_length is None else "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        if json_length is not None:
            self.send_header(LENGTH, str(json_length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("graph")
    parser.add_argument("--name", default="model")
    parser.add_argument("--height", type=int, default=48)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--datatype", default="UINT8")
    parser.add_argument("--json-only", action="store_true")
    Handler.options = parser.parse_args()
    Handler.session = onnxruntime.InferenceSession(Handler.options.graph, providers=["CPUExecutionProvider"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()

"""``python -m serve.demo``: the whole path by the commands of daily use, from a teacher to a served request."""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from train.command import command
from train.errors import UserError

ROLES = {"teacher": "train.teacher", "student": "train.distill", "distilled": "train.distill"}
"""Runs of the demo, by the names of their configs, and what trains each."""


CONFIGS = Path("configs/demo")
RUNS = Path("runs/demo")
BUNDLE = RUNS / "bundle"
LATENCY = RUNS / "latency.json"
_READY_WITHIN_S = 60


def main() -> None:
    _parser().parse_args()
    began = time.monotonic()
    for role, module in ROLES.items():
        _run(module, str(CONFIGS / f"{role}.yaml"), "--overwrite")
        _run("train.evaluate", str(RUNS / role))
    _run("export.onnx", str(RUNS / "distilled"), "--out", str(BUNDLE))
    _run("serve.benchmark", str(BUNDLE), "--json", str(LATENCY))
    picture = _request()
    scores = {role: _read(RUNS / role / "evaluation" / "scores.json") for role in ROLES}
    Console().print(_table(scores, _read(BUNDLE / "manifest.json"), _read(LATENCY)))
    print(f"report with pictures: {RUNS / 'distilled' / 'report.html'}")
    print(f"a served overlay:     {picture}")
    print(f"the whole path took {(time.monotonic() - began) / 60:.1f} minutes; serve it: python -m serve {BUNDLE}")


def _run(module: str, *arguments: str) -> None:
    line = ["-m", module, *arguments]
    print(f"\n$ python {shlex.join(line)}", flush=True)
    done = subprocess.run([sys.executable, *line], check=False)
    if done.returncode != 0:
        raise UserError(f"`python {shlex.join(line)}` ended with {done.returncode}: see its message above")


def _request() -> Path:
    """Start the real server, post a sample of the bundle, save the overlay."""
    image = sorted((BUNDLE / "samples").iterdir())[0]
    line = ["-m", "serve", str(BUNDLE), "--port", "0", "--log-level", "warning"]
    print(f"\n$ python {shlex.join(line)}", flush=True)
    with subprocess.Popen([sys.executable, *line], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        banner = server.stdout.readline().strip()
        print(banner)
        try:
            return _post(banner.split()[-1], image, RUNS / "overlay.png")
        finally:
            server.terminate()


def _post(url: str, image: Path, out: Path) -> Path:
    print(f"$ curl -F image=@{image} '{url}/segment?overlay=true' -o {out}")
    with httpx.Client(base_url=url, timeout=60, transport=httpx.HTTPTransport(retries=5)) as client:
        _wait_until_ready(client)
        answer = client.post("/segment", params={"overlay": "true"}, files={"image": image.read_bytes()})
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"{url}/segment answered {answer.status_code}: {answer.text}")
    out.write_bytes(answer.content)
    print(f"{answer.status_code} {answer.headers['content-type']}, {answer.headers['server-timing']}")
    return out


def _wait_until_ready(client: httpx.Client) -> None:
    for _ in range(_READY_WITHIN_S * 10):
        if client.get("/readyz").status_code == httpx.codes.OK:
            return
        time.sleep(0.1)
    raise UserError(f"{client.base_url}/readyz: not ready within {_READY_WITHIN_S} s: see the server's messages above")


def _table(scores: dict[str, Any], manifest: dict[str, Any], latency: dict[str, Any]) -> Table:
    table = Table(title="\nfrom teacher to bundle", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("", "mIoU", "params", "MACs", "agreement", "inference", "request"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    titles = {"teacher": "teacher", "student": "student alone", "distilled": "student distilled"}
    for role, score in scores.items():
        size = (f"{score['parameters'] / 1e6:.2f} M", f"{score['macs'] / 1e9:.2f} G")
        table.add_row(titles[role], f"{score['miou']:.4f}", *size, "", "", "")
    accuracy = manifest["files"]["onnx"]["accuracy"]
    p50 = {row["stage"]: f"{row['p50_ms']:.1f} ms" for row in latency["measurements"]}
    exact = f"{accuracy['agreement']:.7f}"
    miou = f"{accuracy['miou_bundle']:.4f}"
    table.add_row("its bundle", miou, "", "", exact, p50["inference"], p50["whole request"])
    return table


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _parser() -> argparse.ArgumentParser:
    description = f"Teacher, student, distilled student, bundle and server by the configs in {CONFIGS}, into {RUNS}."
    return argparse.ArgumentParser(prog="python -m serve.demo", description=description)


if __name__ == "__main__":
    command(main)

"""Serve: in this process, or in several."""

import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from serve.board.board import open_board
from serve.log import start_log
from serve.metrics import Metrics, forget_process, shared_between_processes
from serve.models import Models, named_roots
from serve.processes import Processes
from serve.server import Server, grace_s, listen, url_of
from serve.service import Service
from serve.settings import Settings
from train.errors import UserError

_SPARE_S = 5.0  # for a worker process to end after its last request

_log = logging.getLogger(__name__)


def serve(bundles: list[str], settings: Settings) -> None:
    """Load the bundles, listen, say so on stdout, answer until a signal.

    Raises:
        UserError: a bundle, its engine or the address is not to be had.
    """
    roots = named_roots(bundles)
    if settings.processes > 1:
        _in_processes(roots, settings)
        return
    service = Service(roots, settings, Metrics(open_board()[0]))
    listener = listen(settings.host, settings.port)
    log = start_log(settings.log_level, settings.log_format)
    try:
        _explain(service.models)
        _announce(service.models, url_of(listener))
        Server(service, listener).run()
    finally:
        log.close()


def _in_processes(roots: Mapping[str, Path], settings: Settings) -> None:
    listener = listen(settings.host, settings.port)
    print(f"serving {', '.join(roots)} in {settings.processes} processes on {url_of(listener)}", flush=True)
    log = start_log(settings.log_level, settings.log_format)
    try:
        with shared_between_processes():
            work = partial(_work, roots, settings)
            longest_s = settings.drain_s + grace_s(settings) + _SPARE_S
            ended = Processes(work, settings.processes, listener, longest_s, forget_process).run()
    finally:
        log.close()
    if not ended:
        raise UserError("a worker process did not end well: see its messages above")


def _work(roots: Mapping[str, Path], settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    log = start_log(settings.log_level, settings.log_format)
    try:
        service = Service(roots, settings, Metrics(open_board()[0]))
        _explain(service.models)
        Server(service, listener, ready).run()
    finally:
        log.close()


def _explain(models: Models) -> None:
    for name in models:
        model = models[name]
        for reason in model.choice.passed_over:
            _log.info("%s: passed over %s", name, reason)
        if not model.verified:
            root = model.bundle.root
            _log.warning("not verified: %s (python -m export.verify %s)", root, root)


def _announce(models: Models, url: str) -> None:
    for name in models:
        engine = models[name].choice.engine
        on = f"{engine.precision} on {engine.device}, {engine.threads} threads, {engine.runtime}"
        print(f"serving {name} ({on}) on {url}", flush=True)

"""One serving process from its start to its end."""

import sys

from serve.log import start_log
from serve.metrics import Metrics
from serve.models import Models, named_roots
from serve.server import Server, listen, url_of
from serve.service import Service
from serve.settings import Settings


def serve(bundles: list[str], settings: Settings) -> None:
    """Load the bundles, listen, say so on stdout, answer until a signal.

    Raises:
        UserError: a bundle, its engine or the address is not to be had.
    """
    service = Service(named_roots(bundles), settings, Metrics())
    listener = listen(settings.host, settings.port)
    _announce(service.models, url_of(listener))
    log = start_log(settings.log_level, settings.log_format)
    try:
        Server(service, listener).run()
    finally:
        log.close()


def _announce(models: Models, url: str) -> None:
    for name in models:
        model = models[name]
        engine = model.choice.engine
        for reason in model.choice.passed_over:
            print(f"{name}: passed over {reason}", file=sys.stderr)
        if not model.verified:
            root = model.bundle.root
            print(f"not verified: {root} (python -m export.verify {root})", file=sys.stderr)
        on = f"{engine.precision} on {engine.device}, {engine.threads} threads, {engine.runtime}"
        print(f"serving {name} ({on}) on {url}", flush=True)

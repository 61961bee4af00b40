"""Figures for Prometheus: `http://HOST:PORT/metrics`, served by threads of the dispatcher while a run is at work."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import wsgiref.simple_server
from typing import Any, Callable, Optional

from ..address import Address, parse_address
from ..errors import ConfigError
from .sample import Sample

#: A client that says nothing for so long is given up.
_CLIENT_SECONDS = 10.0


class Exporter:
    """Answers each scrape with the latest sample, until it is closed.

    Args:
        address: what `--metrics-port` was given.

    Raises:
        ConfigError: when nothing can be served there.
    """

    def __init__(self, address: str) -> None:
        from prometheus_client import CollectorRegistry, make_wsgi_app

        from .collector import SampleCollector

        self._latest: Optional[Callable[[], Optional[Sample]]] = None
        registry = CollectorRegistry()
        registry.register(SampleCollector(self._sample))  # type: ignore[arg-type]
        self._server = _listen(address, make_wsgi_app(registry))
        self._thread = threading.Thread(target=self._server.serve_forever, name="exporter", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is served."""
        host, port = self._server.server_address[:2]
        return "http://{}/metrics".format(Address(str(host), int(port)))

    def show(self, latest: Callable[[], Optional[Sample]]) -> None:
        """What is served from now on; until then there are no figures.

        Args:
            latest: the latest sample; None while there is none.
        """
        self._latest = latest

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _sample(self) -> Optional[Sample]:
        return None if self._latest is None else self._latest()


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = _CLIENT_SECONDS

    def handle(self) -> None:
        # A client that went away, or said nothing, is nobody's concern.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Not `HTTPServer`'s own, which asks a name server who this is, and may wait for it.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(text: str, app: Any) -> _Server:
    try:
        family, place = parse_address(text).resolved()
        server = (_Server6 if family == socket.AF_INET6 else _Server)(place, _Handler)
    except OSError as error:
        raise ConfigError(
            "--metrics-port {}: nothing can be served there ({}). Give another port, or 0 for any.".format(
                text, error.strerror or error
            )
        )
    server.set_app(app)
    return server

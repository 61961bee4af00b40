"""Serves a run's page: one HTML file, the view as JSON, and the latest images with what was found on them.

Everything comes from this process, nothing can be changed through it, and only images that it has offered itself are given out.
"""

from __future__ import annotations

import base64
import collections
import errno
import hashlib
import json
import os
import re
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Tuple

from ..address import Address, parse_address
from ..errors import ConfigError, DivaInferError
from ..imagelist import ImageList
from ..loader.imagefile import ImageError
from ..monitor.watched import Watched
from ..output.latest import LatestResults
from ..output.results import Result
from ..runfolder import RunFolder
from ..runrecord import read_run_record
from .pictures import MIN_SCORE, Pictures
from .visitors import may_ask

_PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.html")
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_PICTURE = re.compile(r"^/picture/(\d{1,18})\.jpg$")
#: Several browsers that ask at the same time get the same view.
_VIEW_SECONDS = 0.5
#: Images that are shown, and pictures that are kept: those that a browser may still ask for.
_LATEST, _KEPT = 12, 60
#: A browser that says nothing for so long is let go.
_IDLE_SECONDS = 30.0
#: When the program ends, an image that is being read may take so long.
_CLOSE_SECONDS = 1.0
#: Steps of the history: ten minutes in steps of five seconds.
_POINTS = 121


class Content:
    """What is served of a run.

    Args:
        watched: the run.

    Raises:
        DivaInferError: when the folder holds no run.
    """

    def __init__(self, watched: Watched) -> None:
        folder = RunFolder(watched.out)
        record = read_run_record(folder)
        self._watched = watched
        self._root = os.fsdecode(record.listing.naming.root) + "/"
        self._images = ImageList(folder.list, folder.index)
        self._latest = LatestResults(folder, record, self._images)
        self._pictures = Pictures(record.config["max_pixels"])
        self._offered: "collections.OrderedDict[int, Result]" = collections.OrderedDict()
        self._drawn: "collections.OrderedDict[int, Tuple[Result, bytes]]" = collections.OrderedDict()
        # An image may be large, or its disk may hang: the view does not wait for it.
        self._images_lock, self._view_lock = threading.Lock(), threading.Lock()
        self._view: Tuple[float, bytes] = (0.0, b"")
        with open(_PAGE, "rb") as file:
            self.page = file.read()
        script = _SCRIPT.search(self.page)
        assert script is not None
        digest = base64.b64encode(hashlib.sha256(script.group(1)).digest()).decode("ascii")
        #: What the page may load and run: itself.
        self.policy = (
            "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; img-src 'self' data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'".format(digest)
        )

    def view(self) -> bytes:
        """The view, as JSON.

        Raises:
            DivaInferError: when the folder holds no run any more.
        """
        with self._view_lock:
            made, content = self._view
            if time.monotonic() - made >= _VIEW_SECONDS or not content:
                content = json.dumps(self._watched.look(_POINTS).to_json()).encode("ascii")
                self._view = time.monotonic(), content
            return content

    def latest(self) -> bytes:
        """The latest images that can be asked for, as JSON."""
        with self._images_lock:
            found = self._latest.find(_LATEST)
            for result in found:
                self._offered[result.index] = result
                self._offered.move_to_end(result.index)
            while len(self._offered) > _KEPT:
                self._offered.popitem(last=False)
            return json.dumps([self._entry(result) for result in found]).encode("ascii")

    def picture(self, index: int) -> bytes:
        """An image that was offered, drawn, as JPEG.

        Raises:
            KeyError: when it was not.
            ImageError: when it cannot be read.
        """
        with self._images_lock:
            result = self._offered[index]
            drawn_of, picture = self._drawn.get(index, (None, b""))
            # A result that was made again may be another one.
            if drawn_of != result:
                picture = self._pictures.picture(self._images[index], result.detections or [])
                self._drawn[index] = result, picture
                while len(self._drawn) > _KEPT:
                    self._drawn.popitem(last=False)
            return picture

    def close(self) -> None:
        """Closes what is open of the run; but what hangs on its disk is left alone."""
        if self._images_lock.acquire(timeout=_CLOSE_SECONDS):
            self._pictures.close()
            self._images.close()

    def _entry(self, result: Result) -> Dict[str, Any]:
        likely = [row for row in result.detections or [] if row["score"] >= MIN_SCORE]
        counts: Dict[str, int] = collections.Counter(str(row["cat_name"]) for row in likely)
        name = result.image[len(self._root) :] if result.image.startswith(self._root) else result.image
        return {
            "index": result.index,
            "name": name.encode("utf-8", "backslashreplace").decode("utf-8"),
            "detections": len(likely),
            "classes": [[word, count] for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))],
        }


class _Server(ThreadingHTTPServer):
    """Listens.

    Args:
        address: where.
        content: what is served.

    Raises:
        OSError: when that is not possible.
    """

    def __init__(self, address: Address, content: Content) -> None:
        self.address = address
        self.content = content
        self.address_family, place = address.resolved()  # type: ignore[assignment]
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Binds without asking a name server who this machine is, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser has gone away, and its connection ends."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        """Answers with a part of the content."""
        if not may_ask(self.headers.get("Host", ""), self.server.address):
            sentence = (
                "This page is not served by that name. Use its IP address, or give divainfer monitor --serve NAME:PORT."
            )
            self._answer(HTTPStatus.FORBIDDEN, "text/plain; charset=utf-8", sentence.encode("ascii"))
            return
        content = self.server.content
        path = self.path.split("?", 1)[0]
        picture = _PICTURE.match(path)
        try:
            if path == "/":
                self._answer(HTTPStatus.OK, "text/html; charset=utf-8", content.page)
            elif path == "/view.json":
                self._answer(HTTPStatus.OK, "application/json", content.view())
            elif path == "/latest.json":
                self._answer(HTTPStatus.OK, "application/json", content.latest())
            elif picture is not None:
                self._answer(HTTPStatus.OK, "image/jpeg", content.picture(int(picture.group(1))))
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"There is no such page.")
        except (ImageError, KeyError):
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"There is no such picture.")
        except DivaInferError as error:
            text = str(error).encode("utf-8", "backslashreplace")
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text)

    do_HEAD = do_GET

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", self.server.content.policy),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Who answers."""
        return "divainfer"

    def log_message(self, *_: Any) -> None:
        """Nothing: the operator's terminal is for the run."""


def serve_page(watched: Watched, where: str, say: Callable[[str], None]) -> None:
    """Serves the page until it is interrupted.

    Args:
        watched: the run.
        where: as `address.parse_address` takes it.
        say: takes sentences for the operator.

    Raises:
        ConfigError: when that address cannot be listened on.
        DivaInferError: when the folder holds no run.
    """
    try:
        address = parse_address(where)
    except ValueError:
        text = "--serve {}: an address and a port are wanted, such as 127.0.0.1:8000. DIR goes before --serve."
        raise ConfigError(text.format(where))
    content = Content(watched)
    try:
        with _listening(address, content) as server:
            here = address._replace(port=server.server_port)
            say("The page of {} is at http://{}/ until Ctrl-C.".format(watched.out, here))
            if not address.is_loopback:
                say("Whoever reaches this address can see the images of this run.")
            server.serve_forever()
    finally:
        content.close()


def _listening(address: Address, content: Content) -> _Server:
    try:
        return _Server(address, content)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = address._replace(port=address.port % 65535 + 1)
            text = "--serve {}: another program uses that port; give another one, such as {}."
            raise ConfigError(text.format(address, other))
        raise ConfigError("--serve {}: it cannot be listened on ({}).".format(address, error.strerror or error))

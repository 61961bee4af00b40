"""The page's server: what it gives, to whom, and that it gives nothing else."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading

import cv2
import numpy as np
import pytest
from made_runs import MadeRun, detection, samples_of
from running import draw_images

from divainfer.address import Address
from divainfer.errors import ConfigError
from divainfer.messages import Failure
from divainfer.monitor.watched import Watched
from divainfer.page.server import Content, _listening, serve_page
from divainfer.page.visitors import may_ask

EVIL = '<img src=x onerror=alert(1)> "quoted" & it\'s.jpg'


class Served:
    """A page of a run, and a browser that is not easily content."""

    def __init__(self, run):
        self.run = run
        self.content = Content(Watched(run.folder.out))
        self.server = _listening(Address("127.0.0.1", 0), self.content)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def ask(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body

    def json(self, path):
        status, _, body = self.ask(path)
        assert status == 200
        return json.loads(body)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.content.close()
        self.run.close()


@pytest.fixture
def served(tmp_path):
    paths = draw_images(str(tmp_path / "in"), 12, sizes=((96, 128),))
    evil = str(tmp_path / "in" / EVIL)
    os.rename(paths[10], evil)
    paths[10] = evil
    os.unlink(paths[9])
    run = MadeRun(str(tmp_path / "out"), paths)
    run.measure(samples_of([0.9, 0.6], 60, images=12))
    run.finish(0, 4)
    run.finish(8, 4, [Failure(11, "missing", "there is no such file")])
    served = Served(run)
    yield served
    served.close()


def test_the_page_is_one_file_that_asks_nobody_else(served):
    status, headers, body = served.ask("/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    addresses = set(re.findall(rb"(?:https?:)?//[\w.-]+", body)) - {b"http://www.w3.org", b"//www.w3.org"}
    assert addresses == set(), "the one that is left out is a name, not an address"
    assert not re.search(rb"<(script|img|link|iframe)[^>]*\s(src|href)=(?!\"data:)", body)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "access-control-allow-origin" not in {name.lower() for name in headers}
    assert served.ask("/", "HEAD")[2] == b""


def test_the_view_is_that_of_the_command(served):
    found = served.json("/view.json")
    assert (found["images"], found["done"], found["failures"], found["state"]) == (12, 8, 1, "killed")
    assert found["workers"][1]["shares"]["busy"] == pytest.approx(0.6)
    assert found == json.loads(json.dumps(Watched(served.run.folder.out).look().to_json()))


def test_the_latest_images(served):
    found = served.json("/latest.json")
    assert [entry["index"] for entry in found] == [10, 9, 8, 3, 2, 1, 0]
    assert found[0]["name"] == EVIL and found[0]["classes"] == [["Vehicle", 1]]
    status, headers, body = served.ask("/picture/10.jpg")
    assert status == 200 and headers["Content-Type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imread(os.fsdecode(Content(Watched(served.run.folder.out))._images[10]))
    assert picture.shape == original.shape
    changed = np.abs(picture.astype(int) - original).max(axis=2) > 60
    assert changed[8, 10:40].any() and not changed[-8:, -8:].any(), "the box is drawn, and not everywhere"


def test_a_new_result_is_seen_and_replaces_the_old_picture(served):
    before = [served.ask("/picture/3.jpg")[2] for _ in range(2) if served.json("/latest.json")]
    assert before[0] == before[1]
    served.run.finish(3, 1, rows=[detection(bbox=(60, 50, 30, 30))])
    assert served.json("/latest.json")[0]["index"] == 3
    assert served.ask("/picture/3.jpg")[2] != before[0]


@pytest.mark.parametrize(
    "path",
    [
        "/picture/11.jpg", "/picture/5.jpg", "/picture/9.jpg", "/picture/-1.jpg", "/picture/99999999999.jpg",
        "/picture/1e1.jpg",
        "/picture/../../../../etc/passwd", "/etc/passwd", "//etc/passwd", "/picture/%2e%2e/run.json", "/run.json", "/page.html",
    ],
)  # fmt: skip
def test_nothing_else_is_given(served, path):
    served.json("/latest.json")
    assert served.ask(path)[0] == 404


def test_nothing_is_given_before_it_was_offered(served):
    assert served.ask("/picture/0.jpg")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(served, method):
    assert served.ask("/view.json", method)[0] == 501


@pytest.mark.parametrize(
    "host,status", [("evil.example", 403), ("evil.example:8000", 403), ("localhost:9000", 200), ("", 403)]
)
def test_a_name_of_somebody_else_is_refused(served, host, status):
    assert served.ask("/view.json", Host=host)[0] == status


def test_a_folder_that_is_gone_is_said(served):
    served.json("/view.json")
    os.unlink(served.run.folder.run)
    served.content._watched._ended = None
    served.content._view = (0.0, b"")
    status, _, body = served.ask("/view.json")
    assert status == 503 and b"there is no run of divainfer in this folder" in body


def test_who_may_ask():
    loopback, open_to_all = Address("127.0.0.1", 8000), Address("gpu7.lab", 8000)
    for host in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "10.0.0.7"):
        assert may_ask(host, loopback), host
    for host in (
        "gpu7.lab",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[::1",
        "a b",
        "localhost@evil.example",
        "-",
    ):
        assert not may_ask(host, loopback), host
    assert may_ask("gpu7.lab:8000", open_to_all) and may_ask("GPU7.lab.", open_to_all)
    assert not may_ask("evil.example", open_to_all)


def test_what_is_no_address(served):
    for text in ("out/", "http://x:80", ""):
        with pytest.raises(ConfigError, match="DIR goes before --serve"):
            serve_page(served.content._watched, text, print)


def test_a_port_in_use_and_an_address_of_somebody_else(served):
    taken = Address("127.0.0.1", served.server.server_port)
    with pytest.raises(ConfigError, match="another program uses that port; give another one, such as 127.0.0.1:"):
        _listening(taken, served.content)
    with pytest.raises(ConfigError, match="--serve 192.0.2.1:80: it cannot be listened on"):
        _listening(Address("192.0.2.1", 80), served.content)


def test_the_loopback_of_version_6(served):
    try:
        server = _listening(Address("::1", 0), served.content)
    except ConfigError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert server.socket.family == socket.AF_INET6 and server.server_port

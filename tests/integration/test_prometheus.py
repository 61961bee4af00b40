"""A run scraped by the real Prometheus (Debian's package `prometheus`), which then answers all that the dashboard asks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from running import Started, draw_images, wait_for
from running import divainfer as program

from divainfer.messages import WorkerStats
from divainfer.monitor.exporter import Exporter
from divainfer.monitor.sample import GpuSample, Sample, WorkerSample

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--short-edge-size", "64", "--max-size", "96", "--gpus", "cpu:2", "--loaders", "1"]
NEEDED = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus is not installed (Debian: apt-get install prometheus)",
)


def arguments(images, out, *more, busy_ms=1):
    return ["run", "--engine", "emulated:busy_ms={}".format(busy_ms), "--images", images, "--out", out, *SMALL, *more]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("images") / "in")
    draw_images(folder, 12)
    with open(os.path.join(folder, "broken.jpg"), "wb") as file:
        file.write(b"no image")
    return folder


def many(images, path, count):
    """A list of many names for a few images, so that the run lasts."""
    names = sorted(os.path.join(at, name) for at, _, found in os.walk(images) for name in found)
    os.makedirs(path)
    links = []
    for index in range(count):
        link = os.path.join(path, "{:05d}.jpg".format(index))
        os.symlink(names[index % len(names)], link)
        links.append(link)
    return path


def url_of(run):
    wait_for(lambda: "Figures for Prometheus: " in run.errors or run.ended, "the address")
    return re.search(r"Figures for Prometheus: (\S+)", run.errors).group(1)


def fetched(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode("utf-8")


def test_a_run_is_served_while_it_is_at_work(images, tmp_path):
    out, folder = str(tmp_path / "out"), many(images, str(tmp_path / "many"), 500)
    with Started(*arguments(folder, out, "--metrics-port", "0", busy_ms=1000)) as run:
        url = url_of(run)
        wait_for(lambda: 'divainfer_worker_up{device="CPU",uuid="",worker="1"} 1.0' in fetched(url), "the workers")
        text = fetched(url)
        assert "divainfer_images 500.0\n" in text and 'divainfer_processes{role="loader"} 2.0\n' in text
        # The same port once more: nothing is started.
        other = str(tmp_path / "other")
        address = url.split("/")[2]
        refused = program(*arguments(images, other, "--metrics-port", address))
        assert refused.code == 2 and not os.path.exists(other)
        assert refused.err.startswith("Error: --metrics-port {}: nothing can be served there".format(address))
        assert len(refused.err.splitlines()) == 1
        dry = program(*arguments(images, other, "--metrics-port", address, "--dry-run"))
        assert dry.code == 2 and not os.path.exists(other)
        assert not run.ended
        run.signal(signal.SIGINT)
        assert run.wait().code == 130
    with pytest.raises(OSError):
        fetched(url)


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


class Prometheus:
    """The real one, which scrapes some addresses once a second."""

    def __init__(self, folder, addresses):
        self._base = "http://127.0.0.1:{}".format(free_port())
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "divainfer", "static_configs": [{"targets": addresses}]}],
        }
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w") as file:
            json.dump(config, file)  # JSON is YAML, too.
        self._log = open(os.path.join(folder, "prometheus.log"), "wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=" + path,
                "--storage.tsdb.path=" + os.path.join(folder, "data"),
                "--web.listen-address=" + self._base[len("http://") :],
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        wait_for(self.ready, "Prometheus")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def ready(self):
        with contextlib.suppress(OSError):
            return bool(fetched(self._base + "/-/ready"))

    def ask(self, query):
        """The values of a query's series."""
        answer = fetched(self._base + "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        return [float(series["value"][1]) for series in json.loads(answer)["data"]["result"]]

    def answer(self, query):
        """The same, once there are any: a scrape may be late on a busy machine."""
        found = []
        wait_for(lambda: found.extend(self.ask(query)) or found, query)
        return found


def dashboard_queries():
    board = json.loads((ROOT / "docs" / "grafana" / "divainfer.json").read_text(encoding="utf-8"))
    return [
        target["expr"].replace("$__rate_interval", "10s").replace("[5m]", "[10s]")
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


@contextlib.contextmanager
def four_gpus():
    """A run on GPUs as far as Prometheus sees it: what is sampled of them grows as it is asked for."""
    began = time.time()

    def latest():
        seconds = time.time() - began
        uuids = ["GPU-{}".format(number) for number in range(4)]
        workers = [
            WorkerSample(
                n, "GPU {}".format(n), uuid, "up", stats=WorkerStats(images=int(9 * seconds), busy=0.9 * seconds)
            )
            for n, uuid in enumerate(uuids)
        ]
        gpus = [GpuSample(uuid, n, "A", 0.9, 1, 2, 200.0, 300.0, 1e3, 2e3, 60.0, [], 0) for n, uuid in enumerate(uuids)]
        return Sample(time.time(), seconds, began, 10000, int(36 * seconds), 0, workers=workers, gpus=gpus)

    exporter = Exporter("0")
    exporter.show(latest)
    try:
        yield exporter.url.split("/")[2]
    finally:
        exporter.close()


@NEEDED
@pytest.mark.timeout(240)
def test_the_dashboard_s_questions_have_answers(images, tmp_path):
    out, folder = str(tmp_path / "out"), many(images, str(tmp_path / "many"), 9000)
    command = arguments(folder, out, "--metrics-port", "0", "--sample-every", "0.5", busy_ms=20)
    with Started(*command) as run, four_gpus() as gpus:
        address = url_of(run).split("/")[2]
        (tmp_path / "prometheus").mkdir()
        with Prometheus(str(tmp_path / "prometheus"), [address, gpus]) as prometheus:
            for host, query in [(host, query) for host in (address, gpus) for query in dashboard_queries()]:
                if host == gpus and "_gpu_" not in query or host == address and "_gpu_" in query:
                    continue
                asked = query.replace("$instance", re.escape(host).replace("\\", "\\\\"))
                values = prometheus.answer(asked)
                assert not [value for value in values if not 0 <= value < 1e16], (asked, values)
            own = '{{instance="{}"}}'.format(address)
            assert prometheus.answer("divainfer_images" + own) == [9000]
            assert 0 < prometheus.answer("divainfer_images_done" + own)[0] < 9000
            # An engine of 20 ms a batch, by the histogram: within one of its buckets, which grow by 1.41.
            (p50,) = prometheus.answer(
                "histogram_quantile(0.5, sum by (le) (divainfer_compute_seconds_bucket{}))".format(own)
            )
            assert 0.020 / 1.42 < p50 < 0.020 * 1.42 * 1.42
            rate = 'rate(divainfer_worker_busy_seconds_total{{instance="{}",worker="0"}}[5s])'.format(gpus)
            wait_for(lambda: abs(prometheus.answer(rate)[0] - 0.9) < 0.1, "a rate of 0.9")
        run.signal(signal.SIGINT)
        run.wait()


@NEEDED
def test_promtool_finds_nothing_wrong(tmp_path):
    with four_gpus() as address:
        text = fetched("http://{}/metrics".format(address))
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert (checked.returncode, checked.stdout) == (0, b"")
    page = (ROOT / "docs" / "how-to" / "prometheus.md").read_text(encoding="utf-8")
    scrape, rules = re.findall(r"```yaml\n(.*?)```", page, re.S)
    for kind, content in (("config", scrape), ("rules", rules)):
        path = tmp_path / (kind + ".yml")
        path.write_text(content)
        checked = subprocess.run(
            ["promtool", "check", kind, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert checked.returncode == 0, checked.stdout

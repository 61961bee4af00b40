"""Headless Chromium, told what to do through a pipe (the DevTools protocol), so that nothing else has to be installed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from typing import Any, Dict, List, Optional

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_PATIENCE = 60.0
_OPTIONS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-crash-reporter",
    "--disable-breakpad", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
]  # fmt: skip


class Browser:
    """One page of a browser; ends at the end of the `with` block.

    Attributes:
        requests: the addresses that the page has asked for.
        complaints: what went wrong in its script.
    """

    def __init__(self, folder: str) -> None:
        assert PROGRAM is not None
        self.requests: List[str] = []
        self.complaints: List[str] = []
        self._number = 0
        self._rest = b""
        self._session: Optional[str] = None
        # It reads its third descriptor and writes the fourth.
        own = "--user-data-dir=" + folder
        (its_in, self._out), (self._in, its_out) = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            # By way of others: one of ours may be the third or fourth itself.
            ["bash", "-c", 'exec 100<&{} 101>&{}; exec "$@" 3<&100 4>&101'.format(its_in, its_out), "bash"]
            + [PROGRAM, *_OPTIONS, own],
            pass_fds=(its_in, its_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(its_in)
        os.close(its_out)

    def __enter__(self) -> "Browser":
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(domain + ".enable")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.command("Browser.close")
            self._process.wait(_PATIENCE)
        except (OSError, EOFError, AssertionError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, 9)
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def command(self, method: str, **parameters: Any) -> Dict[str, Any]:
        """What the browser answers to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode("ascii") + b"\0")
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer = self._hear(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, url: str, width: int, height: int, dark: bool = False) -> None:
        """Shows a page in a window of that size, in pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command("Page.navigate", url=url)
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """A value of the page's script."""
        found = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self) -> str:
        """What is to be read on the page."""
        return str(self.value("document.body.innerText"))

    def wait_for(self, expression: str, seconds: float = 30) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < deadline, "{} did not come; the page shows:\n{}".format(expression, self.text())
            time.sleep(0.1)

    def picture(self, path: str, whole: bool = True) -> None:
        """Writes what is to be seen as PNG: all of the page, or the window."""
        data = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def _note(self, event: Dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(parameters))

    def _hear(self, deadline: float) -> Dict[str, Any]:
        while b"\0" not in self._rest:
            ready = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

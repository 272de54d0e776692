"""Firefox, driven through Marionette, its own protocol, so that nothing needs to be installed.

A command is a JSON array behind its length, and so is the answer
(firefox-source-docs.mozilla.org/testing/marionette/Protocol.html).
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


def firefox_program():
    found = (shutil.which(name) for name in ("firefox", "firefox-esr"))
    return os.environ.get("FIREFOX") or next(filter(None, found), None)


class Firefox:
    """One window. Without scripts a page's own do not run; those of `run` do."""

    def __init__(self, scripts=True):
        self.folder = tempfile.TemporaryDirectory()
        with socket.create_server(("localhost", 0)) as server:
            port = server.getsockname()[1]
        preferences = {
            "marionette.port": port,
            "javascript.enabled": scripts,
            "media.autoplay.default": 0,
            "media.autoplay.blocking_policy": 0,
        }
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
        Path(self.folder.name, "user.js").write_text("\n".join(lines), encoding="utf-8")
        command = [firefox_program(), "--headless", "--marionette", "--no-remote"]
        self.process = subprocess.Popen(
            [*command, "--profile", self.folder.name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.stream = self._connect(port).makefile("rb")
        self._read()
        self.commands = 0
        self.ask("WebDriver:NewSession", {})
        self.ask("WebDriver:SetTimeouts", {"script": 60_000, "pageLoad": 60_000})

    def _connect(self, port):
        for _ in range(600):
            try:
                self.connection = socket.create_connection(("localhost", port), timeout=120)
                return self.connection
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise AssertionError("Firefox does not answer")

    def _read(self):
        length = b""
        while (byte := self.stream.read(1)) != b":":
            length += byte
        return json.loads(self.stream.read(int(length)))

    def ask(self, name, parameters):
        self.commands += 1
        text = json.dumps([0, self.commands, name, parameters]).encode()
        self.connection.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, result = self._read()
        if error:
            raise AssertionError(f"{name}: {error['message']}")
        return result

    def open(self, url):
        self.ask("WebDriver:Navigate", {"url": url})

    def run(self, expression, *arguments):
        """What a function's text gives, called with `arguments`; promises are waited for."""
        script = f"return ({expression})(...arguments)"
        result = self.ask("WebDriver:ExecuteScript", {"script": script, "args": arguments})
        return result["value"]

    def close(self):
        self.connection.close()
        self.process.terminate()
        self.process.wait(60)
        self.folder.cleanup()

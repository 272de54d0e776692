"""JupyterLab as `./lab` starts it, one for the tests of a class."""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from browser import CHECKOUT, BrowserTest

TOKEN = "browser-test"
# The library is compiled first where its sources are newer.
START_SECONDS = 1800


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class LabServerTest(BrowserTest):
    """Tests that call `start_lab` in `setUpClass`."""

    allowed_requests = r"^(file|data|blob):|^http://localhost:\d+/"

    @classmethod
    def start_lab(cls, own):
        """Starts the lab with settings and workspaces in the folder `own`, and waits for it."""
        cls.port = free_port()
        cls.log = cls.enterClassContext(tempfile.TemporaryFile("w+", encoding="utf-8"))
        cls.server = subprocess.Popen(
            [CHECKOUT / "lab", "--no-browser", f"--port={cls.port}",
             "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"],
            env={**os.environ, "JUPYTERLAB_SETTINGS_DIR": f"{own}/settings",
                 "JUPYTERLAB_WORKSPACES_DIR": f"{own}/workspaces"},
            stdin=subprocess.DEVNULL, stdout=cls.log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        cls.addClassCleanup(cls.stop)
        cls.wait_for_server()

    @classmethod
    def stop(cls):
        os.killpg(cls.server.pid, signal.SIGTERM)
        cls.server.wait(timeout=30)

    @classmethod
    def wait_for_server(cls):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and cls.server.poll() is None:
            try:
                urllib.request.urlopen(f"http://localhost:{cls.port}/api?token={TOKEN}").close()
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.3)
        cls.log.seek(0)
        raise AssertionError(f"the lab did not start:\n{cls.log.read()[-2000:]}")

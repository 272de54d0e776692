"""What `./lab` opens to others: needs a prepared lab (`./lab --prepare`)."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from locations import CHECKOUT

START_SECONDS = 90
RUNTIME = CHECKOUT / ".lab" / "jupyter" / "runtime"
#: The state of a socket that listens, in /proc/net/tcp.
LISTENING = "0A"


def listening_addresses(port):
    """The addresses, in the kernel's hexadecimal, at which something listens on this port."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            ip, _, of_port = address.rpartition(":")
            if state == LISTENING and int(of_port, 16) == port:
                found.add(ip)
    return found


class Security(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        cls.server = subprocess.Popen(
            [CHECKOUT / "lab", "--no-browser", f"--port={cls.port}", "--ServerApp.port_retries=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        cls.addClassCleanup(cls.stop)
        cls.record = cls.server_record()

    @classmethod
    def stop(cls):
        os.killpg(cls.server.pid, signal.SIGTERM)
        cls.server.wait(30)

    @classmethod
    def server_record(cls):
        """Where Jupyter notes a server's address and token."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and cls.server.poll() is None:
            for path in RUNTIME.glob("jpserver-*.json"):
                record = json.loads(path.read_text() or "{}")
                if record.get("port") == cls.port and cls.status("api") == 200:
                    return {**record, "file": path}
            time.sleep(0.3)
        raise AssertionError("the lab did not start")

    @classmethod
    def status(cls, path, token=None, host="localhost"):
        headers = {"Authorization": f"token {token}"} if token else {}
        request = urllib.request.Request(f"http://{host}:{cls.port}/{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return None

    def test_it_listens_on_loopback_only(self):
        loopback = {"0100007F", "0" * 24 + "01000000"}
        addresses = listening_addresses(self.port)
        self.assertTrue(addresses and addresses <= loopback, addresses)

    def test_nothing_is_answered_without_its_token(self):
        token = self.record["token"]
        self.assertRegex(token, r"^[0-9a-f]{40,}$")
        for path in ("api/contents", "api/kernels", "api/terminals", "api/sessions"):
            self.assertEqual(self.status(path, token), 200, path)
            self.assertEqual(self.status(path), 403, path)
            self.assertEqual(self.status(path, token[:-1] + "x"), 403, path)

    def test_the_file_with_the_token_is_its_owners_alone(self):
        mode = stat.S_IMODE(os.stat(self.record["file"]).st_mode)
        self.assertEqual(mode & 0o077, 0, f"{mode:o}")

    def test_the_lab_asks_no_website(self):
        settings = CHECKOUT / ".lab/jupyter/config/labconfig/default_setting_overrides.json"
        settings = json.loads(settings.read_text(encoding="utf-8"))
        news = settings["@jupyterlab/apputils-extension:notification"]
        self.assertEqual(news, {"checkForUpdates": False, "fetchNews": "false"})
        # Nor does anything of ours weaken the server's own defaults.
        ours = (CHECKOUT / "lab").read_text(encoding="utf-8")
        self.assertIsNone(re.search(r"token=|password|ServerApp\.ip|disable_check", ours))


if __name__ == "__main__":
    unittest.main()

"""JupyterLab ends when it is told to, and what it was writing is written."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from locations import CHECKOUT

# As Jupyter's server does: told to end, it stops its loop with a request half answered.
SERVER = """
import asyncio
import sys
import time
from pathlib import Path

import anyio.to_thread

loop = asyncio.new_event_loop()


def save(seconds):
    time.sleep(seconds)
    Path(sys.argv[1]).write_text("all of it")


async def answer(seconds):
    await anyio.to_thread.run_sync(save, seconds)
    loop.stop()
    await asyncio.Event().wait()


answers = [loop.create_task(answer(float(seconds))) for seconds in sys.argv[2:]]
loop.run_forever()
loop.close()
sys.exit(3)
"""


class Ends(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        package = self.folder / "jupyterlab"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(SERVER)

    def ended(self, *seconds):
        """The exit status and the saved file, of requests that save for so long."""
        saved = self.folder / "saved"
        program = CHECKOUT / "setup" / "open_jupyterlab.py"
        done = subprocess.run(
            [sys.executable, program, saved, *seconds],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            timeout=60,
            check=False,
        )
        return done.returncode, saved.read_text()

    def test_with_a_request_half_answered(self):
        self.assertEqual(self.ended("0"), (3, "all of it"))

    def test_with_another_that_still_saves(self):
        self.assertEqual(self.ended("0", "2"), (3, "all of it"))

    def test_and_waits_for_what_is_half_written(self):
        self.assertEqual(self.ended("2", "0.1"), (3, "all of it"))


if __name__ == "__main__":
    unittest.main()

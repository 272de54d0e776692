import contextlib
import io
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import own_kernel

WORKSPACE = (
    '[workspace]\nmembers = ["kernel"]\nresolver = "3"\n[profile.kernel]\ninherits = "dev"\n'
)
PACKAGE = f'[package]\nname = "{own_kernel.PROGRAM}"\nversion = "1.0.0"\nedition = "2024"\n'


class TwoCheckouts(unittest.TestCase):
    """They share the crates that the kernel is made of, and nothing that is their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def checkout(self, name, written_at):
        """A kernel that says its checkout's name; its files are of the time `written_at`."""
        root = self.folder / name
        files = {
            "Cargo.toml": WORKSPACE,
            "kernel/Cargo.toml": PACKAGE,
            "kernel/src/main.rs": f'fn main() {{ println!("{name}"); }}\n',
            "src/display/protocol/terms.rs": "",
        }
        for file, content in files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            os.utime(path, (written_at, written_at))
        lock = ["cargo", "generate-lockfile", "--offline", "--manifest-path", root / "Cargo.toml"]
        subprocess.run(lock, check=True, capture_output=True)
        return root

    def what_it_says(self, root):
        """Compiles the checkout's kernel as `./lab` does, and runs it."""
        places = {
            "CHECKOUT": root,
            "LOGS": root / "logs",
            "kernel_home": lambda: root / "home",
            "build_folder": lambda: self.folder / "shared",
        }
        with mock.patch.multiple(own_kernel, **places):
            with contextlib.redirect_stdout(io.StringIO()), own_kernel.program_compiled():
                pass
            return subprocess.check_output([own_kernel.binary()], text=True).strip()

    def test_each_gets_the_kernel_of_its_own_sources(self):
        first, second = (
            self.checkout("first", 1_700_000_000),
            self.checkout("second", 1_600_000_000),
        )
        self.assertEqual(self.what_it_says(first), "first")
        # Its files are older than what the other one compiled.
        self.assertEqual(self.what_it_says(second), "second")
        (first / "kernel/src/main.rs").write_text('fn main() { println!("edited"); }\n')
        os.utime(first / "kernel/src/main.rs", (1_700_000_000, 1_700_000_000))
        self.assertEqual(self.what_it_says(first), "edited")


if __name__ == "__main__":
    unittest.main()

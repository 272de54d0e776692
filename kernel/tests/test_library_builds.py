"""The library that notebooks get is the one of their own checkout."""

import os
import subprocess
from pathlib import Path

import pytest

from notebook import program

PACKAGE = '[package]\nname = "neural-composer"\nversion = "0.1.0"\nedition = "2024"\n'
LIBRARY = '#[unsafe(no_mangle)]\npub extern "C" fn of_checkout_{name}() {{}}\n'


@pytest.fixture
def checkout(tmp_path):
    """Makes a checkout with a small library, whose files are of the time `written_at`."""

    def make(name, written_at):
        root = tmp_path / name
        (root / "src").mkdir(parents=True)
        for file, text in [("Cargo.toml", PACKAGE), ("src/lib.rs", LIBRARY.format(name=name))]:
            (root / file).write_text(text)
            os.utime(root / file, (written_at, written_at))
        lock = ["cargo", "generate-lockfile", "--offline"]
        subprocess.run(lock, cwd=root, check=True, capture_output=True)
        return root

    return make


def built(root, shared):
    """The shared object that the kernel's program builds of a checkout."""
    done = subprocess.run(
        [program(), "prepare", "--home", root],
        env={**os.environ, "CARGO_TARGET_DIR": str(shared)},
        check=True,
        capture_output=True,
        text=True,
    )
    return next(Path(done.stdout.strip()).glob("libneural_composer.*"))


def test_two_checkouts_with_one_target_folder(checkout, tmp_path):
    first, second = checkout("first", 1_700_000_000), checkout("second", 1_600_000_000)
    shared = tmp_path / "target"
    assert b"of_checkout_first" in built(first, shared).read_bytes()
    # Its files are older than what the other one compiled.
    assert b"of_checkout_second" in built(second, shared).read_bytes()

"""What kernels leave in the folder for temporary files, and who clears it away."""

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from notebook import PREFIX, Notebook, folder_of


@pytest.fixture(params=["plain", "blanks, é"])
def temporary(request, monkeypatch):
    # Pytest's own are too long for sockets.
    with tempfile.TemporaryDirectory(prefix=request.param, dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def kill(notebook):
    os.kill(notebook.process_id, signal.SIGKILL)
    notebook.client.stop_channels()
    notebook.manager.cleanup_resources()


def until_gone(folder):
    deadline = time.monotonic() + 40
    while folder.exists():
        assert time.monotonic() < deadline, f"{folder} is still there: {list(folder.iterdir())}"
        time.sleep(0.05)


def test_the_next_start_clears_away_what_killed_kernels_left(plain_specs, temporary):
    strangers = {temporary / f"{PREFIX}stranger", temporary / f"{PREFIX}file"}
    for stranger in strangers:
        stranger.touch() if stranger.name.endswith("file") else stranger.mkdir()
    with Notebook(plain_specs) as living:
        assert living.run("let kept = 41; kept").result == "41"
        lived_in = folder_of(living)
        killed = [Notebook(plain_specs), Notebook(plain_specs)]
        left = [folder_of(notebook) for notebook in killed]
        started = killed[0].start("loop { std::thread::yield_now() }")
        time.sleep(1)
        for notebook in killed:
            kill(notebook)
        assert started and all(folder.exists() for folder in left)
        with Notebook(plain_specs) as next_one:
            for folder in left:
                until_gone(folder)
            assert next_one.run("1 + 1").result == "2"
        assert living.run("struct Two(i32); Two(kept + 1).0").result == "42"
        assert lived_in.exists() and all(stranger.exists() for stranger in strangers)
    until_gone(lived_in)


def test_a_folder_without_its_owners_lock_is_left_alone(plain_specs, temporary):
    """As those of kernels of earlier versions, which may be alive."""
    folder = temporary / f"{PREFIX}earlier"
    folder.mkdir()
    (folder / "cells").mkdir()
    with Notebook(plain_specs) as notebook:
        assert notebook.run("1 + 1").result == "2"
        lived_in = folder_of(notebook)
    assert (folder / "cells").exists() and not lived_in.exists()


def test_a_path_that_is_too_long_for_sockets(plain_specs, tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with Notebook(plain_specs) as notebook:
        assert notebook.run("1 + 1").result == "2"

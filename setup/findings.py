"""What the doctor finds, and how it asks programs: briefly, and without changing anything."""

import collections
import os
import subprocess
from pathlib import Path

from locations import CHECKOUT

OK, NOTE, PROBLEM = "ok", "note", "problem"
SYSTEM_PACKAGES = CHECKOUT / "setup" / "system_packages.sh"
# A program that hangs, such as one whose driver is broken, must not hang the doctor.
PATIENCE_SECONDS = 20

# `fact` is what was found; `advice` is what to do about it, empty where nothing is to be done.
Finding = collections.namedtuple("Finding", "mark name fact advice", defaults=[""])


def ask(*command, environment=None):
    """What the command prints; None when it is missing, fails or does not answer."""
    try:
        answer = subprocess.run(
            list(map(str, command)),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def ask_shell(script, *sources):
    """As `ask`, for a line of shell that calls functions of system_packages.sh and `sources`."""
    files = [SYSTEM_PACKAGES, *sources]
    load = 'for file; do source "$file"; done; '
    return ask("bash", "-c", load + script, "bash", *files)


def shell_says_yes(script, *sources):
    return ask_shell(script, *sources) is not None


def first_line(text):
    return next((line.strip() for line in (text or "").splitlines() if line.strip()), "")


def size_of(folder):
    """The bytes that a folder takes on the disk; a file with several names counts once."""
    total, seen = 0, set()
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                facts = os.lstat(os.path.join(place, name))
            except OSError:
                continue
            if facts.st_nlink > 1:
                if (facts.st_dev, facts.st_ino) in seen:
                    continue
                seen.add((facts.st_dev, facts.st_ino))
            total += facts.st_blocks * 512
    return total


def in_words(size):
    """A number of bytes as people say it: `3.2 GB`, `40 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def nearest_there(path):
    """The path itself, or the nearest one above it that exists."""
    path = Path(path)
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path

"""The Rust compiler in use, and the sources of its standard library."""

import shutil
import subprocess
from pathlib import Path

from progress import StepFailed, say


def rust_version():
    """What `rustc -vV` prints: version, commit and host of the compiler in use."""
    return _ask("-vV")


def standard_library_sources():
    """Where rustup's component rust-src puts them; they need not be there."""
    return Path(_ask("--print", "sysroot").strip(), "lib", "rustlib", "src", "rust", "library")


def ensure_standard_library_sources():
    """rust-analyzer, inside the kernel, needs them to tell the types of a cell's variables."""
    if not shutil.which("rustup") or standard_library_sources().is_dir():
        return
    say("Sources of Rust's standard library: rustup component add rust-src")
    added = subprocess.run(["rustup", "component", "add", "rust-src"], check=False)
    if added.returncode != 0:
        say(
            "  rustup could not: cells work, but `let` needs its type written out "
            "(`let song: Song = …`) until `rustup component add rust-src` succeeds."
        )


def _ask(*question):
    try:
        answer = subprocess.run(["rustc", *question], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepFailed(f"rustc {' '.join(question)}: {error}") from error
    return answer.stdout

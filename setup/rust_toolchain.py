"""The Rust compiler in use, and the parts of it that notebooks want."""

import shutil
import subprocess
from pathlib import Path

from progress import StepFailed, say


def rust_version():
    """What `rustc -vV` prints: version, commit and host of the compiler in use."""
    return _ask("-vV")


def standard_library_sources():
    """Where rustup's component rust-src puts them; they need not be there."""
    return _sysroot() / "lib" / "rustlib" / "src" / "rust" / "library"


def analyser():
    """The toolchain's own rust-analyzer; it need not be there."""
    return _sysroot() / "bin" / "rust-analyzer"


def missing_components():
    """Completion and descriptions come from rust-analyzer, which reads the standard library's
    sources; the stock kernel learns from them what types variables have."""
    there = {"rust-src": standard_library_sources().is_dir(), "rust-analyzer": analyser().exists()}
    return [name for name, is_there in there.items() if not is_there]


def ensure_components():
    missing = missing_components()
    if not missing or not shutil.which("rustup"):
        return
    command = ["rustup", "component", "add", *missing]
    say(f"Parts of Rust that completion wants: {' '.join(command)}")
    if subprocess.run(command, check=False).returncode != 0:
        say(
            f"  rustup could not: cells work, but Tab knows names only until `{' '.join(command)}` "
            "succeeds."
        )


def _sysroot():
    return Path(_ask("--print", "sysroot").strip())


def _ask(*question):
    try:
        answer = subprocess.run(["rustc", *question], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepFailed(f"rustc {' '.join(question)}: {error}") from error
    return answer.stdout

"""The lab's own Rust kernel: the program from kernel/, and the library it runs notebooks with."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import forecast
from file_lock import locked
from locations import CHECKOUT, LOGS, PYTHON_HOME, kernel_home, user_cache
from progress import StepFailed, compilation, say
from rust_toolchain import rust_version

NAME = "neural-composer"
PROGRAM = "neural-composer-kernel"
PROFILE = "kernel"


def binary():
    """The installed program: a copy that a later compilation does not touch."""
    return kernel_home() / "bin" / PROGRAM


def build_folder():
    """Cargo's target folder for the kernel: its 180 crates are compiled once for all checkouts."""
    facts = dict(line.split(": ", 1) for line in rust_version().splitlines() if ": " in line)
    return user_cache() / f"kernel-rust-{facts['release']}-{facts['host']}"


def register_own_kernel(features):
    command = [binary(), "install", "--prefix", PYTHON_HOME, "--home", CHECKOUT]
    command += ["--features", ",".join(features)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def sources_digest():
    """Names what the program is compiled from, and by which Rust."""
    digest = hashlib.sha256(rust_version().encode())
    files = [CHECKOUT / "Cargo.toml", CHECKOUT / "Cargo.lock", CHECKOUT / "kernel" / "Cargo.toml"]
    files += sorted((CHECKOUT / "kernel" / "src").rglob("*.rs"))
    files += sorted((CHECKOUT / "kernel" / "logo").glob("logo-*"))
    # Of the library, the one file that the kernel compiles, too.
    files.append(CHECKOUT / "src" / "display" / "protocol" / "terms.rs")
    for file in files:
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def program_compiled():
    """Compiles the kernel, unless that is done, while the `with` block does other things; the end
    of the block is that of both."""
    stamp, wanted = binary().with_suffix(".sources"), sources_digest()
    if binary().exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        yield
        return
    folder = build_folder()
    if folder.exists():
        say("Rust kernel (kernel/): only what changed is compiled again.")
    else:
        say("Rust kernel (kernel/), about two minutes, once for all checkouts.")
    with locked(folder.with_name(folder.name + ".lock"), "Another ./lab compiles it: waiting."):
        forget_other_checkouts(folder)
        command = ["cargo", "build", "--locked", *of_the_program(folder)]
        step = compilation("compiling the kernel", command, LOGS / "kernel.log", forecast.KERNEL)
        with step:
            yield
            step.finish()
        binary().parent.mkdir(parents=True, exist_ok=True)
        # A running kernel keeps the file it was started from.
        copy = binary().with_suffix(".new")
        shutil.copy2(folder / PROFILE / PROGRAM, copy)
    copy.replace(binary())
    stamp.write_text(wanted, encoding="utf-8")


def of_the_program(folder):
    """Cargo's options for compiling the kernel in this target folder."""
    manifest = CHECKOUT / "Cargo.toml"
    return [
        "--profile", PROFILE, "--package", PROGRAM, "--manifest-path", manifest,
        "--target-dir", folder,
    ]  # fmt: skip


def forget_other_checkouts(folder):
    """Removes the kernel's own crate from its target folder; those that it is made of stay.

    Cargo goes by the time stamps of sources and does not ask whose they are: what another checkout
    compiled later than these were written would pass for these."""
    if not folder.exists():
        return
    command = ["cargo", "clean", "--locked", *of_the_program(folder)]
    subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


def ensure_library(features):
    """Compiles the library for notebooks, unless that is done: the kernel's program does it.
    Returns the folder of the build."""
    command = [binary(), "prepare", "--home", CHECKOUT]
    environment = {**os.environ, "NEURAL_COMPOSER_FEATURES": ",".join(features)}

    def build_that_is_there():
        check = [*command, "--check"]
        found = subprocess.run(
            check, env=environment, check=False, text=True, stdout=subprocess.PIPE
        )
        return Path(found.stdout.strip()) if found.returncode == 0 else None

    if build := build_that_is_there():
        return build
    say(
        f"Library for notebooks ({', '.join(features) or 'no extra features'}): about 5 minutes on "
        "two cores the first time; later only what changed is compiled again."
    )
    log = LOGS / "notebook-library.log"
    with compilation("compiling", command, log, forecast.LIBRARY, environment) as step:
        step.finish()
    if build := build_that_is_there():
        return build
    raise StepFailed("the library's sources changed while they were compiled: start again")

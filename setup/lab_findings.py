"""What of the lab is here already, and whether it is of these sources."""

import json
import os
import re
import shutil
from pathlib import Path

import evcxr_kernel
import own_kernel
from features import saved_features
from findings import NOTE, OK, Finding, ask, first_line, in_words, size_of
from kernelspecs import STOCK
from locations import CHECKOUT, PYTHON, PYTHON_HOME, user_cache
from progress import StepFailed
from python_environment import ENVIRONMENT_FILE, read_environment

KERNELS = PYTHON_HOME / "share" / "jupyter" / "kernels"
# Prints each package that is missing or of another version, with the version found.
QUESTION = """
import sys, importlib.metadata as m
for package in sys.argv[1:]:
    name, wanted = package.split("==")
    try:
        found = m.version(name)
    except m.PackageNotFoundError:
        found = "missing"
    if found != wanted:
        print(name, wanted, found)
print("all asked")
"""
MAKES = "nothing: ./lab makes it"
BRINGS = "nothing: the next ./lab brings it up to date"


def source():
    text = (CHECKOUT / "Cargo.toml").read_text(encoding="utf-8")
    fact = "version " + re.search(r'^version = "([^"]+)"', text, re.MULTILINE)[1]
    # Looking must not write either: by itself git refreshes its index.
    git = ["git", "--no-optional-locks", "-C", CHECKOUT]
    # A folder within somebody else's repository has no commit of its own.
    top = first_line(ask(*git, "rev-parse", "--show-toplevel"))
    if top and Path(top).resolve() == CHECKOUT:
        fact += f", commit {first_line(ask(*git, 'rev-parse', '--short=9', 'HEAD'))}"
        changed = (ask(*git, "status", "--porcelain") or "").splitlines()
        if changed:
            fact += f", {len(changed)} file{'s' if len(changed) != 1 else ''} changed or new"
    else:
        fact += ", not a git checkout"
    yield Finding(OK, "NeuralComposer", fact)


def jupyterlab():
    _, packages = read_environment(ENVIRONMENT_FILE.read_text(encoding="utf-8"))
    if not PYTHON.exists():
        yield Finding(NOTE, "JupyterLab", "not installed in .lab yet", MAKES)
        return
    answer = ask(PYTHON, "-B", "-I", "-c", QUESTION, *packages)
    if answer is None or not answer.endswith("all asked\n"):
        fact = "the Python in .lab/python does not run"
        yield Finding(NOTE, "JupyterLab", fact, "delete .lab/python; ./lab makes it again")
        return
    wrong = [line.split() for line in answer.splitlines()[:-1]]
    if wrong:
        told = ", ".join(f"{name} {wanted} ({found})" for name, wanted, found in wrong)
        fact = f"expected (found): {told}"
        yield Finding(NOTE, "JupyterLab", fact, BRINGS)
    else:
        kept = dict(package.split("==") for package in packages)
        fact = f"{kept.get('jupyterlab')}, and the {len(packages) - 1} packages beside it"
        yield Finding(OK, "JupyterLab", f"{fact} that environment.yml names")


def kernel_program():
    program = own_kernel.binary()
    if not program.exists():
        yield Finding(NOTE, "kernel", "not compiled yet", MAKES)
        return
    version = first_line(ask(program, "--version"))
    if not version:
        yield Finding(NOTE, "kernel", "its program does not run", f"delete {program}, run ./lab")
        return
    try:
        stamp = program.with_suffix(".sources").read_text(encoding="utf-8")
        is_of_these = stamp == own_kernel.sources_digest()
    except (OSError, StepFailed):
        is_of_these = False
    if is_of_these:
        yield Finding(OK, "kernel", f"{version}, compiled from these sources")
    else:
        fact = f"{version}, compiled from other sources or by another Rust"
        yield Finding(NOTE, "kernel", fact, BRINGS)


def library():
    saved = saved_features()
    if saved is None or not own_kernel.binary().exists():
        yield Finding(NOTE, "library for notebooks", "not compiled yet", MAKES)
        return
    features = ",".join(saved)
    said = f"features: {features or 'none'}"
    question = [own_kernel.binary(), "prepare", "--home", CHECKOUT, "--check"]
    if ask(*question, environment={"NEURAL_COMPOSER_FEATURES": features}) is not None:
        yield Finding(OK, "library for notebooks", f"compiled from these sources ({said})")
    else:
        fact = f"not compiled from these sources ({said})"
        yield Finding(NOTE, "library for notebooks", fact, BRINGS)


def registered():
    yield _registered("kernel's registration", KERNELS / own_kernel.NAME, NOTE, MAKES)
    users = _users_jupyter() / "kernels" / own_kernel.NAME
    if users.exists():
        again = "neural-composer-kernel install --user (kernel/README.md), or uninstall"
        yield _registered("in your own Jupyter", users, NOTE, again)


def _users_jupyter():
    """The folder where Jupyter, outside of the lab, looks for what is the user's."""
    if folder := os.environ.get("JUPYTER_DATA_DIR"):
        return Path(folder)
    if user_cache().parent == Path.home() / "Library" / "Caches":
        return Path.home() / "Library" / "Jupyter"
    shared = os.environ.get("XDG_DATA_HOME", "")
    return Path(shared if os.path.isabs(shared) else Path.home() / ".local" / "share") / "jupyter"


def _registered(name, folder, mark, advice):
    try:
        spec = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
        program, home = spec["argv"][0], spec.get("env", {}).get("NEURAL_COMPOSER_HOME")
    except FileNotFoundError:
        return Finding(mark, name, "not there yet", advice)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Finding(mark, name, "kernel.json there cannot be understood", advice)
    if not shutil.which(program):
        return Finding(mark, name, f"its program is gone: {program}", advice)
    if home and Path(home) != CHECKOUT:
        return Finding(mark, name, f"its library is another checkout's: {home}", advice)
    return Finding(OK, name, "with this checkout's library" if home else "without a library")


def stock_kernel():
    version = f"evcxr_jupyter {evcxr_kernel.VERSION}"
    try:
        is_compiled = evcxr_kernel.binary().exists()
    except StepFailed:
        return  # It is one per version of Rust, and what is the matter with Rust has been told.
    if not is_compiled:
        fact = f"{version} is not compiled; only ./lab --stock uses it"
        yield Finding(OK, "stock kernel", fact)
    elif not (KERNELS / STOCK / "kernel.json").exists():
        fact = f"{version}, not registered in this checkout"
        yield Finding(OK, "stock kernel", fact)
    else:
        yield Finding(OK, "stock kernel", version)


def caches():
    """Where the room has gone, and what of it no longer serves."""
    used = {
        ".lab": size_of(CHECKOUT / ".lab"),
        "target": size_of(CHECKOUT / "target"),
        "the cache neural-composer": size_of(user_cache()),
    }
    fact = ", ".join(f"{name} {in_words(size)}" for name, size in used.items())
    yield Finding(OK, "room taken", fact)
    try:
        current = [own_kernel.build_folder(), evcxr_kernel.installation()]
    except StepFailed:
        return
    names = {folder.name for folder in current}
    old = [
        folder
        for folder in sorted(user_cache().glob("*-rust-*"))
        if folder.is_dir() and re.sub(r"\.build$", "", folder.name) not in names
    ]
    if old:
        size = in_words(sum(map(size_of, old)))
        fact = f"{size} in the cache are of other versions: {', '.join(p.name for p in old)}"
        yield Finding(NOTE, "old caches", fact, "delete them if no other checkout uses them")

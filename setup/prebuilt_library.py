"""The library for the stock kernel: what `own_kernel.ensure_library` compiled, as evcxr can use it.

evcxr compiles every cell as a crate `ctx` in a folder of its own, and with it, into the same
folder, all that the cell depends on. Two kernels cannot share such a folder, and compiling the
library takes minutes. So cells depend on a crate of three lines that hands out the shared object
which our own kernel's cells link to. A *template* holds these, compiled; each kernel gets a
*session*: a copy of the template whose large files are hard links.

Both are one cargo workspace:

    Cargo.toml   the profile: notebooks compute at release speed
    Cargo.lock   the checkout's own
    crates/      the library's shared object, and the crates it is made of, for their types
    shared/      the crate that cells know as `neural_composer`: all of what is in crates/
    library/     the library's sources, for rust-analyzer alone
    ctx/         evcxr's folder (EVCXR_TMPDIR)
    config/      evcxr's configuration (EVCXR_CONFIG_DIR): the dependency on shared/
    rust-src/    the standard library's sources, for rust-analyzer
"""

import hashlib
import json
import os
import re
import secrets
import shutil

from evcxr_kernel import VERSION, binary
from file_lock import locked, shared, try_lock
from locations import CHECKOUT, LOGS, PYTHON, kernel_home
from own_kernel import ensure_library
from progress import run_step, say
from rust_toolchain import rust_version, standard_library_sources

# What rust-analyzer reads of the library, besides its Cargo.toml.
SOURCES = ["src", "assets"]
TEMPLATES_KEPT = 4
# Cargo and evcxr rewrite small files in place; compiled artifacts are only ever replaced.
LINK_FROM_BYTES = 64 * 1024

WORKSPACE_MANIFEST = """\
[workspace]
members = ["ctx", "shared", "library"]
resolver = "3"

# evcxr asks for a dev build: this makes it a fast one.
[profile.dev]
opt-level = 3
debug-assertions = false
overflow-checks = false
debug = false
strip = "debuginfo"
incremental = false
codegen-units = 16
rpath = true
"""

# rustc takes the library from crates/, as compiled; rust-analyzer, which tells evcxr the types of
# variables, from its sources. `cargo metadata`, which it asks, heeds RUSTFLAGS, and evcxr sets its
# own RUSTFLAGS when it compiles. What lies below the library rust-analyzer does not see: it would
# spend most of a kernel's start there, and the library's public types are its own.
ANALYZER_RUSTFLAGS = "--cfg types_only"
SHARED_MANIFEST = """\
[package]
name = "shared-library"
version = "1.0.0"
edition = "2024"

# As the compiler's messages say it.
[lib]
name = "neural_composer"

[target.'cfg(types_only)'.dependencies]
neural-composer = {{ path = "../library", default-features = false, features = {features} }}
"""
DEPENDENCIES_HEADER = "[target.'cfg(not(types_only))'.dependencies"
# Cargo starts rustc in the workspace's folder, whichever copy of the template that is.
SHARED_BUILD_SCRIPT = """\
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-search=all=crates");
}
"""
SHARED_CRATE = """\
extern crate neural_composer;
pub use neural_composer::*;
"""
# For the same reason it sees no more of the standard library's sources than cells can name.
STANDARD_CRATES = ["core", "alloc", "std"]

CTX_MANIFEST = """\
[package]
name = "ctx"
version = "1.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]
"""

TEMPLATES = kernel_home() / "templates"
SESSIONS = kernel_home() / "sessions"


def library_manifest(manifest):
    """The library's Cargo.toml without what belongs to the workspace, tests and programs."""
    left_out = re.compile(r"(workspace|profile|dev-dependencies|bin|test|bench|example)\b")
    kept, keeping = [], True
    for line in manifest.splitlines():
        if header := re.match(r"\[+([^\]]+)\]", line):
            keeping = not left_out.match(header[1])
        if keeping:
            kept.append(re.sub(r"^\[dependencies", DEPENDENCIES_HEADER, line))
    return "\n".join(kept) + "\n"


def template_files(features):
    """Relative path to content of every file that a template starts from, but for crates/."""
    manifest = (CHECKOUT / "Cargo.toml").read_text(encoding="utf-8")
    files = {
        "Cargo.toml": WORKSPACE_MANIFEST.encode(),
        "Cargo.lock": (CHECKOUT / "Cargo.lock").read_bytes(),
        # JSON's strings and lists are TOML's too.
        "shared/Cargo.toml": SHARED_MANIFEST.format(features=json.dumps(features)).encode(),
        "shared/build.rs": SHARED_BUILD_SCRIPT.encode(),
        "shared/src/lib.rs": SHARED_CRATE.encode(),
        "library/Cargo.toml": library_manifest(manifest).encode(),
        "ctx/Cargo.toml": CTX_MANIFEST.encode(),
        "ctx/src/lib.rs": b"",
    }
    for source in SOURCES:
        for file in sorted((CHECKOUT / source).rglob("*")):
            if file.is_file():
                files[f"library/{file.relative_to(CHECKOUT)}"] = file.read_bytes()
    return files


def template_key(files, build):
    """Names the template made of `files` and the library's build in the folder `build`: another
    key means that it has to be made anew."""
    digest = hashlib.sha256()
    # evcxr changes the compiler flags when it finds lld, unless there is mold.
    linker = "lld" if shutil.which("lld") and not shutil.which("mold") else "default"
    # The build's folder is named by all that the library is compiled from.
    for part in [VERSION, rust_version(), linker, str(build)]:
        digest.update(f"{part}\0".encode())
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def ensure_template(features):
    """Makes the template for the library as it is now, unless there is one; returns its folder."""
    build = ensure_library(features)
    files = template_files(features)
    template = TEMPLATES / template_key(files, build)
    if template.exists():
        os.utime(template)  # the ones used last are kept
        return template
    with locked(
        kernel_home() / "templates.lock", "Another process prepares the stock kernel: waiting."
    ):
        if not template.exists():
            _remove_old_templates()
            with shared(build / "in-use"):
                _make(template, files, build)
    return template


def _make(template, files, build):
    say("Library for the stock kernel: some seconds.")
    partial = template.with_name(template.name + ".partial")
    for name, content in files.items():
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    copy_linked(build / "dependencies", partial / "crates")
    for shared_object in build.glob("libneural_composer.*"):
        link_or_copy(shared_object, partial / "crates" / shared_object.name)
    write_config(partial)
    warm_up = CHECKOUT / "setup" / "warm_up_kernel.py"
    run_step(
        "compiling",
        [PYTHON, warm_up, binary()],
        LOGS / "library.log",
        environment=kernel_environment(partial),
    )
    for cell in partial.glob("ctx/target/*/debug/deps/libcode_*"):
        cell.unlink()
    partial.rename(template)


def write_config(folder):
    """What the kernel that works in `folder` is told: evcxr's configuration, and the sources of
    the standard library for rust-analyzer."""
    sources = folder / "rust-src"
    shutil.rmtree(sources, ignore_errors=True)
    if (all_sources := standard_library_sources()).is_dir():
        sources.mkdir()
        for crate in STANDARD_CRATES:
            (sources / crate).symlink_to(all_sources / crate)
    config = folder / "config"
    config.mkdir(exist_ok=True)
    path = json.dumps(str(folder / "shared"))
    (config / "evcxr.toml").write_text(
        '[evcxr]\nopt_level = "3"\n\n[dependencies]\n'
        f'neural-composer = {{ package = "shared-library", path = {path} }}\n',
        encoding="utf-8",
    )


def kernel_environment(folder):
    """The environment in which a kernel works in `folder`."""
    environment = {
        name: value
        for name, value in os.environ.items()
        # These would change what cargo builds, and so build it again.
        if name not in ("CARGO_ENCODED_RUSTFLAGS", "CARGO_INCREMENTAL")
        and not name.startswith("CARGO_PROFILE_")
    }
    environment["RUSTFLAGS"] = ANALYZER_RUSTFLAGS
    if (folder / "rust-src").is_dir():
        environment["RUST_SRC_PATH"] = str(folder / "rust-src")
    # evcxr moves a compiled cell to another folder than the one from which rustc had it look.
    places = [str(folder / "crates"), os.environ.get("LD_LIBRARY_PATH", "")]
    environment["LD_LIBRARY_PATH"] = ":".join(filter(None, places))
    environment["EVCXR_TMPDIR"] = str(folder / "ctx")
    environment["EVCXR_CONFIG_DIR"] = str(folder / "config")
    # evcxr_jupyter updates the user's own Rust kernel when it finds one: here it finds none.
    environment["JUPYTER_PATH"] = str(folder / "config")
    environment["NEURAL_COMPOSER_HOME"] = str(CHECKOUT)
    # As our own kernel does it: src/main.rs says why.
    environment.setdefault("CANDLE_NUM_THREADS", "1")
    return environment


def link_or_copy(source, target):
    """Makes `target` a second name of `source`, or a copy of it on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def copy_linked(source, target):
    """Copies a folder; large files become hard links, small ones and the cell's crate copies."""
    target.mkdir(parents=True)
    for entry in os.scandir(source):
        copy = target / entry.name
        if entry.is_symlink():
            continue  # made anew by write_config
        if entry.is_dir(follow_symlinks=False):
            copy_linked(entry.path, copy)
        elif entry.stat().st_size >= LINK_FROM_BYTES and "ctx" not in entry.name:
            link_or_copy(entry.path, copy)
        else:
            shutil.copy2(entry.path, copy)


def new_session(template):
    """A private copy of the template: its folder, and the lock that says it is in use."""
    with locked(SESSIONS / "sessions.lock", "Another kernel starts: waiting."):
        remove_dead_sessions()
        folder = SESSIONS / secrets.token_hex(4)
        alive = try_lock(folder.with_suffix(".alive"))
    copy_linked(template, folder)
    write_config(folder)
    return folder, alive


def remove_dead_sessions():
    """Removes the sessions that no process uses any more."""
    for mark in SESSIONS.glob("*.alive"):
        remove_session_if_dead(mark.stem)


def remove_session_if_dead(name):
    """Whether no process used the session; then it is gone now."""
    mark = SESSIONS / f"{name}.alive"
    lock = try_lock(mark)
    if lock:
        shutil.rmtree(SESSIONS / name, ignore_errors=True)
        mark.unlink(missing_ok=True)
        lock.close()
    return bool(lock)


def _remove_old_templates():
    """Makes room for a new one; what is half made is of no use."""
    for partial in TEMPLATES.glob("*.partial"):
        shutil.rmtree(partial, ignore_errors=True)
    finished = sorted(TEMPLATES.glob("*"), key=lambda path: path.stat().st_mtime)
    for path in finished[: 1 - TEMPLATES_KEPT]:
        shutil.rmtree(path, ignore_errors=True)

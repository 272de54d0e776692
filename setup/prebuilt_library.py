"""The library, compiled once for notebooks, and a private copy of it for each running kernel.

evcxr compiles every cell as a crate `ctx` in a folder of its own, and with it, into the same
folder, all that the cell depends on. Two kernels cannot share such a folder, and compiling the
library takes minutes. So a *template* is compiled once, and each kernel gets a *session*: a copy
of the template that shares its large files through hard links.

Both are one cargo workspace:

    Cargo.toml   the profile: notebooks compute at release speed
    Cargo.lock   the checkout's own, so that notebooks use the very versions that were tested
    library/     the crate's sources as they were when the template was made: editing the
                 checkout never changes the types under a running kernel
    ctx/         evcxr's folder (EVCXR_TMPDIR)
    config/      evcxr's configuration (EVCXR_CONFIG_DIR): the dependency on library/
    rust-src/    the standard library's sources, for rust-analyzer
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import tomllib

from evcxr_kernel import VERSION, binary
from file_lock import locked, try_lock
from locations import CHECKOUT, LOGS, PYTHON, kernel_home
from progress import run_step, say
from rust_toolchain import rust_version, standard_library_sources

# What the library is compiled from, besides its Cargo.toml.
SOURCES = ["build.rs", "src", "assets"]
TEMPLATES_KEPT = 4
# Cargo and evcxr rewrite small files in place; compiled artifacts are only ever replaced.
LINK_FROM_BYTES = 64 * 1024

WORKSPACE_MANIFEST = """\
[workspace]
members = ["ctx", "library"]
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

# As one shared library, so that all cells share the library's statics (the interrupt flag, the
# player) and a cell links in a moment. Each cell would hold its own copy otherwise.
LIBRARY_CRATE_TYPE = 'crate-type = ["dylib"]'

# rust-analyzer, which tells evcxr the types of variables, would spend most of a kernel's start on
# the two hundred crates below the library. Its view of the workspace ends at the library, whose
# public types are its own: `cargo metadata`, which it asks, heeds RUSTFLAGS, and evcxr sets its
# own RUSTFLAGS when it compiles.
DEPENDENCIES_HEADER = "[target.'cfg(not(types_only))'.dependencies"
ANALYZER_RUSTFLAGS = "--cfg types_only"
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

FEATURES_FILE = kernel_home() / "features.json"
TEMPLATES = kernel_home() / "templates"
SESSIONS = kernel_home() / "sessions"


def workspace_manifest(manifest):
    """The template's Cargo.toml; which crates are not worth optimising, the checkout's says."""
    packages = tomllib.loads(manifest)["profile"]["release"].get("package", {})
    lines = [f"{name}.opt-level = {kept['opt-level']}" for name, kept in packages.items()]
    return WORKSPACE_MANIFEST + "\n".join(["", "[profile.dev.package]", *lines, ""])


def library_manifest(manifest):
    """The crate's Cargo.toml without what belongs to the workspace, tests and programs."""
    left_out = re.compile(r"(workspace|profile|dev-dependencies|bin|test|bench|example)\b")
    kept, keeping, has_lib = [], True, False
    for line in manifest.splitlines():
        if header := re.match(r"\[+([^\]]+)\]", line):
            keeping = not left_out.match(header[1])
        if keeping:
            kept.append(re.sub(r"^\[dependencies", DEPENDENCIES_HEADER, line))
            if line.strip() == "[lib]":
                has_lib = True
                kept.append(LIBRARY_CRATE_TYPE)
    if not has_lib:
        kept += ["", "[lib]", LIBRARY_CRATE_TYPE]
    return "\n".join(kept) + "\n"


def library_files():
    """Relative path to content of everything the library is compiled from."""
    manifest = (CHECKOUT / "Cargo.toml").read_text(encoding="utf-8")
    files = {
        "library/Cargo.toml": library_manifest(manifest).encode(),
        "Cargo.toml": workspace_manifest(manifest).encode(),
        "ctx/Cargo.toml": CTX_MANIFEST.encode(),
    }
    for source in SOURCES:
        path = CHECKOUT / source
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                files[f"library/{file.relative_to(CHECKOUT)}"] = file.read_bytes()
    return files


def template_key(files, features):
    """Names the template: another key means that it has to be compiled anew."""
    digest = hashlib.sha256()
    # evcxr changes the compiler flags when it finds lld, unless there is mold.
    linker = "lld" if shutil.which("lld") and not shutil.which("mold") else "default"
    versions = (CHECKOUT / "Cargo.lock").read_bytes()
    for part in [VERSION, rust_version(), linker, json.dumps(features), versions]:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b"\0")
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def save_features(features):
    """Remembers the cargo features the lab was last prepared with; kernels start with these."""
    FEATURES_FILE.parent.mkdir(parents=True, exist_ok=True)
    FEATURES_FILE.write_text(json.dumps(features), encoding="utf-8")


def saved_features():
    return json.loads(FEATURES_FILE.read_text(encoding="utf-8"))


def ensure_template(features):
    """Compiles the library for notebooks unless that is done already; returns its folder."""
    files = library_files()
    template = TEMPLATES / template_key(files, features)
    if template.exists():
        os.utime(template)  # the ones used last are kept
        return template
    with locked(kernel_home() / "templates.lock", "Another process compiles the library: waiting."):
        if not template.exists():
            _build(template, files, features)
            _remove_old_templates()
    return template


def _build(template, files, features):
    previous = sorted(TEMPLATES.glob("*"), key=lambda path: path.stat().st_mtime)
    partial = template.with_name(template.name + ".partial")
    if not partial.exists():
        seed = next((path for path in reversed(previous) if path.is_dir()), None)
        if seed:
            copy_linked(seed, partial)
            seed_text = "only what changed is compiled again."
        else:
            partial.mkdir(parents=True)
            seed_text = "about 5 minutes on two cores, once: the neural network crates are large."
    else:
        seed_text = "going on where it was interrupted."
    say(f"Library for notebooks ({', '.join(features) or 'no extra features'}): {seed_text}")

    _write_sources(partial, files)
    shutil.copyfile(CHECKOUT / "Cargo.lock", partial / "Cargo.lock")
    write_config(partial, features)

    def status():
        return f"{sum(1 for _ in partial.glob('ctx/target/**/deps/*.d'))} parts"

    warm_up = CHECKOUT / "setup" / "warm_up_kernel.py"
    run_step(
        "compiling",
        [PYTHON, warm_up, binary()],
        LOGS / "library.log",
        environment=kernel_environment(partial),
        status=status,
    )
    for cell in partial.glob("ctx/target/*/debug/deps/libcode_*"):
        cell.unlink()
    partial.rename(template)


def _write_sources(folder, files):
    """Makes the folder's sources those of `files`; an unchanged file keeps its time stamp, which
    is what cargo goes by."""
    library = folder / "library"
    for path in [p for p in library.rglob("*") if p.is_file()] if library.exists() else []:
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    (folder / "ctx" / "src").mkdir(parents=True, exist_ok=True)
    (folder / "ctx" / "src" / "lib.rs").touch()


def write_config(folder, features):
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
    # JSON's strings and lists are TOML's too.
    path, names = json.dumps(str(folder / "library")), json.dumps(features)
    dependency = f"{{ path = {path}, default-features = false, features = {names} }}"
    (config / "evcxr.toml").write_text(
        f'[evcxr]\nopt_level = "3"\n\n[dependencies]\nneural-composer = {dependency}\n',
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
    environment["EVCXR_TMPDIR"] = str(folder / "ctx")
    environment["EVCXR_CONFIG_DIR"] = str(folder / "config")
    # evcxr_jupyter updates the user's own Rust kernel when it finds one: here it finds none.
    environment["JUPYTER_PATH"] = str(folder / "config")
    environment["NEURAL_COMPOSER_HOME"] = str(CHECKOUT)
    return environment


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
            os.link(entry.path, copy)
        else:
            shutil.copy2(entry.path, copy)


def new_session(template, features):
    """A private copy of the template: its folder, and the lock that says it is in use."""
    with locked(SESSIONS / "sessions.lock", "Another kernel starts: waiting."):
        remove_dead_sessions()
        folder = SESSIONS / secrets.token_hex(4)
        alive = try_lock(folder.with_suffix(".alive"))
    copy_linked(template, folder)
    write_config(folder, features)
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
    finished = [path for path in TEMPLATES.glob("*") if not path.name.endswith(".partial")]
    for path in sorted(finished, key=lambda path: path.stat().st_mtime)[:-TEMPLATES_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
    for partial in TEMPLATES.glob("*.partial"):
        shutil.rmtree(partial, ignore_errors=True)

"""What the lab needs from the machine: for each need, whether it is met."""

import os
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

import findings
from findings import NOTE, OK, PROBLEM, Finding, ask, first_line, in_words, shell_says_yes
from locations import CHECKOUT, LAB, user_cache
from progress import StepFailed
from python_environment import (
    ENVIRONMENT_FILE,
    conda_environment,
    python_is_accepted,
    read_environment,
)
from rust_toolchain import missing_components, rust_version

# What a whole set-up takes on the disk, measured on 2026-11-26: the Python environment and the
# library; the kernel; the sources of crates.
CHECKOUT_NEEDS = 1_600_000_000
CACHE_NEEDS = 1_300_000_000
CRATES_NEED = 1_100_000_000
# What a later run may need although all is there.
AT_LEAST = 200_000_000
LITTLE_MEMORY = 3_000_000_000
PROXIES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]
# What changes how things are compiled, found or started.
TELLING_VARIABLES = re.compile(
    r"(CARGO_(TARGET_DIR|BUILD_.*|ENCODED_RUSTFLAGS)|RUSTFLAGS|RUSTC.*|RUSTUP_TOOLCHAIN|CC|CFLAGS"
    r"|LD_PRELOAD|LD_LIBRARY_PATH|PYTHON(PATH|HOME|UTF8)|CONDA_PREFIX|VIRTUAL_ENV"
    r"|JUPYTER.*|NEURAL_COMPOSER.*|CUDA_(HOME|VISIBLE_DEVICES)|CHROMIUM)"
)


def system():
    name = platform.system()
    release = f"{name} {platform.release()}, {platform.machine()}"
    if edition := _edition():
        release += f", {edition}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fact = f"{release}; {cores} processor core{'s' if cores != 1 else ''}"
    if name in ("Linux", "Darwin"):
        yield Finding(OK, "system", fact)
    else:
        yield Finding(PROBLEM, "system", fact, "expected Linux or macOS: use one of these")


def _edition():
    """The distribution's own name."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return found[1] if found else ""


def memory():
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    fact = ""
    # A container's limit, under the second and the first version of its interface.
    for limit in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]:
        try:
            allowed = int(Path(limit).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if allowed < total:
            total, fact = allowed, " allowed in this container"
    fact = in_words(total) + fact
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        free = int(re.search(r"MemAvailable: *(\d+) kB", text)[1]) * 1024
        fact += f", {in_words(min(free, total))} free"
    except (OSError, TypeError):
        pass
    if total < LITTLE_MEMORY:
        advice = "if compiling is killed, CARGO_BUILD_JOBS=1 ./lab compiles one crate at a time"
        yield Finding(NOTE, "memory", fact, advice)
    else:
        yield Finding(OK, "memory", fact)


def _cargo_home():
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def disk():
    """Room for a set-up, less what is there already, on each disk that it goes to."""
    cargo = _cargo_home()
    target = CHECKOUT / "target"
    built = [LAB / "python", target / "release", target / "notebook"]
    needs = [
        ("this folder", CHECKOUT, CHECKOUT_NEEDS, built),
        ("the cache", user_cache(), CACHE_NEEDS, [user_cache()]),
        ("cargo's folder", cargo, CRATES_NEED, [cargo / "registry"]),
    ]
    disks = {}
    for name, place, need, parts in needs:
        have = sum(map(findings.size_of, parts))
        there = findings.nearest_there(place)
        entry = disks.setdefault(os.stat(there).st_dev, [there, [], 0])
        entry[1].append(name)
        entry[2] += max(AT_LEAST, need - have)
    for place, names, need in disks.values():
        free = shutil.disk_usage(place).free
        fact = (
            f"{in_words(free)} free for {' and '.join(names)}; about {in_words(need)} still needed"
        )
        if free < need:
            advice = "make room there, or name another cache folder in XDG_CACHE_HOME"
            yield Finding(PROBLEM, "disk", fact, advice)
        else:
            yield Finding(OK, "disk", fact)


def folders():
    """Those that are written to: a folder that is not there yet must be one that can be made."""
    blocked = {}
    places = [CHECKOUT, LAB, CHECKOUT / "target", user_cache(), _cargo_home()]
    for path in [*places, Path(tempfile.gettempdir())]:
        there = findings.nearest_there(path)
        if not there.is_dir():
            blocked.setdefault(f"{there} is no folder", []).append(path)
        elif not os.access(there, os.W_OK | os.X_OK):
            blocked.setdefault(f"no right to write to {there}", []).append(path)
    for reason, paths in blocked.items():
        fact = f"{reason}, for {' and '.join(map(str, paths))}"
        yield Finding(PROBLEM, "folders", fact, "give it to yourself (chown, chmod), or move it")
    if not blocked:
        yield Finding(OK, "folders", "all that are written to can be")


def rust():
    text = (CHECKOUT / "Cargo.toml").read_text(encoding="utf-8")
    wanted = re.search(r'^rust-version = "([0-9.]+)"', text, re.MULTILINE)[1]
    install = "install Rust as https://rustup.rs says, and open a new terminal"
    missing = [name for name in ("cargo", "rustc") if not shutil.which(name)]
    if missing:
        fact = f"expected {wanted} or newer, found no {' and no '.join(missing)} in PATH"
        yield Finding(PROBLEM, "Rust", fact, install)
        return
    try:
        about = rust_version()
        found = re.search(r"^release: (\d+)\.(\d+)\S*", about, re.MULTILINE)
        host = re.search(r"^host: (\S+)", about, re.MULTILINE)[1]
    except (StepFailed, TypeError):
        found = None
    if found is None:
        fact = f"expected {wanted} or newer, found a rustc that does not tell its version"
        yield Finding(PROBLEM, "Rust", fact, "run `rustc -vV` and see; rustup default stable")
        return
    number = found[0].split()[1]
    if (int(found[1]), int(found[2])) < tuple(map(int, wanted.split(".")[:2])):
        fact = f"expected {wanted} or newer (Cargo.toml), found {number}"
        advice = "rustup update" if shutil.which("rustup") else install
        yield Finding(PROBLEM, "Rust", fact, advice)
    else:
        yield Finding(OK, "Rust", f"rustc {number}, {host}; {wanted} or newer is needed")
    yield from _components()


def _components():
    try:
        missing = missing_components()
    except StepFailed:
        return  # of a rustc that does not answer more is said above
    if not missing:
        yield Finding(OK, "Rust's components", "rust-src and rust-analyzer")
        return
    fact = f"no {' and no '.join(missing)}: completion and descriptions lack what they tell"
    has_rustup = shutil.which("rustup")
    how = "rustup component add " if has_rustup else "install, as you installed Rust, "
    yield Finding(NOTE, "Rust's components", fact, how + " ".join(missing))


def compiler():
    if shutil.which("cc"):
        version = first_line(ask("cc", "--version"))
        yield Finding(OK, "C compiler", version or "cc, which does not tell its version")
    else:
        advice = first_line(findings.ask_shell("c_compiler_advice"))
        yield Finding(PROBLEM, "C compiler", "expected cc in PATH, found none", advice)


def speaker_headers():
    if shell_says_yes("has_speaker_headers"):
        what = "none needed on macOS" if platform.system() == "Darwin" else "ALSA's headers"
        yield Finding(OK, "sound, to compile", what)
        return
    lacks = "ALSA's headers" if shutil.which("pkg-config") else "pkg-config"
    fact = f"no {lacks}: notebooks play sound in the browser, but play() is not there"
    advice = "Debian, Ubuntu: apt-get install pkg-config libasound2-dev (./lab does so if it may)"
    yield Finding(NOTE, "sound, to compile", fact, advice)


def sound_device():
    if platform.system() == "Darwin":
        yield Finding(OK, "sound device", "macOS brings its own")
        return
    devices = list(Path("/dev/snd").glob("pcm*p"))
    if devices:
        number = f"{len(devices)} output{'s' if len(devices) != 1 else ''} in /dev/snd"
        yield Finding(OK, "sound device", number)
    else:
        fact = "none in /dev/snd: play() finds no speaker, the player in a cell needs none"
        yield Finding(NOTE, "sound device", fact)


def python():
    found = platform.python_version()
    requirement, packages = read_environment(ENVIRONMENT_FILE.read_text(encoding="utf-8"))
    if conda_environment(packages):
        yield Finding(OK, "Python", "the active conda environment has all of environment.yml")
        return
    if not python_is_accepted(requirement, sys.version_info[:2]):
        fact = f"expected {requirement} (environment.yml), found {found}"
        yield Finding(PROBLEM, "Python", fact, "put such a python3 first in PATH, or use conda")
    elif not shell_says_yes("has_python_venv"):
        fact = f"{found}, but its venv module is missing"
        advice = "Debian, Ubuntu: apt-get install python3-venv"
        yield Finding(PROBLEM, "Python", fact, advice)
    else:
        yield Finding(OK, "Python", f"{found} with venv; {requirement} is needed")


def gpu(is_wanted):
    question = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    card = first_line(ask("nvidia-smi", *question))
    has_toolkit = shell_says_yes("find_cuda_toolkit")
    toolkit = findings.ask_shell("find_cuda_toolkit && nvcc --version") or ""
    release = re.search(r"release ([0-9.]+)", toolkit)
    found = [card or "no NVIDIA card"]
    if has_toolkit:
        found.append(f"CUDA toolkit {release[1]}" if release else "CUDA toolkit")
    else:
        found.append("no CUDA toolkit (nvcc)")
    fact = ", ".join(found)
    if is_wanted and not has_toolkit:
        yield Finding(PROBLEM, "GPU", fact, "install NVIDIA's CUDA toolkit, or leave out --cuda")
    elif card and not has_toolkit:
        yield Finding(NOTE, "GPU", fact, "the toolkit lets ./lab --cuda use the card")
    elif card and not is_wanted:
        yield Finding(OK, "GPU", f"{fact}: ./lab --cuda uses them")
    else:
        yield Finding(OK, "GPU", fact if card else f"{fact}: the processor trains")


def for_tests():
    """What only ./test uses."""
    if shell_says_yes("has_browser"):
        yield Finding(OK, "browser for tests", "there")
    else:
        fact = "no Chromium or Chrome in PATH"
        yield Finding(NOTE, "browser for tests", fact, "only ./test uses it, and tries to get one")
    script = CHECKOUT / "setup" / "containers.sh"
    if engine := first_line(findings.ask_shell("container_engine", script)):
        yield Finding(OK, "container engine", engine)
    else:
        fact = "neither docker nor podman answers"
        advice = "only the Dockerfile and ./test's check of it need one"
        yield Finding(NOTE, "container engine", fact, advice)


def environment():
    """The variables that are set; their values may be secrets."""
    proxies = sorted(name for name in os.environ if name.lower() in PROXIES and os.environ[name])
    yield Finding(OK, "proxies", f"set: {', '.join(proxies)}" if proxies else "none set")
    others = sorted(name for name in os.environ if TELLING_VARIABLES.fullmatch(name))
    if others:
        advice = "if something is odd, try without them"
        yield Finding(NOTE, "variables", f"set: {', '.join(others)}", advice)
    else:
        yield Finding(OK, "variables", "none that changes how things are compiled or found")

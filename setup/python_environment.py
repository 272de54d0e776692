"""The lab's Python: JupyterLab and its companions in the versions that environment.yml names."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from locations import CHECKOUT, LOGS, PYTHON, PYTHON_HOME
from progress import StepFailed, run_step, say

ENVIRONMENT_FILE = CHECKOUT / "environment.yml"


def read_environment(text):
    """What environment.yml asks for: the Python requirement (`>=3.11,<3.15`) and the pip list.

    Understands the plain layout of that one file, not YAML at large.
    """
    python_requirement, packages, pip_indent = None, [], None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).rstrip()
        item = re.match(r"( *)- (.+)", line)
        if not item:
            continue
        indent, value = len(item[1]), item[2].strip()
        if pip_indent is not None and indent > pip_indent:
            if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", value):
                raise StepFailed(
                    f"environment.yml, line {number}: expected `name==version`, found `{value}`"
                )
            packages.append(value)
            continue
        pip_indent = indent if value == "pip:" else None
        if requirement := re.fullmatch(r"python([<>=!].+)", value):
            python_requirement = requirement[1]
    if python_requirement is None or not packages:
        raise StepFailed("environment.yml: expected a `python>=…` item and a `pip:` list")
    return python_requirement, packages


def python_is_accepted(requirement, version):
    """Whether `version`, such as (3, 12), satisfies a requirement such as `>=3.11,<3.15`."""
    for clause in requirement.split(","):
        operator, number = re.fullmatch(r"\s*(>=|<)\s*([0-9.]+)\s*", clause).groups()
        bound = tuple(int(part) for part in number.split("."))
        if (version[: len(bound)] >= bound) != (operator == ">="):
            return False
    return True


def conda_environment(packages):
    """The active conda environment when it holds exactly the packages asked for, else None."""
    prefix = os.environ.get("CONDA_PREFIX") or os.environ.get("NB_PYTHON_PREFIX")
    if not prefix or not (Path(prefix) / "conda-meta").is_dir():
        return None
    question = (
        "import sys, importlib.metadata as m\n"
        "for p in sys.argv[1:]:\n"
        "    name, version = p.split('==')\n"
        "    assert m.version(name) == version"
    )
    answer = subprocess.run(
        [Path(prefix) / "bin" / "python", "-c", question, *packages],
        capture_output=True,
        check=False,
    )
    return Path(prefix) if answer.returncode == 0 else None


def ensure_python_environment():
    """Makes or completes the environment; does nothing when it is as environment.yml asks."""
    requirement, packages = read_environment(ENVIRONMENT_FILE.read_text(encoding="utf-8"))
    if conda := conda_environment(packages):
        if not PYTHON_HOME.is_symlink():
            shutil.rmtree(PYTHON_HOME, ignore_errors=True)
        PYTHON_HOME.unlink(missing_ok=True)
        PYTHON_HOME.symlink_to(conda)
        return
    if PYTHON_HOME.is_symlink():
        PYTHON_HOME.unlink()

    found = ".".join(map(str, sys.version_info[:3]))
    if not python_is_accepted(requirement, sys.version_info[:2]):
        raise StepFailed(f"Python: expected {requirement} (environment.yml), found {found}")

    stamp = PYTHON_HOME / "packages.txt"
    wanted = "\n".join([f"python {found}", *packages, ""])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and _runs():
        return
    say("Python environment (JupyterLab), about a minute, once:")
    stamp.unlink(missing_ok=True)
    log = LOGS / "python.log"
    if not _runs():
        run_step("making it", [sys.executable, "-m", "venv", "--clear", PYTHON_HOME], log)
    run_step(
        "installing packages",
        [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", *packages],
        log,
        status_of=lambda line: line.strip()[:70] if line.startswith(("Coll", "Inst")) else "",
    )
    stamp.write_text(wanted, encoding="utf-8")


def _runs():
    try:
        question = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        answer = subprocess.run([PYTHON, "-c", question], capture_output=True, check=False)
    except OSError:
        return False
    return answer.returncode == 0

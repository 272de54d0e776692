"""What the browser tests need and the lab does not: a Python environment of its own in .lab, with
Playwright in it. Prints the environment's Python; `--with-browser` has Playwright fetch a Chromium
for machines that offer none."""

import sys

from locations import LAB, LOGS
from progress import StepFailed, run_step

HOME = LAB / "browser-python"
PACKAGES = ["playwright==1.65.2"]


def ensure_browser_environment():
    """Makes the environment, unless it is there; returns its Python."""
    python, stamp = HOME / "bin" / "python", HOME / "packages.txt"
    wanted = "\n".join([sys.version, *PACKAGES, ""])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    log = LOGS / "browser-python.log"
    run_step("environment", [sys.executable, "-m", "venv", "--clear", HOME], log)
    run_step(
        "Playwright",
        [python, "-m", "pip", "install", "--disable-pip-version-check", *PACKAGES],
        log,
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def main():
    python = ensure_browser_environment()
    if "--with-browser" in sys.argv[1:]:
        command = [python, "-m", "playwright", "install", "chromium"]
        run_step("Chromium", command, LOGS / "browser-python.log")


if __name__ == "__main__":
    try:
        main()
    except StepFailed as problem:
        sys.exit(str(problem))

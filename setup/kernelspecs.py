"""Tells Jupyter about the lab's kernels, inside the lab's own Python environment."""

import json
import shutil

from locations import CHECKOUT, PYTHON, PYTHON_HOME

TEMPLATES = CHECKOUT / "setup" / "kernelspecs"


def register_kernels():
    """Writes every kernel description of setup/kernelspecs/ with this checkout's paths.

    The lab's own kernel (kernel/) comes in here: a second folder beside `neural-composer-stock`
    whose kernel.json starts the launcher with its program.
    """
    for template in TEMPLATES.iterdir():
        kernel = json.loads((template / "kernel.json").read_text(encoding="utf-8"))
        places = {"{python}": str(PYTHON), "{checkout}": str(CHECKOUT)}
        for placeholder, value in places.items():
            kernel["argv"] = [part.replace(placeholder, value) for part in kernel["argv"]]
        folder = PYTHON_HOME / "share" / "jupyter" / "kernels" / template.name
        shutil.copytree(template, folder, dirs_exist_ok=True)
        text = json.dumps(kernel, indent=2, ensure_ascii=False) + "\n"
        (folder / "kernel.json").write_text(text, encoding="utf-8")

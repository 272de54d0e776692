"""Lets the notebooks that came with this checkout be shown as they were executed, players included.
Run by the lab's Python before JupyterLab opens.

Jupyter takes the scripts out of outputs that it does not know to be made here. The committed
notebooks come from where all the code comes from that ./lab runs anyway, so they are trusted like
it. One that differs from what was committed is left to Jupyter, which trusts what is run in it.
"""

import contextlib
import json
import os
import subprocess
from pathlib import Path

from locations import CHECKOUT


def git(folder, *arguments):
    """What git answers, in parts; nothing without git or outside of a repository."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return done.stdout.split("\0")[:-1] if done.returncode == 0 else []


def committed_notebooks(folder):
    """The notebooks in `folder` that are as they were committed, and what names their content."""
    changed = git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    listed = (line.split("\t") for line in git(folder, "ls-files", "--stage", "-z", "--", "."))
    contents = {name: entry.split()[1] for entry, name in listed if name.endswith(".ipynb")}
    return {
        name: content
        for name, content in contents.items()
        if name not in changed and Path(folder, name).is_file()
    }


def trust(notebooks, data):
    """Signs the notebooks at these paths, in Jupyter's data folder `data`."""
    # Half a second, which a start of the lab with nothing new to sign need not wait for.
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary(data_dir=str(data))
    try:
        for path in notebooks:
            # One that cannot be read is JupyterLab's to complain about.
            with contextlib.suppress(OSError, ValueError):
                notary.sign(nbformat.read(path, as_version=4))
    finally:
        notary.store.close()


def trust_committed(folder, data):
    """Signs the notebooks in `folder` that are as committed and were not signed before."""
    data.mkdir(parents=True, exist_ok=True)
    record = data / "trusted_notebooks.json"
    known = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(record.read_text(encoding="utf-8"))
    found = committed_notebooks(folder)
    if found == known:
        return
    trust([Path(folder, name) for name in found if known.get(name) != found[name]], data)
    text = json.dumps(found, indent=2) + "\n"
    partial = record.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(record)


if __name__ == "__main__":
    trust_committed(CHECKOUT / "notebooks", Path(os.environ["JUPYTER_DATA_DIR"]))

"""Runs notebooks from top to bottom without a browser, each in its own folder, and keeps what
came out. Run by the lab's Python: `execute_notebooks.py [--write-back] NOTEBOOK...`"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter

from locations import CHECKOUT

RESULTS = CHECKOUT / "target" / "notebooks"
# A kernel starts in seconds, unless the library's sources changed since the lab was prepared.
KERNEL_START_SECONDS = 3600


def first_line(source):
    return next((line for line in source.splitlines() if line.strip()), "")[:60]


def execute(path, results=RESULTS):
    """Runs one notebook, writes `.ipynb` and `.html` to `results` even when a cell fails, and
    returns the executed notebook and what went wrong (None when nothing did)."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    state = {"number": 0, "started": 0.0}

    def on_start(cell, cell_index):
        state["started"] = time.monotonic()

    def on_end(cell, cell_index, execute_reply):
        state["number"] += 1
        seconds = time.monotonic() - state["started"]
        print(
            f"  cell {state['number']:2} of {len(cells)}  {seconds:6.1f} s  "
            f"{first_line(cell.source)}",
            flush=True,
        )

    client = NotebookClient(
        notebook,
        timeout=None,
        startup_timeout=KERNEL_START_SECONDS,
        record_timing=False,  # an executed notebook is the same whenever it is run
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=on_start,
        on_cell_executed=on_end,
    )
    problem = None
    started = time.monotonic()
    try:
        client.execute()
    except CellExecutionError as error:
        problem = f"cell {state['number']} of {len(cells)} failed:\n{error}"
    except DeadKernelError as error:
        problem = f"the kernel ended in cell {state['number'] + 1} of {len(cells)}: {error}"
    except RuntimeError as error:
        problem = f"the kernel did not start: {error}"
    notebook.metadata.get("language_info", {}).pop("version", None)
    results.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, results / path.name)
    html, _ = HTMLExporter().from_notebook_node(
        notebook, resources={"metadata": {"name": path.stem}}
    )
    (results / path.name).with_suffix(".html").write_text(html, encoding="utf-8")
    print(f"  {time.monotonic() - started:.1f} s in all, results in {results}", flush=True)
    return notebook, problem


def main():
    parser = argparse.ArgumentParser(prog="./lab --execute")
    parser.add_argument("--write-back", action="store_true")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args()
    notebooks = options.notebooks or sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
    for number, path in enumerate(notebooks, start=1):
        if not path.is_file():
            sys.exit(f"{path}: expected a notebook, found no such file")
        print(f"Notebook {number} of {len(notebooks)}: {path}", flush=True)
        notebook, problem = execute(path.resolve())
        if problem:
            sys.exit(f"{path}: {problem}")
        if options.write_back:
            nbformat.write(notebook, path)
    print(f"{len(notebooks)} of {len(notebooks)} notebooks ran to their end.")


if __name__ == "__main__":
    main()

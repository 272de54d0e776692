"""Runs notebooks from top to bottom without a browser, each in its own folder, and keeps what
came out. Run by the lab's Python: `execute_notebooks.py [--stock] [--write-back] NOTEBOOK...`"""

import argparse
import os
import queue
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbclient.util import run_sync
from nbconvert import HTMLExporter

from kernelspecs import STOCK
from locations import CHECKOUT
from trusted_notebooks import trust

RESULTS = CHECKOUT / "target" / "notebooks"
STOCK_RESULTS = RESULTS / "stock"
# A kernel starts in seconds, unless the library's sources changed since the lab was prepared.
KERNEL_START_SECONDS = 3600


def first_line(source):
    return next((line for line in source.splitlines() if line.strip()), "")[:60]


def plain(text):
    """The text without the terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def problem_of(cell, kernel):
    """What went wrong in an executed cell; empty when nothing did.

    Our own kernel reports every failure to Jupyter. The stock kernel reports compile errors, but
    of an error that `?` hands on and of a panic it prints the message to standard error and reports
    success. So there what a cell with a `?` prints counts as its error. A cell with Jupyter's tag
    `raises-exception` may fail.
    """
    if "raises-exception" in cell.metadata.get("tags", []):
        return ""
    if errors := failed_for_jupyter(cell):
        return plain("\n".join(line for e in errors for line in e.traceback or [e.evalue]))
    if kernel != STOCK:
        return ""
    printed = "".join(
        output.text
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    )
    if "panicked at" in printed or has_question_mark(cell.source):
        return plain(printed)
    return ""


def failed_for_jupyter(cell):
    return [output for output in cell.outputs if output.output_type == "error"]


def has_question_mark(source):
    """Whether Rust code uses the operator `?`, comments and string literals aside."""
    code = re.sub(r"//[^\n]*|\"(\\.|[^\"\\])*\"", "", source, flags=re.DOTALL)
    return "?" in code


def write_whole(path, text):
    """Whoever reads the file meanwhile finds the old or the new one, whatever ends this program."""
    path = path.resolve()
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
        if path.exists():
            shutil.copymode(path, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def execute(path, kernel=None, results=RESULTS):
    """Runs one notebook up to its first failing cell, on `kernel` or the one it names, writes
    `.ipynb` and `.html` to `results`, and returns the executed notebook and what went wrong
    (empty when nothing did)."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        startup_timeout=KERNEL_START_SECONDS,
        allow_errors=True,  # problem_of decides
        record_timing=False,  # an executed notebook is the same whenever it is run
        resources={"metadata": {"path": str(path.parent)}},
        **({"kernel_name": kernel} if kernel else {}),
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    started = time.monotonic()
    try:
        problem = run_cells(client, notebook, started)
    except RuntimeError as error:
        problem = f"the kernel did not start: {error}"
    results.mkdir(parents=True, exist_ok=True)
    html, _ = HTMLExporter().from_notebook_node(
        notebook, resources={"metadata": {"name": path.stem}}
    )
    write_whole(results / path.name, nbformat.writes(notebook))
    write_whole((results / path.name).with_suffix(".html"), html)
    print(f"  {time.monotonic() - started:.1f} s in all, results in {results}", flush=True)
    return notebook, problem


async def collect_late_output(client, cell, index):
    """Waits for what the cell printed to standard error. The stock kernel sends it on whenever it
    comes to it, often after it has reported the cell's end; but it keeps the lines in order, so
    all is there once a line printed afterwards is."""
    mark = f"neural-composer: end of cell {index}"
    request = client.kc.execute(f'eprintln!("{mark}");', store_history=False)
    printed = ended = False
    while not (printed and ended):
        try:
            message = await client.kc.get_iopub_msg(timeout=5)
        except queue.Empty:
            if not await client.km.is_alive():
                raise DeadKernelError("Kernel died") from None
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            if content["text"].strip() == mark:
                printed = True
            else:
                client.process_message(message, cell, index)
        elif message["msg_type"] == "status" and message["parent_header"]["msg_id"] == request:
            ended = content["execution_state"] == "idle"


def joined_streams(outputs):
    """Text that was sent in pieces, which differ from run to run, is one output, as a front end
    shows it."""
    joined = []
    for output in outputs:
        before = joined[-1] if joined else None
        if output.output_type == "stream" and before and before.get("name") == output.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def run_cells(client, notebook, started):
    """Runs the cells in order; what went wrong in the first that failed."""
    indices = [
        index
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    with client.setup_kernel():
        information = client.wait_for_reply(client.kc.kernel_info())["content"]
        notebook.metadata["language_info"] = information["language_info"]
        print(f"  kernel ready in {time.monotonic() - started:.1f} s", flush=True)
        for number, index in enumerate(indices, start=1):
            cell, cell_started = notebook.cells[index], time.monotonic()
            where = f"cell {number} of {len(indices)}"
            try:
                client.execute_cell(cell, index, execution_count=number)
            except DeadKernelError:
                return f"{where}: the kernel ended\n{cell.source}"
            seconds = time.monotonic() - cell_started
            print(f"  {where} {seconds:7.1f} s  {first_line(cell.source)}", flush=True)
            if client.kernel_name == STOCK and not failed_for_jupyter(cell):
                run_sync(collect_late_output)(client, cell, index)
            cell.outputs = joined_streams(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
            if problem := problem_of(cell, client.kernel_name):
                return f"{where} failed\n{cell.source}\n\n{problem}"
    return ""


def main():
    parser = argparse.ArgumentParser(prog="./lab --execute")
    parser.add_argument("--write-back", action="store_true")
    parser.add_argument("--stock", action="store_true")
    parser.add_argument("notebooks", nargs="*", type=Path)
    options = parser.parse_args()
    notebooks = options.notebooks or sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
    for number, path in enumerate(notebooks, start=1):
        if not path.is_file():
            sys.exit(f"{path}: expected a notebook, found no such file")
        print(f"Notebook {number} of {len(notebooks)}: {path}", flush=True)
        where = {"kernel": STOCK, "results": STOCK_RESULTS} if options.stock else {}
        notebook, problem = execute(path.resolve(), **where)
        if problem:
            sys.exit(f"{path}: {problem}")
        if options.write_back:
            write_whole(path, nbformat.writes(notebook))
            if data := os.environ.get("JUPYTER_DATA_DIR"):
                trust([path], data)
    print(f"{len(notebooks)} of {len(notebooks)} notebooks ran to their end.")


if __name__ == "__main__":
    main()

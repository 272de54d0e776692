"""What kernels answer, message by message, as a table from runs.

    ./lab --prepare --stock
    .lab/python/bin/python kernel/benches/message_matrix.py

Each row sends one message, or runs one cell, and looks at what comes back within a time limit.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "setup"))

import matrix_rows  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from jupyter_client.manager import KernelManager  # noqa: E402

import evcxr_kernel  # noqa: E402
from notebook import KERNEL, Notebook, descendants, install  # noqa: E402

# Generous: analysers load meanwhile. Run it on a machine with nothing else to do all the same.
PATIENCE_SECONDS = 120

RUST = {
    "text": 'println!("a")',
    "value": "1 + 1",
    "sleep_print": 'println!("early"); std::thread::sleep(std::time::Duration::from_secs(2));',
    "partial": 'print!("half"); std::thread::sleep(std::time::Duration::from_secs(2));',
    "pictures": "".join(
        f'println!("EVCXR_BEGIN_CONTENT image/png\\n{text}\\nEVCXR_END_CONTENT");'
        for text in ("AAAA", "BBBB")
    ),
    "update": 'println!("\\u{1e}neural-composer/1 {}", r#"{"op":"display","id":"d","data":{"text/plain":"1"}}"#);'
    'println!("\\u{1e}neural-composer/1 {}", r#"{"op":"update","id":"d","data":{"text/plain":"2"}}"#);',
    "clear": 'println!("\\u{1e}neural-composer/1 {}", r#"{"op":"clear"}"#);',
    "error": "missing",
    "caught": 'panic!("x")',
    "question": 'std::fs::read("/nonexistent")?;',
    "input": 'println!("EVCXR_INPUT_REQUEST:name"); let mut l = String::new(); std::io::stdin().read_line(&mut l)?;',
    "define": "let kept = 1;",
    "kept": "kept",
    "loop": "loop { std::thread::sleep(std::time::Duration::from_millis(10)); }",
    "abort": "std::process::abort();",
    "complete": "String::fro",
    "inspect": "String::from_utf8",
    "incomplete": "fn f() {",
    "invalid": "let x = );",
    "page": ":help",
}
PYTHON = {
    "text": 'print("a")',
    "value": "1 + 1",
    "sleep_print": 'import time; print("early", flush=True); time.sleep(2)',
    "partial": 'import time; print("half", end="", flush=True); time.sleep(2)',
    "pictures": "from IPython.display import display\n"
    "for t in ('AAAA', 'BBBB'): display({'image/png': t}, raw=True)",
    "update": "h = display({'text/plain': '1'}, raw=True, display_id='d'); h.update({'text/plain': '2'}, raw=True)",
    "clear": "from IPython.display import clear_output; clear_output()",
    "error": "missing",
    "caught": 'raise RuntimeError("x")',
    "question": 'open("/nonexistent")',
    "input": "input('name')",
    "define": "kept = 1",
    "kept": "kept",
    "loop": "import time\nwhile True: time.sleep(0.01)",
    "abort": "import os; os.abort()",
    "complete": "str.spl",
    "inspect": "str.split",
    "incomplete": "def f():",
    "invalid": "x = )",
    "page": "str?",
}


def stock_specs(folder: Path) -> KernelSpecManager:
    """The stock kernel as such, without the library."""
    spec = {
        "argv": [str(evcxr_kernel.binary()), "--control_file", "{connection_file}"],
        "display_name": "stock",
        "language": "rust",
        "interrupt_mode": "message",
    }
    (folder / "stock").mkdir()
    (folder / "stock" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return KernelSpecManager(kernel_dirs=[str(folder)])


def welcome(specs, kernel, _cells):
    manager = KernelManager(kernel_name=kernel, kernel_spec_manager=specs)
    manager.start_kernel()
    client = manager.client()
    try:
        client.start_channels()
        return client.get_iopub_msg(timeout=5)["msg_type"] == "iopub_welcome"
    except Empty:
        return False
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def answers(notebook, request):
    try:
        return notebook.reply(request, time.monotonic() + PATIENCE_SECONDS)
    except Empty:
        return None


def asks_for_input(notebook, cells):
    started = notebook.start(cells["input"], allow_stdin=True)
    try:
        question = notebook.client.get_stdin_msg(timeout=PATIENCE_SECONDS)["msg_type"]
    except Empty:
        return False
    notebook.client.input("x")
    notebook.finish(started)
    return question == "input_request"


def kept_or_named(notebook, cells):
    notebook.run(cells["define"])
    started = notebook.start(cells["loop"])
    time.sleep(3)
    notebook.interrupt()
    time.sleep(2)
    notebook.interrupt()
    is_named = "kept" in notebook.finish(started).error
    return is_named or notebook.run(cells["kept"]).status == "ok"


def survives(notebook, cells):
    try:
        notebook.run(cells["abort"], timeout=PATIENCE_SECONDS)
        return notebook.run(cells["value"]).result == "2"
    except (RuntimeError, TimeoutError):
        return False


def early(notebook, cells, key):
    cell = notebook.run(cells[key])
    times = cell.times("stream")
    return bool(times) and cell.seconds - times[0] > 1


ROWS = [
    ("kernel_info_reply", lambda n, c: answers(n, n.client.kernel_info()) is not None),
    ("execute_reply, execute_input, status", lambda n, c: n.run(c["text"]).status == "ok"),
    ("stream, line by line while the cell runs", lambda n, c: early(n, c, "sleep_print")),
    ("stream, unfinished lines while the cell runs", lambda n, c: early(n, c, "partial")),
    ("execute_result", lambda n, c: n.run(c["value"]).result == "2"),
    (
        "display_data, two pictures in a cell",
        lambda n, c: len(n.run(c["pictures"]).contents("display_data")) == 2,
    ),
    (
        "update_display_data",
        lambda n, c: len(n.run(c["update"]).contents("update_display_data")) == 1,
    ),
    ("clear_output", lambda n, c: len(n.run(c["clear"]).contents("clear_output")) == 1),
    (
        "error, and status error in the reply",
        lambda n, c: n.run(c["error"]).reply.get("ename") is not None,
    ),
    ("a panic or exception is an error", lambda n, c: n.run(c["caught"]).status == "error"),
    ("an error by `?` is an error", lambda n, c: n.run(c["question"]).status == "error"),
    ("input_request", asks_for_input),
    (
        "complete_reply",
        lambda n, c: bool((answers(n, n.client.complete(c["complete"])) or {}).get("matches")),
    ),
    (
        "inspect_reply",
        lambda n, c: bool((answers(n, n.client.inspect(c["inspect"])) or {}).get("found")),
    ),
    (
        "is_complete_reply: incomplete",
        lambda n, c: (
            (answers(n, n.client.is_complete(c["incomplete"])) or {}).get("status") == "incomplete"
        ),
    ),
    (
        "is_complete_reply: invalid",
        lambda n, c: (
            (answers(n, n.client.is_complete(c["invalid"])) or {}).get("status") == "invalid"
        ),
    ),
    (
        "history_reply",
        lambda n, c: bool(
            (answers(n, n.client.history(hist_access_type="tail", n=2)) or {}).get("history")
        ),
    ),
    ("comm_info_reply", lambda n, c: answers(n, n.client.comm_info()) is not None),
    ("payload: page", lambda n, c: bool(n.run(c["page"]).reply.get("payload"))),
    ("an interrupted loop ends, variables kept or named", kept_or_named),
    ("survives the death of a cell's process", survives),
    *matrix_rows.ROWS,
]


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        rust = RUST | matrix_rows.RUST
        kernels = [
            ("this kernel", install(folder / "ours", home=None), KERNEL, rust),
            ("stock evcxr 0.22", stock_specs(folder), "stock", rust),
            ("ipykernel", KernelSpecManager(), "python3", PYTHON | matrix_rows.PYTHON),
        ]
        if not evcxr_kernel.binary().exists():
            print("stock evcxr is not installed: run ./lab --prepare --stock", file=sys.stderr)
            del kernels[1]
        table = (
            {"iopub_welcome": []}
            | {name: [] for name, _ in ROWS}
            | {"nothing left after shutdown": []}
        )
        for _, specs, kernel, cells in kernels:
            table["iopub_welcome"].append(welcome(specs, kernel, cells))
            notebook = Notebook(specs, kernel)
            notebook.run(cells["define"])
            if kernel == KERNEL:
                notebook.wait_for_analyser()
            for row, probe in ROWS:
                try:
                    table[row].append(bool(probe(notebook, cells)))
                except (TimeoutError, RuntimeError, Empty) as error:
                    print(f"{kernel}: {row}: {error!r}", file=sys.stderr)
                    table[row].append(False)
                    # It may still be busy with what it was asked.
                    notebook.close()
                if not notebook.manager.is_alive():
                    notebook = Notebook(specs, kernel)
                    notebook.run(cells["define"])
            family = descendants(notebook.process_id)
            notebook.close()
            time.sleep(10)
            table["nothing left after shutdown"].append(
                not any(os.path.exists(f"/proc/{p}") for p in family)
            )
    print("| message or behaviour | " + " | ".join(name for name, *_ in kernels) + " |")
    print("|---|" + "---|" * len(kernels))
    for row, found in table.items():
        print(f"| {row} | " + " | ".join("yes" if yes else "no" for yes in found) + " |")


if __name__ == "__main__":
    main()

"""The matrix's rows about what ordinary cells do: each probe runs cells in the notebook that it is
given and says whether they did what they say. Cells are Rust and Python; None where a question makes
no sense."""

import re
import time
from pathlib import Path
from queue import Empty

from notebook import Notebook, descendants

# What hangs is not waited for longer.
PATIENCE_SECONDS = 40
STOP_SECONDS = 5
TAB_SECONDS = 2

RUST = {
    "keep": "let kept = 41;",
    "kept": "kept + 1",
    "usable": "1 + 1",
    # 1: values of redefined types
    "number": "#[derive(Debug, Clone)] struct Note { pitch: u8 }",
    "note": "let note = Note { pitch: 60 };",
    "other number": "#[derive(Debug, Clone)] struct Note { pitch: f64 }",
    "pitch": "note.pitch",
    "short": "#[derive(Debug, Clone)] struct Take { bars: [u64; 3] }",
    "take": "let take = Take { bars: [1, 2, 3] };",
    "long": "#[derive(Debug, Clone)] struct Take { bars: Vec<u64> }",
    "bars": "take.bars.len()",
    # 2: one copy of what is global
    "static": "use std::sync::atomic::{AtomicU32, Ordering::SeqCst};\n"
    "static TAKES: AtomicU32 = AtomicU32::new(0);\n"
    "fn next_take() -> u32 { TAKES.fetch_add(1, SeqCst) + 1 }",
    "count": "next_take()",
    "thread local": "thread_local! { static HITS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) }; }\n"
    "fn hit() -> u32 { HITS.with(|hits| { hits.set(hits.get() + 1); hits.get() }) }\nhit()",
    "hit": "hit()",
    # 3: standard input and output are the cell's own
    "read": "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line.trim().len()",
    "child reads": 'std::process::Command::new("cat").status()?.success()',
    "mark": 'println!("EVCXR_BEGIN_CONTENT x/y");',
    # 4: one stop
    "child": 'std::process::Command::new("sleep").arg("300").status()?',
    "deaf": "let mut n = 0u64; loop { n = std::hint::black_box(n + 1); }",
    # 5: ordinary cells
    "capital": "let X = vec![1.0f32, 2.0];",
    "capital's length": "X.len()",
    "closure": "let add = |x: i32| x + 1;",
    "opaque": "fn below() -> impl Iterator<Item = u32> { 0..3 }\nlet found: Vec<u32> = below().collect(); let numbers = below();",
    "opaque's length": "found.len()",
    "type": "struct Bell;",
    "methods": "impl Bell { fn ring(&self) -> i32 { 2 } }",
    "method": "Bell.ring()",
    # 6: keys do not wait
    "long cell": "std::thread::sleep(std::time::Duration::from_secs(6));",
    "completed": "String::fro",
    "arguments": "String::from_utf8(",
    "described": "from_utf8",
    "order": 'for i in 0..20 { if i % 2 == 0 { println!("{i},"); } else { eprintln!("{i},"); } }',
}
PYTHON = {
    "keep": "kept = 41",
    "kept": "kept + 1",
    "usable": "1 + 1",
    "number": "class Note:\n    def __init__(self, pitch): self.pitch = pitch",
    "note": "note = Note(60)",
    "other number": "class Note:\n    def __init__(self, pitch): self.pitch = float(pitch)",
    "pitch": "note.pitch",
    "short": "class Take: pass",
    "take": "take = Take(); take.bars = (1, 2, 3)",
    "long": "class Take: bars = []",
    "bars": "len(take.bars)",
    "static": "takes = 0\ndef next_take():\n    global takes\n    takes += 1\n    return takes",
    "count": "next_take()",
    "thread local": "import threading\nlocal = threading.local()\ndef hit():\n"
    "    local.hits = getattr(local, 'hits', 0) + 1\n    return local.hits\nhit()",
    "hit": "hit()",
    "read": "len(input())",
    "child reads": "import subprocess; subprocess.run('cat').returncode == 0",
    "mark": 'print("EVCXR_BEGIN_CONTENT x/y")',
    "child": "import subprocess; subprocess.run(['sleep', '300'])",
    "deaf": "while True: pass",
    "capital": "X = [1.0, 2.0]",
    "capital's length": "len(X)",
    "closure": "add = lambda x: x + 1",
    "opaque": "def below(): yield from range(3)\nfound = list(below())",
    "opaque's length": "len(found)",
    "type": "class Bell: pass",
    "methods": "Bell.ring = lambda self: 2",
    "method": "Bell().ring()",
    "long cell": "import time; time.sleep(6)",
    "completed": "str.spl",
    "arguments": "str.split(",
    "described": "sep",
    "order": "import sys\nfor i in range(20):\n    print(f'{i},', file=sys.stderr if i % 2 else sys.stdout, flush=True)",
}


def run(notebook: Notebook, cells: dict, *keys: str):
    """Runs these cells; the last one."""
    for key in keys:
        cell = notebook.run(cells[key], timeout=PATIENCE_SECONDS)
    return cell


def is_kept(notebook, cells) -> bool:
    return run(notebook, cells, "kept").result == "42"


def never_misread(*keys: str, right: str):
    """The last cell shows the value as it was or refuses to; and nothing else is lost."""

    def probe(notebook, cells):
        cell = run(notebook, cells, "keep", *keys)
        return cell.result in (right, None) and is_kept(notebook, cells)

    return probe


def shows(*keys: str, result: str):
    return lambda notebook, cells: run(notebook, cells, *keys).result == result


def reads_an_input_box(notebook, cells):
    started = notebook.start(cells["read"], allow_stdin=True)
    try:
        notebook.client.get_stdin_msg(timeout=PATIENCE_SECONDS)
    except Empty:
        raise TimeoutError("no input_request") from None
    notebook.client.input("four")
    return notebook.finish(started, timeout=PATIENCE_SECONDS).result == "4"


def children_meet_the_end(notebook, cells):
    run(notebook, cells, "keep")
    return run(notebook, cells, "child reads").result in ("true", "True") and is_kept(
        notebook, cells
    )


def own_text_is_text(notebook, cells):
    run(notebook, cells, "keep", "mark")
    return is_kept(notebook, cells)


def one_stop_reaches_children(notebook, cells):
    run(notebook, cells, "keep")
    started = notebook.start(cells["child"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (children := [p for p in descendants(notebook.process_id) if is_sleep(p)]):
        if time.monotonic() > deadline:
            raise TimeoutError("the child did not start")
        time.sleep(0.1)
    notebook.interrupt()
    notebook.finish(started, timeout=STOP_SECONDS)
    time.sleep(0.5)
    return not any(map(is_sleep, children)) and is_kept(notebook, cells)


def is_sleep(process_id: int) -> bool:
    try:
        fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")
    except OSError:
        return False
    return fields[0].endswith("(sleep") and fields[2].split()[0] != "Z"


def stops_leave_a_usable_kernel(notebook, cells):
    started = notebook.start(cells["deaf"])
    time.sleep(3)
    for _ in range(2):
        notebook.interrupt()
        time.sleep(0.5)
    notebook.finish(started, timeout=PATIENCE_SECONDS)
    return run(notebook, cells, "usable").result == "2"


def completes_while_a_cell_runs(notebook, cells):
    started = notebook.start(cells["long cell"])
    time.sleep(2)
    asked = time.monotonic()
    request = notebook.client.complete(cells["completed"])
    try:
        matches = notebook.reply(request, asked + TAB_SECONDS)["matches"]
    except Empty:
        matches = []
    # Otherwise the late reply would be taken for the next one.
    notebook.finish(started, timeout=PATIENCE_SECONDS)
    return bool(matches)


def describes_the_call(notebook, cells):
    reply = notebook.reply(notebook.client.inspect(cells["arguments"]), None)
    return reply["found"] and cells["described"] in reply["data"].get("text/plain", "")


def keeps_the_order(notebook, cells):
    streams = run(notebook, cells, "order").contents("stream")
    numbers = re.findall(r"\d+", "".join(stream["text"] for stream in streams))
    return numbers == [str(number) for number in range(20)]


ROWS = [
    (
        "1: a value whose type got another field type is not misread",
        never_misread("number", "note", "other number", "pitch", right="60"),
    ),
    (
        "1: the same, from an array to a Vec: nothing else is lost",
        never_misread("short", "take", "long", "bars", right="3"),
    ),
    ("2: a static or global keeps its value", shows("static", "count", "count", result="2")),
    ("2: so does a thread's own", shows("thread local", "hit", result="2")),
    ("3: standard input of a cell is an input box", reads_an_input_box),
    ("3: a child that reads meets the end of file", children_meet_the_end),
    ("3: text like evcxr's marks is text", own_text_is_text),
    ("4: one stop ends a cell and its child, variables kept", one_stop_reaches_children),
    ("4: a deaf loop is ended, the kernel usable", stops_leave_a_usable_kernel),
    ("5: capital names", shows("capital", "capital's length", result="2")),
    ("5: a cell that is one closure", lambda n, c: run(n, c, "closure").status == "ok"),
    ("5: results of `impl Trait` functions", shows("opaque", "opaque's length", result="3")),
    ("5: methods, run twice", shows("type", "methods", "methods", "method", result="2")),
    (f"6: completion within {TAB_SECONDS} s while a cell runs", completes_while_a_cell_runs),
    ("6: the function's description within its parentheses", describes_the_call),
    ("6: standard output and error in order", keeps_the_order),
]

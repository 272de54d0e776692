"""A campaign: clients that leave at random moments on every channel, or send what is no message,
while a notebook runs cells.

    .lab/python/bin/python kernel/benches/leaving_clients.py --clients 500

No client may end the kernel, keep the notebook waiting or leave sockets open. The exit status is 0
if none did.
"""

import argparse
import collections
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from clients import Clients, open_files  # noqa: E402
from notebook import Notebook, install, resident_megabytes  # noqa: E402

# An answer on the control channel that takes longer is held up by somebody.
PATIENCE_SECONDS = 10
LEFTOVER_FILES = 5
CELLS = [
    "kept += 1; kept",
    'for i in 0..20_000 { println!("{i} {}", "x".repeat(200)); } kept += 1; kept',
    "struct Pair(i32, i32); kept += 1; kept",
]


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=500)
    options.add_argument("--at-once", type=int, default=8)
    options.add_argument("--seed", type=int, default=12)
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        specs = install(Path(folder), home=None)
        with Notebook(specs) as notebook:
            sys.exit(not campaign(notebook, options))


def come(clients, number, pause):
    time.sleep(pause)
    return clients.visit(number)


def campaign(notebook, options) -> bool:
    notebook.run("let mut kept = 0;")
    process_id = notebook.process_id
    files, size = open_files(process_id), resident_megabytes(process_id)
    clients = Clients(notebook.manager.connection_file, options.seed)
    visits, wrong, seconds, answers = collections.Counter(), [], [], []
    begun = time.monotonic()
    with ThreadPoolExecutor(options.at_once) as pool:
        pauses = [clients.chance.uniform(0, 1) for _ in range(options.clients)]
        coming = [pool.submit(come, clients, *visit) for visit in enumerate(pauses)]
        cells = 0
        while not all(visit.done() for visit in coming):
            cell = notebook.run(CELLS[cells % len(CELLS)], timeout=60)
            cells += 1
            seconds.append(cell.seconds)
            if cell.result != str(cells):
                wrong.append(f"cell {cells} showed {cell.result}: {cell.error}")
            asked = time.monotonic()
            notebook.client.control_channel.send(notebook.client.session.msg("kernel_info_request"))
            notebook.client.control_channel.get_msg(timeout=PATIENCE_SECONDS)
            answers.append(time.monotonic() - asked)
        for visit in coming:
            visits.update([visit.result()])
    took = time.monotonic() - begun
    is_alive = notebook.manager.is_alive() and notebook.process_id == process_id
    beats = notebook.client.hb_channel.is_beating()
    deadline = time.monotonic() + 5
    while (left := open_files(process_id) - files) > LEFTOVER_FILES and time.monotonic() < deadline:
        time.sleep(0.1)
    by_manner, by_channel = collections.Counter(), collections.Counter()
    for (manner, channel), count in visits.items():
        by_manner[manner] += count
        by_channel[channel] += count
    print(f"{visits.total()} clients in {took:.0f} s: {dict(by_channel)}")
    for manner, count in by_manner.items():
        print(f"  {manner.replace('_', ' ')}: {count}")
    print(f"the kernel lives: {is_alive}; its heart beats: {beats}")
    print(f"{cells} cells meanwhile, wrong: {len(wrong)} {wrong[:3]}")
    for what, taken in {"cell": seconds, "answer on the control channel": answers}.items():
        print(f"seconds for a {what}: median {statistics.median(taken):.3f}, "
              f"longest {max(taken):.3f}")  # fmt: skip
    grown = resident_megabytes(process_id) - size
    print(f"left over: {left} files; {grown:+.1f} MB")
    is_quick = max(answers) < PATIENCE_SECONDS
    return is_alive and beats and not wrong and is_quick and left <= LEFTOVER_FILES


if __name__ == "__main__":
    main()

"""One stop ends what a cell waits for: its children and theirs, a shell line, a compiler."""

import os
import time
from pathlib import Path

import pytest

from cell_model import Step
from cell_runs import run_step
from notebook import descendants
from stories import PATIENCE, told

SLEEP = f"61.{os.getpid()}"  # Seconds that no other program of this machine sleeps.


def sleepers() -> list[Path]:
    """The processes that sleep so long, whoever their parents are by now."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if (process / "cmdline").read_bytes() == f"sleep\0{SLEEP}\0".encode():
                found.append(process)
        except OSError:
            continue
    return found


def stop_when(notebook, started, is_moment, patience=30):
    """Presses stop once `is_moment()` holds; the cell, and the seconds until it ended."""
    deadline = time.monotonic() + patience
    while not is_moment():
        assert time.monotonic() < deadline, "the moment to press did not come"
        time.sleep(0.05)
    time.sleep(0.2)
    pressed = time.monotonic()
    notebook.interrupt()
    cell = notebook.finish(started, timeout=PATIENCE)
    return cell, time.monotonic() - pressed


SHELL = 'std::process::Command::new("sh")'
WAITS = {
    "for its status": f'std::process::Command::new("sleep").arg("{SLEEP}").status()?',
    "for its output": f'std::process::Command::new("sleep").arg("{SLEEP}").output()?',
    "for a child of a child": f'{SHELL}.args(["-c", "sleep {SLEEP}; true"]).status()?',
    "for a pipe": f'{SHELL}.args(["-c", "sleep {SLEEP} | cat"]).status()?',
    "for a spawned child": (
        f'let mut child = std::process::Command::new("sleep").arg("{SLEEP}").spawn()?; '
        f"child.wait()?"
    ),
    "in a thread": (
        f'std::thread::spawn(|| std::process::Command::new("sleep").arg("{SLEEP}").status())'
        ".join().unwrap()?"
    ),
    "for one that ignores it": (
        f'{SHELL}.args(["-c", "trap \'\' INT TERM; sleep {SLEEP}; sleep {SLEEP}"]).status()?'
    ),
    "for its last line": (
        'use std::io::BufRead; let child = std::process::Command::new("sleep")'
        f'.arg("{SLEEP}").stdout(std::process::Stdio::piped()).spawn()?; '
        "std::io::BufReader::new(child.stdout.unwrap()).lines().count()"
    ),
    "in a shell line": f"!sleep {SLEEP}",
}


@pytest.mark.parametrize("code", WAITS.values(), ids=WAITS)
def test_one_stop_ends_what_a_cell_waits_for(shelf, code):
    """Problem cell C9 and its kind."""
    with shelf.lab() as lab:
        lab.run("let held = vec![1, 2];")
        cell, seconds = stop_when(lab, lab.start(code), sleepers)
        assert seconds < 2, seconds
        assert "lost" not in told(cell), told(cell)
        deadline = time.monotonic() + 2
        while sleepers():
            assert time.monotonic() < deadline, "the child lives on"
            time.sleep(0.05)
        assert lab.run("held.len() + 1", timeout=PATIENCE).result == "3"


def test_a_loop_over_children_ends(shelf):
    """A child that a stop ended is not followed by the next."""
    child = f'std::process::Command::new("sleep").arg("{SLEEP}").status()?'
    code = f"for _ in 0..20 {{ let status = {child}; if !status.success() {{ break; }} }}"
    with shelf.lab() as lab:
        _, seconds = stop_when(lab, lab.start(code), sleepers)
        assert seconds < 2 and not sleepers()


def test_an_evaluator_that_a_stop_ended_is_followed_by_a_sound_one(own, tmp_path):
    """Problem cell F2: a deaf loop, two stops, then children that read."""
    with own.lab() as lab:
        pause = "std::thread::sleep(std::time::Duration::from_millis(50));"
        deaf = f'println!("running"); loop {{ {pause} }}'
        cell = run_step(lab, Step(deaf, "killed", stops=2))
        assert cell.status == "error" and "kept" in told(cell)
        eater = 'std::process::Command::new("sh").args(["-c", "head -c 5 > eaten.txt"]).spawn()?'
        assert lab.run(f"let eater = {eater};", timeout=PATIENCE).status == "ok"
        for _ in range(5):
            assert lab.run("1 + 1", timeout=PATIENCE).result == "2"
        assert (tmp_path / "eaten.txt").read_bytes() == b""
        cell, seconds = stop_when(lab, lab.start(WAITS["for its status"]), sleepers)
        assert seconds < 2 and not sleepers()
        assert lab.run("let kept = 41;", timeout=PATIENCE).status == "ok"


def test_every_stop_of_a_deaf_cell_is_answered(shelf):
    """The first says what the second does; nothing is stuck behind it."""
    with shelf.lab() as lab:
        deaf = 'println!("running"); loop { std::hint::spin_loop(); }'
        cell = run_step(lab, Step(deaf, "killed", stops=2))
        assert cell.status == "error" and "again" in cell.stderr, told(cell)
        assert "kept" in told(cell)
        assert lab.run("let kept = 41;").status == "ok"


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.08, 0.2])
def test_a_stop_at_any_moment_of_a_quick_cell(shelf, moment):
    """Whatever the stop meets, the cell ends and the kernel goes on."""
    with shelf.lab() as lab:
        for step in range(3):
            started = lab.start(f"let quick = vec![{step}; 3];")
            time.sleep(moment + 0.01 * step)
            lab.interrupt()
            lab.finish(started, timeout=20)
            # The stop button's channel is not the cells': the next cell must not meet the press.
            time.sleep(0.3)
            assert lab.run(f"{step} + 1", timeout=20).result == str(step + 1)


def test_a_stop_of_a_compilation_leaves_no_compiler(shelf):
    functions = "".join(
        f'fn g{n}(v: &mut Vec<String>) {{ v.push(format!("{{}} {{:?}}", {n}, v)); v.sort(); }}\n'
        for n in range(500)
    )
    code = functions + "let mut v = vec![];" + "".join(f"g{n}(&mut v);" for n in range(500))
    with shelf.lab() as lab:
        started = lab.start(code)
        time.sleep(0.7)
        pressed = time.monotonic()
        lab.interrupt()
        assert lab.finish(started, timeout=PATIENCE).status == "error"
        assert time.monotonic() - pressed < 3
        time.sleep(0.5)
        for process_id in descendants(lab.process_id):
            with open(f"/proc/{process_id}/comm") as file:
                assert "rustc" not in file.read()

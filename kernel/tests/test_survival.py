"""The evaluator is killed at random moments; the kernel and the notebook live on."""

import os
import random
import signal
import time

import pytest

from notebook import Notebook, descendants, evaluators

ROUNDS = 100
PANIC = "panic"
WORK = (
    'for i in 0..400 { println!("{i}"); std::thread::sleep(std::time::Duration::from_millis(2)); }'
)


def test_a_hundred_deaths(plain_specs):
    chance = random.Random(4)
    deaths = 0
    with Notebook(plain_specs) as notebook:
        for number in range(ROUNDS):
            how = chance.choice([signal.SIGSEGV, signal.SIGKILL, PANIC])
            if how == PANIC:
                steps = chance.randrange(50)
                cell = notebook.run(
                    f'for i in 0..{steps} {{ println!("{{i}}"); }} panic!("{number}");'
                )
                assert cell.error.startswith("Panic"), cell.error
            else:
                started = notebook.start(WORK)
                time.sleep(chance.uniform(0, 1.2))
                for process_id in evaluators(notebook):
                    os.kill(process_id, how)
                cell = notebook.finish(started, timeout=60)
                deaths += cell.status == "error"
                if cell.status == "error":
                    assert how.name in cell.error, cell.error
            assert notebook.run(f"{number} + 1", timeout=60).result == str(number + 1)
        own = descendants(notebook.process_id) | {notebook.process_id}
    assert deaths > ROUNDS // 4
    for _ in range(50):
        alive = {p for p in own if os.path.exists(f"/proc/{p}")}
        if not alive:
            break
        time.sleep(0.1)
    assert not alive


@pytest.mark.parametrize("end", ["shutdown", "kill"])
def test_no_process_and_no_folder_is_left(plain_specs, end):
    notebook = Notebook(plain_specs)
    notebook.run('std::process::Command::new("sleep").arg("1000").spawn()?; let a = 1;')
    busy = notebook.start("loop { std::thread::sleep(std::time::Duration::from_secs(1)); }")
    time.sleep(1.5)
    family = descendants(notebook.process_id)
    assert busy and family
    if end == "shutdown":
        notebook.close()
    else:
        os.kill(notebook.process_id, signal.SIGKILL)
        notebook.client.stop_channels()
        notebook.manager.cleanup_resources()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = {p for p in family if os.path.exists(f"/proc/{p}")}
        if not alive:
            return
        time.sleep(0.1)
    raise AssertionError(f"still alive: {alive}")


def test_a_flood_of_output_can_be_stopped(plain_specs):
    with Notebook(plain_specs) as notebook:
        started = notebook.start('loop { println!("{}", "x".repeat(1000)); }')
        time.sleep(3)
        notebook.interrupt()
        time.sleep(0.5)
        notebook.interrupt()
        assert notebook.finish(started, timeout=60).status == "error"
        assert notebook.run("1 + 1").result == "2"


def test_cells_that_nest_without_end(plain_specs):
    with Notebook(plain_specs) as notebook:
        process_id = notebook.process_id
        notebook.run("let kept = 41;")
        for code in ("(" * 100_000, "!" * 100_000 + "kept", "{" * 50_000 + "}" * 50_000):
            assert "nested too deeply" in notebook.run(code).error
        assert notebook.run("kept + 1").result == "42"
        assert notebook.process_id == process_id and notebook.manager.is_alive()

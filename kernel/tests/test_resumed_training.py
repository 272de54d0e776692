"""A training whose evaluator dies goes on: by the lines that the error shows, and by itself."""

import os
import re
import signal
import time
from pathlib import Path

from notebook import Notebook, evaluators

DATA = """
use neural_composer::prelude::*;
let sample = |n: usize| 0.5 * (n as f32 * 0.05 * [1.0, 1.25, 1.5][n / 8_000 % 3]).sin();
let song = Audio::mono((0..640_000).map(sample).collect(), 16_000)?;
let data = Dataset::from_audio(&[("a tone".into(), song)], DatasetSettings::fast())?;
"""
NETWORK = """
let config = NetworkConfig::stack(data.blocks().width(), [gru(96)]);
let mut network = Network::new(config, &data, 1, &Device::cpu())?;
"""
SETTINGS = "Training::epochs(60).batch(4).seed(3).dropout(0.2)"
TRAIN = "let history = network.train(&data, {settings})?;"
LOSS = "history.epochs.last().unwrap().train_loss.to_bits()"


def kept(folder: Path, shared: bool) -> str:
    maker = "in_shared_folder" if shared else "in_folder"
    checkpoints = f'Checkpoints {{ every_seconds: 0.1, ..Checkpoints::{maker}("{folder}") }}'
    return f"{SETTINGS}.checkpoints({checkpoints})"


def undisturbed(notebook: Notebook) -> str:
    """The bits of the last loss of a training that nobody disturbs."""
    for code in (DATA, NETWORK, TRAIN.format(settings=SETTINGS)):
        assert notebook.run(code).status == "ok"
    return notebook.run(LOSS).result


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.rglob("epoch-*.safetensors"))


def killed(notebook: Notebook, settings: str, folder: Path):
    """The cell of a training whose evaluator is killed in the middle."""
    for code in (DATA, NETWORK):
        assert notebook.run(code).status == "ok"
    started = notebook.start(TRAIN.format(settings=settings))
    deadline = time.monotonic() + 60
    while not any(path.name > "epoch-0009" for path in checkpoints(folder)):
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.02)
    for process_id in evaluators(notebook):
        os.kill(process_id, signal.SIGKILL)
    cell = notebook.finish(started)
    assert cell.status == "error"
    return cell


def shown(cell) -> str:
    """All that the chart of a cell said at last."""
    return "".join(str(content["data"]) for content in cell.contents("update_display_data")[-1:])


def test_the_two_shown_lines_go_on_to_the_same_loss(specs, tmp_path):
    with Notebook(specs) as notebook:
        expected = undisturbed(notebook)
        cell = killed(notebook, kept(tmp_path, shared=False), tmp_path)
        assert re.search(r"saved after epoch \d+ of 60", cell.error), cell.error
        lines = [line for line in cell.error.splitlines() if line.startswith("    let ")]
        assert len(lines) == 2, cell.error
        assert notebook.run(DATA).status == "ok"
        cell = notebook.run("\n".join(lines))
        assert cell.status == "ok", cell.error
        assert "went on from" in shown(cell)
        assert notebook.run(LOSS).result == expected
        assert notebook.run("history.epochs.len()").result == "60"


def test_the_same_cell_goes_on_by_itself_after_a_restart(specs, tmp_path):
    with Notebook(specs) as notebook:
        expected = undisturbed(notebook)
        cell = killed(notebook, kept(tmp_path, shared=True), tmp_path)
        assert "it goes on by itself" in cell.error, cell.error
    with Notebook(specs) as notebook:
        for code in (DATA, NETWORK):
            assert notebook.run(code).status == "ok"
        cell = notebook.run(TRAIN.format(settings=kept(tmp_path, shared=True)))
        assert "went on from" in shown(cell)
        assert notebook.run(LOSS).result == expected
        # What is done is not picked up, and its network is there should the evaluator die.
        assert len(checkpoints(tmp_path)) == 1
        for process_id in evaluators(notebook):
            os.kill(process_id, signal.SIGKILL)
        cell = notebook.run("1 + 1")
        (line,) = (line for line in cell.stderr.splitlines() if line.startswith("    let "))
        assert notebook.run(DATA).status == "ok"
        assert notebook.run(line + " network.updates()").result.isdigit()


def test_one_word_starts_afresh(specs, tmp_path):
    with Notebook(specs) as notebook:
        killed(notebook, kept(tmp_path, shared=True), tmp_path)
        for code in (DATA, NETWORK):
            assert notebook.run(code).status == "ok"
        settings = kept(tmp_path, shared=True) + ".afresh()"
        cell = notebook.run(TRAIN.format(settings=settings))
        assert cell.status == "ok"
        assert "went on from" not in shown(cell)


def test_trainings_in_the_lab_keep_their_own_checkpoints(specs):
    """Without a word about it in the cell, the stop button and a restart lose nothing."""
    folder = Path(__file__).parents[2] / ".lab/checkpoints"
    before = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    # Long enough to be stopped on a fast machine.
    long = SETTINGS.replace("epochs(60)", "epochs(300)")
    settings = f"{long}.learning_rate({1e-3 + (time.time() % 1000) * 1e-9})"
    with Notebook(specs) as notebook:
        for code in (DATA, NETWORK):
            assert notebook.run(code).status == "ok"
        started = notebook.start(TRAIN.format(settings=settings))
        time.sleep(2)
        notebook.interrupt()
        assert "stopped by the user" in shown(notebook.finish(started))
    # Cells of other tests train beside this one.
    new = [path for path in folder.iterdir() if path.name not in before]
    assert any(len(checkpoints(path)) == 1 for path in new), new
    with Notebook(specs) as notebook:
        for code in (DATA, NETWORK):
            assert notebook.run(code).status == "ok"
        cell = notebook.run(TRAIN.format(settings=settings))
        assert "went on from" in shown(cell)
        assert notebook.run("history.epochs.len()").result == "300"

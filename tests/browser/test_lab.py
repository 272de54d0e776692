"""JupyterLab in a real browser, on the lab's own kernel: players are used as a person would, a
training is watched and stopped, and what follows goes on.

Starts ./lab with settings of its own and a notebook of its own, which it removes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from browser import CHECKOUT, SHOTS, until
from lab_server import TOKEN, LabServerTest
from player import PlayerCheck

NAME = "browser-test.ipynb"
# One that was executed before and is trusted, as ./lab does it with those that came with it.
EXECUTED = "browser-test-executed.ipynb"
TRUST = "import sys, trusted_notebooks as t; t.trust(sys.argv[1:2], sys.argv[2])"
# A slash would be a folder.
HOSTILE = "<img src=x onerror=alert(1)>\\u{202e}\u05e9\u05dc\u05d5\u05dd"
CELLS = [
    "use neural_composer::prelude::*;\n"
    'let song = Song::open("../datasets/songs/prelude.mp3")?;\n'
    "song",
    'let other = Song::open("../datasets/songs/lantern-street.mp3")?;\n'
    "Player::new(song.title(), song.audio()).compared_with(other.title(), other.audio())",
    "let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;\n"
    "let mut network = Recipe::Fast.network(&data, 1, &Device::cpu())?;\n"
    "data",
    "let training = Training { epochs: 100_000, ..Recipe::Fast.training(&data) };\n"
    "let listening = Listening { every_epochs: 60, seconds: 3.0, ..Listening::default() };\n"
    "let history = network.train_and_listen(&data, training, listening)?;",
    "network.hidden_states(song.audio())?",
    "network.compose(3.0, Seed::training(&data, 1)?)?",
    f'Song::open("{HOSTILE}.mp3")?',
]
SONG, COMPARISON, DATASET, TRAINING, INSIDE, PIECE, MISSING = range(len(CELLS))
CHART = ".jp-OutputArea-output:has(svg.nc-drawing)"
# A training that is killed: the same one undisturbed comes first.
RESUMED = "browser-test-resumed.ipynb"
MAKE_DATA = (
    "use neural_composer::prelude::*;\n"
    'let song = Song::open("../datasets/songs/prelude.mp3")?;\n'
    "let data = Dataset::from_songs(&[song], Recipe::Fast.dataset())?;"
)
NEW_NETWORK = (
    "let config = NetworkConfig::stack(data.blocks().width(), [gru(64)]);\n"
    "let mut network = Network::new(config, &data, 1, &Device::cpu())?;\n"
    "let history = network.train(&data, Training::epochs(60).seed(3){checkpoints})?;"
)
LAST_LOSS = (
    'println!("{} epochs, {:x}", history.epochs.len(), '
    "history.epochs.last().unwrap().train_loss.to_bits());"
)
# Where the two lines are written that the error shows.
SHOWN_LINES = "// Here they come."


def resumed_cells(folder):
    checkpoints = (
        f'.checkpoints(Checkpoints {{ every_seconds: 0.2, ..Checkpoints::in_folder("{folder}") }})'
    )
    disturbed = NEW_NETWORK.format(checkpoints=checkpoints)
    undisturbed = NEW_NETWORK.format(checkpoints="")
    return [MAKE_DATA, undisturbed, LAST_LOSS, disturbed, MAKE_DATA, SHOWN_LINES, LAST_LOSS]


def notebook(sources):
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": source}
        for i, source in enumerate(sources)
    ]  # fmt: skip
    kernel = {"name": "neural-composer", "display_name": "Rust (NeuralComposer)"}
    metadata = {"kernelspec": {**kernel, "language": "rust"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def evaluators(server):
    """The processes that run cells, below the process `server`."""
    parents, running = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8")
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
            if b"NEURAL_COMPOSER_KERNEL_EVALUATOR=" in (folder / "environ").read_bytes():
                running.add(int(folder.name))
        except OSError:
            continue

    def is_below(process_id):
        while process_id and process_id != server:
            process_id = parents.get(process_id, 0)
        return process_id == server

    return [process_id for process_id in running if is_below(process_id)]


class Lab(LabServerTest):
    # The wait for a result that a stopped cell no longer has is JupyterLab's own affair.
    allowed_complaints = r"Canceled future for execute_request"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        own = cls.enterClassContext(tempfile.TemporaryDirectory())
        # All cells stay on the page, seen or not.
        tracker = Path(own, "settings/@jupyterlab/notebook-extension")
        tracker.mkdir(parents=True)
        settings = json.dumps({"windowingMode": "none"})
        (tracker / "tracker.jupyterlab-settings").write_text(settings, encoding="utf-8")
        copy = CHECKOUT / "notebooks" / NAME
        copy.write_text(json.dumps(notebook(CELLS)), encoding="utf-8")
        cls.addClassCleanup(copy.unlink)
        cls.kept = Path(own, "checkpoints")
        resumed = CHECKOUT / "notebooks" / RESUMED
        resumed.write_text(json.dumps(notebook(resumed_cells(cls.kept))), encoding="utf-8")
        cls.addClassCleanup(resumed.unlink)
        executed = CHECKOUT / "notebooks" / EXECUTED
        shutil.copy(CHECKOUT / "notebooks" / "02-explore-songs.ipynb", executed)
        cls.addClassCleanup(executed.unlink)
        subprocess.run(
            [CHECKOUT / ".lab/python/bin/python", "-c", TRUST,
             executed, CHECKOUT / ".lab/jupyter/data"],
            cwd=CHECKOUT / "setup", check=True,
        )  # fmt: skip
        cls.start_lab(own)

    def open_notebook(self, name):
        # A workspace of its own: what another test opened is not opened again.
        workspace = f"http://localhost:{self.port}/lab/workspaces/{self._testMethodName}"
        address = f"{workspace}/tree/notebooks/{name}?token={TOKEN}"
        return self.open(address, offline=False, width=1360)

    def run_cells(self, first, last):
        self.cells.nth(first).locator(".cm-content").click()
        for _ in range(first, last + 1):
            self.page.keyboard.press("Shift+Enter")

    def ended(self, cell):
        prompt = self.cells.nth(cell).locator(".jp-InputArea-prompt").inner_text()
        return re.search(r"\[\d+\]", prompt)

    def shown(self, cell, what, seconds=120):
        found = self.cells.nth(cell).locator(f".jp-OutputArea {what}")
        until(self.page, f"cell {cell + 1} shows {what}", seconds, found.count)
        return found

    def test_a_notebook_that_came_with_the_lab_shows_its_players_at_once(self):
        page = self.open_notebook(EXECUTED)
        players = page.locator(".nc-player.nc-ready")
        until(page, "there are players, and nothing was run", 120, players.count)
        PlayerCheck(self, page, players.first).plays()
        page.screenshot(path=SHOTS / "lab-opened.png")

    def begin(self, name, count):
        """Opens a notebook of so many cells, and waits for its kernel."""
        self.page = page = self.open_notebook(name)
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        until(page, "the notebook is open", 120, lambda: self.cells.count() == count)
        toolbar = page.locator(".jp-NotebookPanel-toolbar").first
        kernel = toolbar.get_by_text("Rust (NeuralComposer)", exact=True).first
        until(page, "our kernel is the notebook's", 120, kernel.is_visible)
        # What is run before the kernel has answered is lost.
        idle = page.get_by_text("Rust (NeuralComposer) | Idle")
        until(page, "the kernel is ready", 120, idle.count)
        return page

    def test_a_training_whose_process_is_killed_goes_on_by_the_shown_lines(self):
        data, undisturbed, expected, disturbed, again, shown_lines, loss = range(7)
        page = self.begin(RESUMED, 7)
        self.run_cells(data, expected)
        wanted = self.shown(expected, "pre", 240).first.inner_text()
        self.assertRegex(wanted, r"^60 epochs, [0-9a-f]+")
        self.shown(undisturbed, CHART)
        self.run_cells(disturbed, disturbed)
        # In the middle, with a checkpoint.

        def is_late():
            return any(path.name > "epoch-0020" for path in self.kept.glob("epoch-*"))

        until(page, "there are checkpoints", 120, is_late)
        for process_id in evaluators(self.server.pid):
            os.kill(process_id, signal.SIGKILL)
        error = '[data-mime-type="application/vnd.jupyter.stderr"]'
        words = self.shown(disturbed, error).first.inner_text()
        self.assertRegex(words, r"saved after epoch \d+ of 60")
        lines = [line for line in words.splitlines() if line.strip().startswith("let ")]
        self.assertEqual(len(lines), 2, words)
        page.screenshot(path=SHOTS / "lab-killed.png")
        self.cells.nth(shown_lines).locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text("\n".join(line.strip() for line in lines))
        self.run_cells(again, loss)
        found = self.shown(loss, "pre", 240).first.inner_text()
        self.assertEqual(found, wanted)
        chart = self.shown(shown_lines, CHART).first
        self.assertRegex(chart.inner_text(), r"60 epochs in .*went on from")
        self.cells.nth(shown_lines).scroll_into_view_if_needed()
        page.screenshot(path=SHOTS / "lab-resumed.png")

    def test_a_session(self):
        page = self.begin(NAME, len(CELLS))
        self.run_cells(SONG, COMPARISON)

        for cell in [SONG, COMPARISON]:
            check = PlayerCheck(self, page, self.shown(cell, ".nc-player.nc-ready"))
            check.plays()
            check.seeks()
            check.loops()
            check.obeys_keys()
            check.shows_the_spectrogram()
        check.switches()
        # JupyterLab lays out lists of its own kind, one below the other.
        facts = self.cells.nth(SONG).locator(".nc-facts div")
        first, second = facts.nth(0).bounding_box(), facts.nth(1).bounding_box()
        self.assertEqual(first["y"], second["y"], "facts stand side by side")
        self.assertEqual(
            page.get_by_text("Jupyter news").count(), 0, "the first start asks nothing"
        )
        page.screenshot(path=SHOTS / "lab-players.png")

        self.run_cells(DATASET, MISSING)
        self.watch_training()
        self.listen_while_it_trains()
        page.screenshot(path=SHOTS / "lab-training.png")
        stop = '.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]'
        page.locator(stop).first.click()
        until(page, "the stopped cell ends", 10, lambda: self.ended(TRAINING))
        said = self.cells.nth(TRAINING).locator(".jp-OutputArea").inner_text()
        self.assertRegex(said, r"(?i)stopped|interrupted")
        self.assertGreaterEqual(self.shown(TRAINING, "audio").count(), 1)

        # The cells behind it go on, with the network as trained so far.
        self.shown(INSIDE, "svg.nc-drawing")
        self.shown(PIECE, ".nc-player.nc-ready")
        # A file's name in an error is text, too.
        error = self.shown(MISSING, '[data-mime-type="application/vnd.jupyter.stderr"]').first
        self.assertIn("<img src=x onerror=alert(1)>\\u{202e}\u05e9", error.inner_text())
        self.assertEqual(self.cells.nth(MISSING).locator("img").count(), 0)
        for theme in ["light", "dark"]:
            if theme == "dark":
                self.choose_dark_theme()
            for name, cell in {"song": SONG, "comparison": COMPARISON, "dataset": DATASET,
                               "training": TRAINING, "inside": INSIDE}.items():  # fmt: skip
                output = self.cells.nth(cell).locator(".jp-OutputArea").first
                output.scroll_into_view_if_needed()
                page.wait_for_timeout(150)
                output.screenshot(path=SHOTS / f"lab-{theme}-{name}.png")
        page.screenshot(path=SHOTS / "lab-dark.png")

    def watch_training(self):
        """The chart is drawn in place, again and again."""
        chart = self.shown(TRAINING, CHART)
        states = set()
        for _ in range(30):
            states.add(chart.first.inner_html())
            self.page.wait_for_timeout(100)
        self.assertFalse(self.ended(TRAINING), "the training runs")
        self.assertEqual(chart.count(), 1, "one chart")
        self.assertRegex(chart.first.inner_text(), r"batches/s, .* left", "how long still")
        self.assertGreaterEqual(len(states), 3, "the chart changes")

    def listen_while_it_trains(self):
        """A sample plays on while the chart above it is redrawn."""
        sample = self.shown(TRAINING, "audio", 240).first
        chart = self.cells.nth(TRAINING).locator(CHART).first
        before = chart.inner_html()
        sample.evaluate("a => a.play()")
        time_of = "a => a.ended ? Infinity : a.currentTime"
        until(self.page, "two seconds are heard", 30, lambda: sample.evaluate(time_of) > 2.0)
        self.assertFalse(self.ended(TRAINING), "the training runs")
        self.assertNotEqual(chart.inner_html(), before, "the chart was redrawn meanwhile")

    def choose_dark_theme(self):
        page = self.page
        page.locator(".lm-MenuBar-item", has_text="Settings").first.click()
        page.locator(".lm-Menu-item", has_text="Theme").first.hover()
        page.locator(".lm-Menu-item", has_text="JupyterLab Dark").first.click()
        dark = "document.body.dataset.jpThemeLight === 'false'"
        until(page, "the dark theme", 10, lambda: page.evaluate(dark))
        page.wait_for_timeout(500)


if __name__ == "__main__":
    unittest.main()

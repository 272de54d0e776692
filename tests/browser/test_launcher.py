"""JupyterLab's launcher: our kernel comes first, and makes notebooks in notebooks/."""

import json
import tempfile
import unittest
import urllib.request

from browser import CHECKOUT, SHOTS, until
from lab_server import TOKEN, LabServerTest

CARD = ".jp-LauncherCard"


class Launcher(LabServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.start_lab(cls.enterClassContext(tempfile.TemporaryDirectory()))

    @classmethod
    def ask(cls, path):
        address = f"http://localhost:{cls.port}/{path}?token={TOKEN}"
        with urllib.request.urlopen(address) as answer:
            return json.load(answer)

    def notebooks(self):
        return {entry["name"] for entry in self.ask("api/contents/notebooks")["content"]}

    def test_our_kernel_comes_first_and_makes_notebooks_beside_the_others(self):
        before = self.notebooks()
        # The address that ./lab itself opens.
        address = f"http://localhost:{self.port}/?token={TOKEN}"
        page = self.open(address, offline=False, width=1360)
        files = page.locator(".jp-DirListing-item .jp-DirListing-itemText")

        def lists_notebooks():
            # The folder above them may be listed first, for a moment.
            return before <= {name.strip() for name in files.all_inner_texts()}

        until(page, "the files of notebooks/", 120, lists_notebooks)
        section = page.locator(".jp-Launcher-section", has_text="Notebook").first
        until(page, "the launcher is open", 60, section.locator(CARD).count)
        first = section.locator(CARD).first
        self.assertIn("Rust (NeuralComposer)", first.inner_text())
        logo = first.locator("img")
        self.assertIn("/kernelspecs/neural-composer/logo-svg.svg", logo.get_attribute("src"))
        loaded = "image => image.complete && image.naturalWidth > 0"
        until(page, "our logo is shown", 30, lambda: logo.evaluate(loaded))
        page.screenshot(path=SHOTS / "lab-launcher.png")

        first.click()
        name = until(page, "there is a new notebook", 60, lambda: self.notebooks() - before).pop()
        path = CHECKOUT / "notebooks" / name
        self.addCleanup(path.unlink, missing_ok=True)
        toolbar = page.locator(".jp-NotebookPanel-toolbar")
        kernel = toolbar.get_by_text("Rust (NeuralComposer)", exact=True)
        until(page, "its kernel is ours", 120, kernel.count)

        def session():
            sessions = [s for s in self.ask("api/sessions") if s["path"] == f"notebooks/{name}"]
            return sessions and sessions[0]["kernel"]["name"]

        self.assertEqual(until(page, "its kernel runs", 120, session), "neural-composer")
        idle = page.get_by_text("Rust (NeuralComposer) | Idle")
        until(page, "its kernel is ready", 120, idle.count)
        page.keyboard.press("Control+S")
        # The first time it asks for a name, and offers the one that the file has.
        page.locator(".jp-Dialog .jp-mod-accept").click()

        def saved():
            # The server empties the file before it writes: a look between finds half of it.
            try:
                written = json.loads(path.read_text(encoding="utf-8"))
            except json.JSONDecodeError:
                return None
            return written["metadata"].get("kernelspec", {}).get("name")

        self.assertEqual(until(page, "the file names it", 30, saved), "neural-composer")


if __name__ == "__main__":
    unittest.main()

"""The executed notebooks, exported by nbconvert, opened from their files with the network off.

`./lab --execute` puts them into target/notebooks.
"""

import json
import re
import unittest

from browser import CHECKOUT, SHOTS, BrowserTest
from player import PlayerCheck

EXPORTS = CHECKOUT / "target" / "notebooks"
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("[0-9]*.ipynb"))


def displays_of(notebook):
    """How many outputs of a notebook hold a picture, and how many a player."""
    outputs = [
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    ]
    players = sum('<section class="nc-player"' in html for html in outputs)
    return players + sum('<img class="nc-static"' in html for html in outputs), players


class Exports(BrowserTest):
    # nbconvert's template links require.js and MathJax from the network. Without it both are
    # missing, which must not matter; everything else of the page is in the page.
    allowed_requests = r"^(file|data|blob):|^https://cdnjs\.cloudflare\.com/ajax/libs/"
    allowed_complaints = r"ERR_INTERNET_DISCONNECTED"

    def export(self, notebook):
        page = EXPORTS / f"{notebook.stem}.html"
        self.assertTrue(page.exists(), f"{page}: run ./lab --execute {notebook} first")
        return page.as_uri()

    def test_they_work_from_a_file_with_the_network_off(self):
        for notebook in NOTEBOOKS:
            with self.subTest(notebook.name):
                page = self.open(self.export(notebook))
                page.wait_for_timeout(500)
                pictures, players = displays_of(EXPORTS / notebook.name)
                self.assertGreater(pictures, 0)
                # The scripts have run: players are ready, drawings stand in for bitmaps.
                self.assertEqual(page.locator(".nc-player.nc-ready").count(), players)
                self.assertEqual(page.locator("script.nc-source").count(), 0)
                drawn = page.locator("svg.nc-drawing").count()
                self.assertEqual(drawn + players, pictures)
                if players:
                    check = PlayerCheck(self, page, page.locator(".nc-player").first)
                    check.plays()
                    check.seeks()
                page.screenshot(path=SHOTS / f"{notebook.stem}.png")

    def test_they_show_pictures_with_scripts_off(self):
        for notebook in NOTEBOOKS:
            with self.subTest(notebook.name):
                page = self.open(self.export(notebook), scripts=False)
                pictures, players = displays_of(EXPORTS / notebook.name)
                shown = page.locator("img.nc-static, img.nc-still").all()
                self.assertEqual(len(shown), pictures)
                for image in shown:
                    self.assertTrue(image.is_visible())
                    self.assertGreater(image.bounding_box()["width"], 300)
                    self.assertTrue(image.get_attribute("alt"))
                plain = page.locator(".nc-player audio").all()
                self.assertGreaterEqual(len(plain), players)
                self.assertTrue(all(audio.is_visible() for audio in plain))
                page.screenshot(path=SHOTS / f"{notebook.stem}-no-scripts.png")

    def test_nothing_of_ours_is_fetched(self):
        for notebook in NOTEBOOKS:
            with self.subTest(notebook.name):
                cells = json.loads((EXPORTS / notebook.name).read_text(encoding="utf-8"))["cells"]
                for output in (o for cell in cells for o in cell.get("outputs", [])):
                    html = "".join(output.get("data", {}).get("text/html", ""))
                    self.assertIsNone(re.search(r"""(src|href)=["']?(https?:)?//""", html))


if __name__ == "__main__":
    unittest.main()

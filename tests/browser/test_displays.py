"""Every display on a page opened from its file, with the network off.

The page is made by `cargo run --example displays -- target/browser/page`; the song's name, title
and tags are markup, right-to-left text and emoji.
"""

import unittest

from browser import PAGE, SHOTS, BrowserTest, until
from player import DECODED, PlayerCheck, check_decoded

URL = (PAGE / "displays.html").as_uri()
HOSTILE = "<img src=x onerror=alert(1)>"
HEBREW = "שלום"
# As JupyterLab's dark theme sets them.
DARK = """() => {
  document.body.dataset.jpThemeLight = "false";
  const theme = { "layout-color0": "#111", "layout-color1": "#212121", "border-color3": "#424242",
    "ui-font-color1": "rgba(255,255,255,.87)", "ui-font-color2": "rgba(255,255,255,.54)" };
  for (const [name, value] of Object.entries(theme))
    document.body.style.setProperty("--jp-" + name, value);
  document.body.style.background = "#111";
  document.body.style.color = "#ddd";
}"""


class Displays(BrowserTest):
    def test_players_play_seek_loop_and_switch(self):
        page = self.open(URL)
        for name in ["song", "long song", "comparison"]:
            with self.subTest(name):
                player = page.locator(f"section[data-display='{name}'] .nc-player")
                check = PlayerCheck(self, page, player)
                check.plays()
                playing = page.locator("audio").evaluate_all(
                    "all => all.filter(a => !a.paused && !a.muted).length"
                )
                self.assertEqual(playing, 1, "players do not play over one another")
                check.seeks()
                check.loops()
                check.obeys_keys()
                check.shows_the_spectrogram()
                if name == "comparison":
                    check.switches()

    def test_names_are_text_in_every_display(self):
        page = self.open(URL)
        page.wait_for_timeout(500)
        made_of_names = page.evaluate(
            """() => document.querySelectorAll("img[src=x], [onerror], b[onclick]").length"""
        )
        self.assertEqual(made_of_names, 0, "a name became an element")
        named = ["song", "comparison", "dataset", "network", "runs", "choices", "tags", "failure"]
        for name in [*named, "progress", "piece", "low rate", "chart", "corpus", "sweep"]:
            with self.subTest(name):
                text = page.locator(f"section[data-display='{name}']").inner_text()
                self.assertIn(HOSTILE, text)
                self.assertIn(HEBREW, text)
                self.assertIn("🎹", text)
                self.assertNotIn("\u202e", text, "an override would turn what follows")

    def test_a_name_turns_nothing_that_is_said_after_it(self):
        caption = self.open(URL).locator("section[data-display='sweep'] caption")
        self.assertIn("2 runs finished", caption.inner_text())
        self.assertNotIn("finished", caption.locator("bdi").first.inner_text())

    def test_pictures_are_there_without_scripts(self):
        page = self.open(URL, scripts=False)
        for name in ["song", "piece", "comparison", "spectrogram", "dataset", "history", "runs",
                     "hidden states", "choices", "low rate", "chart", "drawing",
                     "sweep"]:  # fmt: skip
            with self.subTest(name):
                section = page.locator(f"section[data-display='{name}']")
                image = section.locator("img").first
                self.assertTrue(image.is_visible())
                self.assertGreater(image.bounding_box()["width"], 100)
                self.assertTrue(image.get_attribute("alt"))
        self.assertTrue(page.locator("section[data-display=song] audio").first.is_visible())
        self.assertNotIn("<svg", page.locator("body").inner_text())
        page.screenshot(path=SHOTS / "displays-no-scripts.png", full_page=True)

    def test_light_dark_and_narrow(self):
        """For people to look at; a program can only say that nothing sticks out."""
        for name, options in {
            "light": {},
            "dark": {"scheme": "dark"},
            "lab-dark": {},
            "narrow": {"width": 420},
        }.items():
            with self.subTest(name):
                page = self.open(URL, **options)
                if "dark" in name:
                    page.evaluate(DARK)
                page.wait_for_timeout(500)
                page.screenshot(path=SHOTS / f"displays-{name}.png", full_page=True)
                if name != "narrow":
                    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    self.assertLessEqual(wide, 0, "the page is wider than the window")

    def test_the_sound_is_as_long_and_as_loud_as_the_page_says(self):
        page = self.open(URL)
        for name in ["song", "long song"]:
            with self.subTest(name):
                sound = page.evaluate(DECODED, f"section[data-display='{name}']")
                check_decoded(self, sound)
        self.assertEqual((sound["mime"], sound["channels"]), ("data:audio/ogg;codecs=opus", 2))

    def test_plain_audio_plays_to_its_end(self):
        """What a page without scripts has to offer: the browser's own player."""
        page = self.open(URL, scripts=False)
        for name in ["song", "long song", "piece", "dataset", "sample", "low rate"]:
            with self.subTest(name):
                audio = page.locator(f"section[data-display='{name}'] audio").first
                audio.evaluate("a => { a.currentTime = a.duration - 0.6; return a.play() }")
                until(page, "it ends", 5, lambda a=audio: a.evaluate("a => a.ended || a.error"))
                self.assertIsNone(audio.evaluate("a => a.error && a.error.message"))


if __name__ == "__main__":
    unittest.main()

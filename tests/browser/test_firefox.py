"""The sound of displays in Firefox, where it is installed; `./test` says where it is not.

The page is the one of `test_displays.py`.
"""

import time
import unittest

from browser import PAGE
from firefox import Firefox, firefox_program
from player import DECODED, check_decoded

URL = (PAGE / "displays.html").as_uri()
SECTIONS = ["song", "long song", "piece", "dataset", "sample", "low rate"]
AUDIO = "document.querySelector(`section[data-display='${name}'] audio`)"


class FirefoxSound(unittest.TestCase):
    def open(self, scripts):
        firefox = Firefox(scripts)
        self.addCleanup(firefox.close)
        firefox.open(URL)
        return firefox

    def until(self, firefox, what, expression, name):
        for _ in range(150):
            if found := firefox.run(
                f"name => {{ const audio = {AUDIO}; return {expression} }}", name
            ):
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within 15 s: {what}")

    def test_plain_audio_plays_to_its_end(self):
        firefox = self.open(scripts=False)
        self.assertEqual(firefox.run("() => document.querySelectorAll('.nc-ready').length"), 0)
        for name in SECTIONS:
            with self.subTest(name):
                firefox.run(f"name => {{ {AUDIO}.muted = true; {AUDIO}.play() }}", name)
                self.until(firefox, "it plays", "audio.currentTime > 0.3 || audio.error", name)
                firefox.run(f"name => {{ {AUDIO}.currentTime = {AUDIO}.duration - 0.6 }}", name)
                self.until(firefox, "it ends", "audio.ended || audio.error", name)
                error = firefox.run(f"name => {AUDIO}.error && {AUDIO}.error.message", name)
                self.assertIsNone(error)

    def test_the_sound_is_as_long_and_as_loud_as_the_page_says(self):
        firefox = self.open(scripts=True)
        self.assertGreater(firefox.run("() => document.querySelectorAll('.nc-ready').length"), 0)
        for name in ["song", "long song"]:
            with self.subTest(name):
                check_decoded(self, firefox.run(DECODED, f"section[data-display='{name}']"))


def load_tests(loader, tests, pattern):
    return tests if firefox_program() else unittest.TestSuite()


if __name__ == "__main__":
    unittest.main()

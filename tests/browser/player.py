"""What a player has to do when it is clicked, dragged and typed at."""

from browser import until

POSITIONS = "all => all.map(audio => audio.currentTime)"
# Where the playhead is drawn and where the sound is, as fractions and at one moment.
PLAYHEAD = """async canvas => {
  await new Promise(requestAnimationFrame);
  const audio = canvas.closest(".nc-player").querySelector("audio");
  const heard = audio.currentTime / Number(canvas.parentElement.getAttribute("aria-valuemax"));
  const row = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1);
  const columns = [...Array(row.width).keys()].filter(x => row.data[4 * x + 3] > 200);
  return [columns.length ? columns.at(-1) / row.width : -1, heard];
}"""
# How many different colours the waveform has, and how much of it is drawn on.
DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let i = 3; i < data.length; i += 4) painted += data[i] > 100;
  return painted / (data.length / 4);
}"""

# What the browser decodes of the first track below an element, and what the page says of it.
DECODED = """async selector => {
  const track = document.querySelector(selector).querySelector(".nc-track");
  const { source } = track.closest(".nc-player").ncPlayer.tracks[0];
  const file = Uint8Array.from(atob(source.split(",")[1]), c => c.charCodeAt(0));
  const { rate, seconds, channels, loudness } = track.dataset;
  const sound = await new OfflineAudioContext(1, 1, Number(rate)).decodeAudioData(file.buffer);
  let power = 0;
  for (let channel = 0; channel < sound.numberOfChannels; channel++)
    for (const sample of sound.getChannelData(channel)) power += sample ** 2;
  return { frames: sound.length, channels: sound.numberOfChannels, mime: source.split(";base64")[0],
    loudness: 10 * Math.log10(power / sound.length / sound.numberOfChannels),
    said: { frames: seconds * rate, channels: Number(channels), loudness: Number(loudness) } };
}"""


def check_decoded(test, sound):
    """The page says the length to a ten-thousandth of a second, the level to a tenth of a dB."""
    said = sound["said"]
    test.assertAlmostEqual(sound["frames"], said["frames"], delta=3)
    test.assertEqual(sound["channels"], said["channels"])
    test.assertAlmostEqual(sound["loudness"], said["loudness"], delta=0.5)


class PlayerCheck:
    """Uses one player of a page as a person would."""

    def __init__(self, test, page, player):
        self.test, self.page, self.player = test, page, player
        self.stage = player.locator(".nc-stage")
        player.scroll_into_view_if_needed()
        self.seconds = float(self.stage.get_attribute("aria-valuemax"))

    def position(self):
        return self.player.locator("audio").evaluate_all(POSITIONS)[0]

    def near(self, expected, within, what):
        def probe():
            return abs(self.position() - expected) <= within

        until(self.page, f"{what}: at {expected:.2f} ± {within} s", 5, probe)

    def place(self, fraction):
        box = self.stage.bounding_box()
        return box["x"] + box["width"] * fraction, box["y"] + 30

    def drag(self, start, end):
        self.page.mouse.move(*self.place(start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(end), steps=5)
        self.page.mouse.up()

    def plays(self):
        audio = self.player.locator("audio").first
        self.test.assertFalse(audio.is_visible(), "the plain controls are replaced")
        self.test.assertGreater(self.player.locator("canvas").first.evaluate(DRAWN), 0.01)
        self.player.get_by_role("button", name="Play").click()
        until(self.page, "the sound moves on", 10, lambda: self.position() > 0.5)
        drawn, heard = self.player.locator(".nc-cover").evaluate(PLAYHEAD)
        self.test.assertAlmostEqual(drawn, heard, delta=0.15 / self.seconds + 0.005)
        self.test.assertRegex(self.player.locator(".nc-level").text_content(), r"\d+ dB")

    def seeks(self):
        # What sounds may be shorter than what it is compared with.
        length = self.player.locator("audio").first.evaluate("audio => audio.duration")
        half = 0.5 * min(1.0, length / self.seconds)
        self.page.mouse.click(*self.place(half))
        self.near(self.seconds * half, 0.8, "a click seeks")
        self.drag(half, half / 2)
        self.near(self.seconds * half / 2, 0.8, "a drag seeks")

    def loops(self):
        width = self.stage.bounding_box()["width"]
        start = 0.3
        end = min(0.95, start + 0.5 / self.seconds + 8 / width)
        self.page.keyboard.down("Shift")
        self.drag(start, end)
        self.page.keyboard.up("Shift")
        low, high = self.seconds * start, self.seconds * end
        # Longer than the part is: without the loop it would be far beyond.
        for _ in range(8):
            self.page.wait_for_timeout(300)
            at = self.position()
            self.test.assertTrue(low - 0.15 < at < high + 0.3, f"loops {low}–{high}, at {at}")

    def obeys_keys(self):
        audio = self.player.locator("audio").first
        self.stage.focus()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Space")
        until(self.page, "space pauses", 3, lambda: audio.evaluate("a => a.paused"))
        self.page.keyboard.press("Home")
        self.near(0.0, 0.001, "home goes to the start")
        self.page.keyboard.press("ArrowRight")
        self.near(min(5.0, self.seconds), 0.02, "an arrow moves by five seconds")

    def shows_the_spectrogram(self):
        self.player.get_by_role("button", name="Spectrogram").click()
        image = self.player.locator(".nc-area img").first
        width = image.evaluate("async i => { await i.decode(); return i.naturalWidth }")
        self.test.assertGreater(width, 100)

    def switches(self):
        """Only for a comparison: the same position in A and B, and one of them heard."""
        tabs = self.player.get_by_role("radio")
        self.stage.focus()
        self.page.keyboard.press("Home")
        self.player.get_by_role("button", name="Play").click()
        self.page.wait_for_timeout(700)
        tabs.nth(1).click()

        def apart():
            first, second = self.player.locator("audio").evaluate_all(POSITIONS)
            return abs(first - second)

        # On a busy machine the one that was not heard may need to catch up.
        until(self.page, "A and B are at the same place", 8, lambda: apart() < 0.06)
        states = self.player.locator("audio").evaluate_all("all => all.map(a => a.muted)")
        self.test.assertEqual(states, [True, False], "only B is heard")
        self.page.keyboard.press("a")
        self.test.assertEqual(tabs.nth(0).get_attribute("aria-checked"), "true")
        states = self.player.locator("audio").evaluate_all("all => all.map(a => a.muted)")
        self.test.assertEqual(states, [False, True], "the key A switches back")
        paused = "all => all.every(a => a.paused)"
        audio = self.player.locator("audio")
        self.page.keyboard.press("Space")
        until(self.page, "space pauses on a tab, too", 3, lambda: audio.evaluate_all(paused))

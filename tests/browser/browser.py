"""A real browser, and pages in it that complain about nothing."""

import os
import re
import shutil
import unittest
from pathlib import Path

from playwright.sync_api import sync_playwright

CHECKOUT = Path(__file__).resolve().parents[2]
# Screenshots, for people to look at.
SHOTS = CHECKOUT / "target" / "browser" / "screenshots"
PAGE = CHECKOUT / "target" / "browser" / "page"

# As setup/system_packages.sh looks for them.
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"]
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def browser_program():
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if Path(MAC).exists() else None)


class BrowserTest(unittest.TestCase):
    """One browser for a class. What a page prints as an error or warning, what it throws, and what
    it asks the network for, goes to `complaints`, which have to be empty at the end of a test."""

    allowed_requests = r"^(file|data|blob):"
    allowed_complaints = r"$^"

    @classmethod
    def setUpClass(cls):
        SHOTS.mkdir(parents=True, exist_ok=True)
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        # Where users are root (containers), Chromium's sandbox cannot start.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        cls.browser = cls.playwright.chromium.launch(
            executable_path=browser_program(), args=arguments
        )
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.complaints = []

    def tearDown(self):
        complaints = [c for c in self.complaints if not re.search(self.allowed_complaints, c)]
        self.assertEqual(complaints, [], "a page complained")

    def open(self, url, offline=True, scripts=True, scheme="light", width=960):
        context = self.browser.new_context(
            offline=offline,
            java_script_enabled=scripts,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
        )
        self.addCleanup(context.close)
        page = context.new_page()
        page.on(
            "console",
            lambda m: m.type in ("error", "warning") and self.complaints.append(m.text),
        )
        page.on("pageerror", lambda e: self.complaints.append(str(e)))
        page.on("request", self._look_at_request)
        page.on("dialog", self._refuse_dialog)
        page.goto(url)
        return page

    def _look_at_request(self, request):
        if not re.search(self.allowed_requests, request.url):
            self.complaints.append(f"asked for {request.url[:120]}")

    def _refuse_dialog(self, dialog):
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


def until(page, what, seconds, probe):
    """Waits for `probe` to return something true, and returns it."""
    for _ in range(int(seconds * 10)):
        if found := probe():
            return found
        page.wait_for_timeout(100)
    page.screenshot(path=SHOTS / "failed.png")
    raise AssertionError(f"not within {seconds} s: {what}")

"""A campaign: a notebook is opened, reloaded and closed again and again, in JupyterLab and in
Notebook 7, in a real browser, at moments chosen by chance.

    python tests/browser/openings.py --rounds 100

Needs Playwright (`setup/browser_environment.py`), and a Python that has JupyterLab and `notebook`.
No kernel may die, no dialog may open, no page may complain. The exit status is 0 if none did.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from browser import CHECKOUT, SHOTS, browser_program
from playwright.sync_api import Error as PageError
from playwright.sync_api import sync_playwright

TOKEN = "openings"
NAME = "openings.ipynb"
CELLS = ["let kept = 41;", "kept + 1", 'for i in 0..300 { println!("{i}"); }']
START_SECONDS = 60
IDLE = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
SERVERS = {"lab": ["-m", "jupyterlab"], "notebook": ["-m", "notebook"]}
ADDRESSES = {
    "lab": "http://localhost:{port}/lab/workspaces/{number}/tree/{name}?token={token}",
    "notebook": "http://localhost:{port}/notebooks/{name}?token={token}",
}
# What the front ends themselves say when their page is left or reloaded in the middle of something,
# and what Notebook 7.6 and Jupyter Server 2.21 say with every kernel, Python's too: at each
# opening, and when the list of kernels is asked for while one starts.
OWN_AFFAIRS = (
    r"Canceled future for|WebSocket (is closed|connection to .* failed: WebSocket is closed)"
    r"|net::ERR_ABORTED|Failed to fetch|the server responded with a status of 404"
    r"|preloaded using link preload|Blocked attempt to show a 'beforeunload'"
    r"|Cannot read properties of undefined \(reading 'schema'\)"
    r"|the server responded with a status of 500 .*/api/kernels\?"
)
DEATH = r"(?i)kernel.*(died|restarting|dead)|died.*kernel|Kernel died"


def notebook():
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "outputs": [],
         "execution_count": None, "source": source}
        for i, source in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"name": "neural-composer", "display_name": "Rust (NeuralComposer)"}
    metadata = {"kernelspec": {**kernel, "language": "rust"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


class Campaign:
    """One front end's server, and what was seen in it."""

    def __init__(self, app, options, folder, browser):
        self.app, self.browser = app, browser
        self.chance = random.Random(options.seed)
        self.counts, self.complaints = collections.Counter(), collections.Counter()
        self.dialogs, self.deaths, self.late = [], 0, []
        self.kernels = set()
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port = listening.getsockname()[1]
        work = folder / app
        (work / "notebooks").mkdir(parents=True)
        self.file = work / "notebooks" / NAME
        install = [options.program, "install", "--prefix", work]
        if options.home:
            install += ["--home", options.home]
        subprocess.run(install, check=True, capture_output=True)
        self.log = work / "log"
        own = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
        with self.log.open("w") as log:
            self.server = subprocess.Popen(
                [options.jupyter, *SERVERS[app], "--no-browser", f"--port={self.port}",
                 "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                 f"--ServerApp.root_dir={work / 'notebooks'}", "--allow-root",
                 # A front end that finds its session gone may choose another kernel.
                 "--KernelSpecManager.ensure_native_kernel=False",
                 "--KernelSpecManager.allowed_kernelspecs=neural-composer"],
                env={**os.environ, "JUPYTER_PATH": str(work / "share/jupyter"),
                     "JUPYTERLAB_WORKSPACES_DIR": str(work / "workspaces"),
                     **{f"JUPYTER_{key}": str(work / value) for key, value in own.items()}},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait_for_server()

    def wait_for_server(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                return self.ask("api")
            except OSError:
                time.sleep(0.3)
        sys.exit(f"the server did not start:\n{self.log.read_text()[-2000:]}")

    def ask(self, path, method="GET"):
        address = f"http://localhost:{self.port}/{path}?token={TOKEN}"
        with urllib.request.urlopen(urllib.request.Request(address, method=method)) as answer:
            return json.loads(answer.read() or "null")

    def hear(self, page):
        def note(text):
            if not re.search(OWN_AFFAIRS, text):
                self.complaints[text[:300]] += 1

        page.on("console", lambda m: m.type == "error" and note(f"{m.text} {m.location['url']}"))
        page.on("pageerror", lambda error: note(str(error)))

    def round(self, number):
        """Opens the notebook, does something with it, and leaves."""
        self.file.write_text(json.dumps(notebook()), encoding="utf-8")
        context = self.browser.new_context(viewport={"width": 1200, "height": 800})
        page = context.new_page()
        self.hear(page)
        address = ADDRESSES[self.app].format(
            port=self.port, number=f"w{number}", name=NAME, token=TOKEN
        )
        page.goto(address, wait_until="domcontentloaded")
        self.counts["openings"] += 1
        if self.chance.random() < 0.2:
            # Closed while it opens.
            page.wait_for_timeout(self.chance.uniform(0, 3000))
        else:
            self.becomes_idle(page, number)
            if self.chance.random() < 0.5:
                self.runs_a_cell(page)
            for _ in range(self.chance.choice([0, 1, 1, 2])):
                page.reload(wait_until="domcontentloaded")
                self.counts["reloads"] += 1
                if self.chance.random() < 0.3:
                    page.wait_for_timeout(self.chance.uniform(0, 2000))
                else:
                    self.becomes_idle(page, number)
        self.look_for_dialogs(page, number)
        context.close()
        self.counts["closings"] += 1
        try:
            self.kernels |= {kernel["id"] for kernel in self.ask("api/kernels")}
        except urllib.error.HTTPError:
            # Jupyter Server trips over a kernel that is just starting.
            self.counts["refusals of the server"] += 1
        if self.chance.random() < 0.7:
            # The next opening starts a kernel.
            self.shut_down()

    def shut_down(self):
        for session in self.ask("api/sessions"):
            try:
                self.ask(f"api/sessions/{session['id']}", "DELETE")
            except urllib.error.HTTPError as error:
                self.counts[f"refusals of the server ({error.code}) at a shutdown"] += 1

    def becomes_idle(self, page, number):
        begun = time.monotonic()
        try:
            page.locator(IDLE).first.wait_for(state="attached", timeout=START_SECONDS * 1000)
        except PageError:
            page.screenshot(path=SHOTS / f"openings-{self.app}-{number}-late.png")
            self.late.append(number)
        self.counts["seconds until idle"] += time.monotonic() - begun

    def runs_a_cell(self, page):
        result = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-executeResult")
        prompt = page.locator(".jp-CodeCell .jp-InputArea-prompt").first
        try:
            self.has_session()
            for _ in range(10):
                page.locator(".jp-CodeCell .cm-content").first.click()
                page.keyboard.press("Shift+Enter")
                page.keyboard.press("Shift+Enter")
                page.wait_for_timeout(1000)
                # A front end drops what is run before it has its session, and says nothing.
                if prompt.inner_text().strip() != "[ ]:":
                    break
                self.counts["runs dropped by the front end"] += 1
            result.first.wait_for(timeout=30_000)
            self.counts["cells run"] += "42" in result.first.inner_text()
            page.screenshot(path=SHOTS / f"openings-{self.app}.png")
        except PageError:
            self.counts["cells without a result"] += 1
            page.screenshot(path=SHOTS / f"openings-{self.app}-no-result.png")

    def has_session(self):
        """Waits for the session: JupyterLab makes two kernels, Python's too, where a cell is run
        before there is one, and sends the next cell to the one that it ends."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.HTTPError):
                if any(session["kernel"] for session in self.ask("api/sessions")):
                    return
            time.sleep(0.2)

    def look_for_dialogs(self, page, number):
        for dialog in page.locator(".jp-Dialog").all():
            self.dialogs.append(f"{number}: {dialog.inner_text()}")
            page.screenshot(path=SHOTS / f"openings-{self.app}-{number}-dialog.png")

    def close(self):
        self.shut_down()
        os.killpg(self.server.pid, signal.SIGTERM)
        try:
            self.server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            # It waits for a thread of its own, now and then.
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()
        lines = self.log.read_text(errors="replace").splitlines()
        self.deaths = [line for line in lines if re.search(DEATH, line)]

    def report(self):
        counts = ", ".join(f"{count:.0f} {what}" for what, count in self.counts.items())
        print(f"{self.app}: {counts}; {len(self.kernels)} kernels seen")
        print(f"  deaths: {len(self.deaths)} {self.deaths[:3]}")
        print(f"  dialogs: {len(self.dialogs)} {self.dialogs[:3]}")
        print(f"  not idle within {START_SECONDS} s: {self.late}")
        print(f"  complaints: {dict(self.complaints)}", flush=True)
        return not (self.deaths or self.dialogs or self.late or self.complaints
                    or self.counts["cells without a result"])  # fmt: skip


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--seed", type=int, default=12)
    options.add_argument("--apps", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    options.add_argument("--program", required=True, help="the kernel")
    options.add_argument("--home", help="the library's checkout; without it, no library")
    options.add_argument("--folder", help="where logs stay; otherwise nothing does")
    options.add_argument(
        "--jupyter",
        default=CHECKOUT / ".lab/python/bin/python",
        help="a Python with the front ends",
    )
    options = options.parse_args()
    SHOTS.mkdir(parents=True, exist_ok=True)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    is_clean = True
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=arguments)
        for app in options.apps:
            campaign = Campaign(app, options, Path(options.folder or folder), browser)
            try:
                for number in range(options.rounds):
                    campaign.round(number)
            finally:
                campaign.close()
                is_clean &= campaign.report()
        browser.close()
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()

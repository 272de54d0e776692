"""Draws the kernel's logo: a waveform that swells, in `logo-svg.svg` and as PNGs of two sizes.

    .lab/browser-python/bin/python kernel/logo/draw.py

A browser paints the PNGs (`setup/browser_environment.py`). Jupyter asks for these names and sizes.
"""

import math
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "tests" / "browser"))

from browser import browser_program  # noqa: E402

SIDE = 64
GROUND, NEAR, FAR = "#1d2b53", "#ffd166", "#f4845f"
BARS, WIDTH, STEP = 7, 4.5, 7.5


def svg():
    """Upright bars around the middle, their lengths those of a note that is struck and dies."""
    bars = []
    for number in range(BARS):
        place = (number + 0.5) / BARS
        level = math.sin(math.pi * place**0.7) * (
            0.72 + 0.28 * math.cos(2.6 * math.pi * number / 2)
        )
        length = 8 + 34 * level
        x = SIDE / 2 + (number - (BARS - 1) / 2) * STEP - WIDTH / 2
        colour = NEAR if number % 2 == 0 else FAR
        bars.append(
            f'  <rect x="{x:g}" y="{(SIDE - length) / 2:.2f}" width="{WIDTH:g}" '
            f'height="{length:.2f}" rx="{WIDTH / 2:g}" fill="{colour}"/>'
        )
    frame = f'<rect width="{SIDE}" height="{SIDE}" rx="13" fill="{GROUND}"/>'
    size = f'width="{SIDE}" height="{SIDE}" viewBox="0 0 {SIDE} {SIDE}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, "  " + frame, *bars, "</svg>", ""])


def main():
    drawing = svg()
    (FOLDER / "logo-svg.svg").write_text(drawing, encoding="utf-8")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=arguments)
        for side in (32, 64):
            page = browser.new_page(viewport={"width": side, "height": side})
            style = (
                f"<style>body {{ margin: 0 }} svg {{ width: {side}px; height: {side}px }}</style>"
            )
            page.set_content(style + drawing)
            file = FOLDER / f"logo-{side}x{side}.png"
            page.screenshot(path=file, omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()

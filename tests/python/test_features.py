"""Block spectra of the shipped songs against NumPy in double precision.

Builds and runs spectra.rs beside it; run by ./test with the lab's Python.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
BLOCK = 11025


def tensors(path):
    """The float32 tensors of a safetensors file: a JSON header, then the numbers."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def numpys_rows(samples, layout):
    blocks = -(-len(samples) // BLOCK)
    padded = np.zeros(blocks * BLOCK)
    padded[: len(samples)] = samples
    if layout == "full":
        spectrum = np.fft.fft(padded.reshape(blocks, BLOCK))
        return np.concatenate([spectrum.real, spectrum.imag], axis=1)
    spectrum = np.fft.rfft(padded.reshape(blocks, BLOCK))
    return np.concatenate([spectrum.real, spectrum.imag[:, 1 : (BLOCK + 1) // 2]], axis=1)


class Features(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # As `./test` compiles it, or a notebook.
        options = os.environ.get("NEURAL_COMPOSER_CARGO_OPTIONS", "--release").split()
        build = ["cargo", "build", *options, "--example", "spectra", "--message-format=json"]
        lines = subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True).stdout
        messages = [json.loads(line) for line in lines.splitlines()]
        cls.program = next(
            message["executable"]
            for message in messages
            if message.get("executable") and message["target"]["name"] == "spectra"
        )
        cls.songs = sorted(
            path for path in (CHECKOUT / "datasets" / "songs").iterdir() if path.is_file()
        )

    def rows(self, song, layout):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "spectra.safetensors"
            subprocess.run([self.program, song, output, layout], check=True)
            return tensors(output)

    def check(self, layout):
        self.assertGreaterEqual(len(self.songs), 4)
        for song in self.songs:
            with self.subTest(song=song.name):
                ours = self.rows(song, layout)
                theirs = numpys_rows(ours["samples"].astype(np.float64), layout)
                self.assertEqual(ours["rows"].shape, theirs.shape)
                error = np.linalg.norm(ours["rows"] - theirs) / np.linalg.norm(theirs)
                worst = np.abs(ours["rows"] - theirs).max() / np.abs(theirs).max()
                print(f"{song.name}, {layout}: relative error {error:.1e}, worst {worst:.1e}")
                self.assertLess(error, 1e-5)
                self.assertLess(worst, 1e-5)

    def test_half_layout_is_numpys_rfft(self):
        self.check("half")

    def test_full_layout_is_numpys_fft(self):
        self.check("full")


if __name__ == "__main__":
    unittest.main()

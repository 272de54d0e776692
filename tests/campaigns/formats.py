"""Every format, rate and number of channels against ffmpeg.

    python3 tests/campaigns/formats.py target/release/neural-composer

makes some thousand files with ffmpeg (with libmp3lame, libvorbis and libopus), decodes each with
the program and with ffmpeg, and compares rate, channels, frames and samples: the very same ones
where nothing is lost, else a root mean square of the difference below 1e-3. Needs ffmpeg and NumPy.
With `--songs FOLDER` it is twenty seconds of real songs that are encoded: their packets are long
and short by turns, which made files that the others did not.
The sample of it that `./test` runs is `tests/audio/decode.rs`.
"""

import argparse
import concurrent.futures
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import sounds

SONG_ENDINGS = (".ogg", ".mp3", ".flac", ".wav", ".opus", ".m4a")


def compare(program, kind, rate_hz, channels):
    """`None` when ffmpeg makes no such file, else what is wrong with it, or ""."""
    with tempfile.TemporaryDirectory() as folder:
        source, path = Path(folder) / "source.wav", Path(folder) / f"song.{kind.ending}"
        sounds.write_music(source, 0.3, rate_hz, channels, f"{kind.name} {rate_hz} {channels}")
        if not sounds.encode(kind, source, path):
            return None
        return problem_of(program, kind, path, rate_hz)


def compare_song(program, kind, song):
    """The same of twenty seconds of a real song, which have loud and soft packets."""
    with tempfile.TemporaryDirectory() as folder:
        source, path = Path(folder) / "source.wav", Path(folder) / f"song.{kind.ending}"
        cut = ["ffmpeg", "-v", "error", "-y", "-i", song, "-map", "0:a:0", "-t", "20", source]
        if subprocess.run(cut, check=False).returncode != 0:
            return None
        rate_hz = sounds.rate_of(source)
        if rate_hz not in kind.rates_hz or not sounds.encode(kind, source, path):
            return None
        return problem_of(program, kind, path, rate_hz)


def problem_of(program, kind, path, rate_hz):
    """What is wrong with the program's decoding, or ""; `None` where ffmpeg cannot judge."""
    found = sounds.decode(program, path)
    if found.status != 0:
        return f"status {found.status}: {found.words.strip()}"
    expected = np.frombuffer(sounds.of_ffmpeg(kind, path), "<f4")
    if not len(expected):
        # ffmpeg does not read what it wrote: FLAC of many channels at high rates.
        return None
    expected_rate = 48000 if kind.decode else rate_hz
    report = found.report
    if report.get("sample_rate_hz") != expected_rate:
        return f"{report.get('sample_rate_hz')} Hz for {expected_rate}"
    # Some encoders have no such layout, and ffmpeg mixes.
    channels = sounds.channels_of(path)
    if report.get("channels") != channels:
        return f"{report.get('channels')} channels for {channels}"
    if report.get("warnings"):
        return f"warnings: {report['warnings']}"
    samples = np.frombuffer(found.samples, "<f4").reshape(-1, channels)
    expected = expected.reshape(-1, channels)
    missing = len(expected) - len(samples)
    # ffmpeg keeps the padding of MP4's last packets, which the edit list takes off.
    longest = kind.packet if kind.ending in ("m4a", "mp4") else 0
    if not 0 <= missing <= longest:
        return f"{len(samples)} frames for {len(expected)}"
    expected = expected[: len(samples)]
    if kind.lossless:
        wrong = int((samples != expected).sum())
        return f"{wrong} samples differ" if wrong else ""
    difference = float(np.sqrt(((samples - expected).astype("f8") ** 2).mean()))
    return "" if difference < 1e-3 else f"RMS of the difference {difference:.1e}"


def cases_of(chosen):
    """A case's name with what tries it."""
    kinds = [kind for kind in sounds.KINDS if chosen.only in kind.name]
    if chosen.songs:
        songs = [path for path in sorted(chosen.songs.rglob("*")) if path.suffix in SONG_ENDINGS]
        return [
            (f"{kind.name}, {song.name}", partial(compare_song, chosen.program, kind, song))
            for song in songs[:: chosen.every]
            for kind in kinds
        ]
    return [
        (
            f"{kind.name}, {rate_hz} Hz, {channels} channels",
            partial(compare, chosen.program, kind, rate_hz, channels),
        )
        for kind in kinds
        for rate_hz in kind.rates_hz
        for channels in kind.channels
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="kinds whose name holds this, as in mp4-aac")
    parser.add_argument("--songs", type=Path, help="twenty seconds of this folder's songs instead")
    parser.add_argument("--every", type=int, default=1, help="of those songs every so many")
    chosen = parser.parse_args()
    cases = cases_of(chosen)
    right = unmade = wrong = 0
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        results = pool.map(lambda case: case[1](), cases)
        for (name, _), problem in zip(cases, results, strict=True):
            if problem is None:
                unmade += 1
            elif problem:
                wrong += 1
                print(f"{name}: {problem}", flush=True)
            else:
                right += 1
    print(f"{right} right, {wrong} wrong, {unmade} that ffmpeg does not make")
    return wrong > 0 or right == 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes many songs of three minutes by varying the shipped ones, in ten formats.

    python3 tests/campaigns/many_songs.py FOLDER [--songs 1000] [--seconds 180] [--seed 1]

Song N is one of `datasets/songs`, begun somewhere, played faster or slower, through another tone
control, again and again for its length; all of it drawn from the seed and N. A song that is there
already is left alone. Needs ffmpeg; 1,000 songs are 15 GB.
"""

import argparse
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "datasets" / "songs"
# Suffix, and what ffmpeg is told for it.
FORMATS = [
    ("mp3", ["-b:a", "192k"]),
    ("flac", []),
    ("ogg", ["-c:a", "libvorbis", "-q:a", "5"]),
    ("m4a", ["-c:a", "aac", "-b:a", "160k"]),
    ("wav", []),
    ("opus", ["-c:a", "libopus", "-b:a", "96k", "-ar", "48000"]),
    ("aiff", []),
    ("mp3", ["-b:a", "128k", "-ac", "1"]),
    ("flac", ["-sample_fmt", "s32", "-bits_per_raw_sample", "24"]),
    ("wav", ["-c:a", "pcm_s24le", "-ar", "48000"]),
]


def make(folder, shipped, options, number):
    draw = random.Random(f"{options.seed} {number}")
    suffix, words = FORMATS[number % len(FORMATS)]
    song = shipped[number // len(FORMATS) % len(shipped)]
    path = folder / f"{number:04}-{song.stem}.{suffix}"
    if path.exists():
        return
    tempo, begin = draw.uniform(0.8, 1.25), draw.uniform(0, 10)
    tone = [
        f"equalizer=f={draw.uniform(80, 8_000):.0f}:t=o:w=1.5:g={draw.uniform(-6, 6):.1f}"
        for _ in range(2)
    ]
    resampled = "aresample=44100"
    filters = [
        resampled,
        f"asetrate=44100*{tempo:.4f}",
        resampled,
        *tone,
        "volume=-4dB",
        "asetpts=N/SR/TB",
    ]
    part = path.with_name(f".{path.name}.part.{suffix}")
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-ss", f"{begin:.3f}"]
    command += ["-i", str(song), "-t", str(options.seconds), "-map", "0:a", "-map_metadata", "-1"]
    command += ["-af", ",".join(filters), *words, str(part)]
    subprocess.run(command, check=True)
    part.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    shipped = sorted(
        path for path in SHIPPED.iterdir() if path.suffix in (".flac", ".ogg", ".mp3", ".wav")
    )
    with ThreadPoolExecutor() as threads:
        made = [
            threads.submit(make, options.folder, shipped, options, number)
            for number in range(options.songs)
        ]
        for number, song in enumerate(made, 1):
            song.result()
            if number % 100 == 0:
                print(f"{number} of {options.songs} songs", file=sys.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How fast a corpus is built, and how fast ffmpeg makes FLAC files of the same songs.

    python3 benches/corpus.py target/release/neural-composer FOLDER [--songs 100]

FOLDER keeps the songs from one run to the next: variations of the shipped ones, three minutes each,
in ten formats, by ffmpeg. One process and one thread at a time; times are seconds of processors, so
that what else runs beside counts little. Python 3 and ffmpeg, nothing else.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import tempfile
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "datasets" / "songs"
SECONDS = 180
FORMATS = [
    ("mp3", ["-b:a", "192k"]),
    ("ogg", ["-c:a", "libvorbis", "-q:a", "5"]),
    ("flac", ["-sample_fmt", "s16"]),
    ("wav", ["-c:a", "pcm_s16le"]),
    ("mp3", ["-b:a", "320k"]),
    ("m4a", ["-c:a", "aac", "-b:a", "192k"]),
    ("opus", ["-c:a", "libopus", "-b:a", "128k"]),
    ("wav", ["-c:a", "pcm_s24le"]),
    ("flac", ["-sample_fmt", "s32", "-bits_per_raw_sample", "24"]),
    ("mp3", ["-b:a", "128k"]),
]


def make_songs(folder, count):
    folder.mkdir(exist_ok=True)
    pieces = sorted(SHIPPED.iterdir())
    for number in range(count):
        chance = random.Random(number)
        piece = pieces[number % len(pieces)]
        ending, options = FORMATS[number % len(FORMATS)]
        pitch, tempo = chance.uniform(0.7, 1.4), chance.uniform(0.6, 1.6)
        filters = (
            f"aresample=44100,asetrate={int(44100 * pitch)},aresample=44100,atempo={tempo:.4f},"
            f"highpass=f={chance.uniform(40, 300):.0f},lowpass=f={chance.uniform(5e3, 16e3):.0f},"
            f"aecho=0.8:0.8:{chance.randint(40, 400)}:0.3,volume={chance.choice([1, 1, 1.6])}"
        )
        song = folder / f"{number:03}-{piece.stem}.{ending}"
        if not song.exists():
            made = ["-af", filters, "-t", str(SECONDS), "-ac", "2", *options, song]
            ffmpeg = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "30", "-i", piece]
            subprocess.run([*ffmpeg, *made], check=True)


def processor_seconds(command, environment=None):
    """Seconds of processors, the largest memory of any child so far in MB, and what was printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, after.ru_maxrss / 1000, said


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--songs", type=int, default=100)
    options = parser.parse_args()
    make_songs(options.folder, options.songs)
    sound = SECONDS * options.songs
    with tempfile.TemporaryDirectory() as place:
        environment = dict(os.environ, RAYON_NUM_THREADS="1", XDG_CACHE_HOME=f"{place}/cache")
        build = [options.program, "corpus", "build", options.folder, "-o", f"{place}/corpus"]
        for what in ("anew", "again, nothing changed"):
            used, memory, said = processor_seconds([*build, "--json"], environment)
            facts = json.loads(said)
            print(f"corpus build, {what}: {used:.1f} s, {sound / used:.0f} times real time a core,")
            print(f"  {memory:.0f} MB of memory, {facts['bytes'] / 1e6:.0f} MB of FLAC")
            shares = facts["seconds_of_work"]
            whole = sum(shares.values())
            if whole > 1:
                told = (f"{name} {100 * share / whole:.0f} %" for name, share in shares.items())
                print(f"  {', '.join(told)}")
        used, size = 0, 0
        for song in sorted(options.folder.iterdir()):
            flac = Path(place) / "song.flac"
            ffmpeg = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", song]
            used += processor_seconds([*ffmpeg, "-map", "0:a", "-c:a", "flac", flac])[0]
            size += flac.stat().st_size
        print(f"ffmpeg to FLAC: {used:.1f} s, {sound / used:.0f} times real time a core,")
        print(f"  {size / 1e6:.0f} MB of FLAC (lossy songs in its 24 bits)")


if __name__ == "__main__":
    main()

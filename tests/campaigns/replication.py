"""Forced replication: what the judge finds of songs that were put into pieces of other songs.

    cargo build --release --example replicas
    python3 tests/campaigns/replication.py target/release/examples/replicas RESULTS SONG...

lets the judge (`evaluate::taken`) compare pieces of 60 s with the first 60 s of a song that is in
them by 5 to 50 %: in passages of 3 s from anywhere in the song, anywhere in another song, as they
are and changed in six ways. Real second halves of the songs, against the first ones, are what must
not be found; those that repeat 2.5 s of the first sample by sample are told apart, for these are
copies. Each finding is a line of RESULTS, which a second call goes on from; a table comes at the
end. Needs ffmpeg (with librubberband) and NumPy. The sample of it that `./test` runs is in
`tests/judge.rs`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RATE_HZ = 22050
PIECE_SECONDS = 60
PASSAGE_SECONDS = 3
#: How long songs are at most whose halves are compared.
SONG_SECONDS = 120
FADE = int(0.02 * RATE_HZ)
SHARES = (5, 10, 15, 25, 50)
FILTERS = (
    "lowpass=f=2000",
    "highpass=f=400",
    "equalizer=f=200:t=o:w=1:g=-10,equalizer=f=1500:t=o:w=1:g=10,equalizer=f=5000:t=o:w=1:g=-10",
)
VARIANTS = ("plain", "transposed", "stretched", "filtered", "reversed", "under", "quieter")


def read(path):
    """Samples × 2 of the song in `path`."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-t", str(SONG_SECONDS)]
    command += ["-ac", "2", "-ar", str(RATE_HZ), "-f", "f32le", "-"]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(found.stdout, "<f4").reshape(-1, 2)


def filtered(sound, chain):
    """`sound` as it comes out of a chain of ffmpeg's filters."""
    form = ["-f", "f32le", "-ac", "2", "-ar", str(RATE_HZ)]
    command = ["ffmpeg", "-nostdin", "-v", "error", *form, "-i", "-", "-af", chain, *form, "-"]
    found = subprocess.run(
        command, input=sound.astype("<f4").tobytes(), stdout=subprocess.PIPE, check=True
    )
    return np.frombuffer(found.stdout, "<f4").reshape(-1, 2)


def write(path, sound):
    form = ["-f", "f32le", "-ac", "2", "-ar", str(RATE_HZ)]
    command = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-y",
        *form,
        "-i",
        "-",
        "-c:a",
        "pcm_s16le",
        path,
    ]
    loudest = max(1.0, float(np.abs(sound).max()))
    subprocess.run(command, input=(sound / loudest).astype("<f4").tobytes(), check=True)


def level(sound):
    return float(np.sqrt((sound**2).mean())) + 1e-9


class Implants:
    """Passages of `song` for pieces of `host`: the same draws for all variants and shares."""

    def __init__(self, song, host, seed):
        draw = random.Random(seed)
        self.song, self.host, self.changed = song, host, {}
        self.slots = list(range(PIECE_SECONDS // PASSAGE_SECONDS))
        draw.shuffle(self.slots)
        self.semitones = draw.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5])
        self.tempo = draw.choice([draw.uniform(0.85, 0.95), draw.uniform(1.05, 1.2)])
        self.filter, self.under_db = draw.choice(FILTERS), draw.uniform(-6.0, 0.0)
        self.places = [draw.random() for _ in self.slots]

    def source(self, variant):
        """The song as it is taken from."""
        if variant not in self.changed:
            chain = {
                "transposed": f"rubberband=pitch={2 ** (self.semitones / 12)}",
                "stretched": f"rubberband=tempo={self.tempo}",
                "filtered": self.filter,
            }.get(variant)
            sound = filtered(self.song, chain) if chain else self.song
            self.changed[variant] = sound[:, ::-1] if variant == "reversed" else sound
        return self.changed[variant]

    def piece(self, variant, share):
        """A piece of the host with `share` percent of the song in it."""
        piece = np.resize(self.host, (PIECE_SECONDS * RATE_HZ, 2)).copy()
        length = PASSAGE_SECONDS * RATE_HZ
        source = self.source(variant)
        fade = np.linspace(0.0, 1.0, FADE)[:, None]
        shape = np.concatenate([fade, np.ones((length - 2 * FADE, 1)), fade[::-1]])
        taken = len(self.slots) * share // 100
        for slot, place in list(zip(self.slots, self.places, strict=True))[:taken]:
            start = int(place * (len(source) - length))
            here = piece[slot * length : (slot + 1) * length]
            passage = source[start : start + length]
            # As loud as what was there.
            passage = passage * (level(here) / level(passage))
            if variant == "quieter":
                passage = passage * 0.25
            left = 1.0 - shape
            if variant == "under":
                left = np.maximum(left, 10 ** (self.under_db / 20))
            here[:] = here * left + passage * shape
        return piece


class Judge:
    """The detector's program, which answers a line with a line."""

    def __init__(self, program):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe, text=True)

    def judged(self, song, piece):
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder) / name) for name in ("song.wav", "piece.wav")]
            write(paths[0], song)
            write(paths[1], piece)
            print("\t".join(paths), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())


def plan(songs, seed, count):
    """All cases: their names, the number of the song, and what makes song and piece."""
    first = [song[: PIECE_SECONDS * RATE_HZ] for song in songs]
    for number, song in enumerate(songs):
        half = len(song) // 2
        yield f"halves {number}", number, lambda s=song, h=half: (s[:h], s[h:])
    told = range(1, len(songs), 2)  # By the even ones, thresholds may be chosen.
    for case in range(count):
        number = told[case % len(told)]
        away = 1 + random.Random(f"{seed} host {case}").randrange(len(songs) - 1)
        host = (number + away) % len(songs)
        yield f"other {case}", number, lambda n=number, h=host: (first[n], first[h])
        implants = Implants(first[number], first[host], f"{seed} {case}")
        for variant in VARIANTS:
            for share in SHARES:

                def make(n=number, i=implants, v=variant, s=share):
                    return first[n], i.piece(v, s)

                yield f"{variant} {share} {case}", number, make


def repeats(song):
    """Whether the second half of `song` has 2.5 s of the first one, sample by sample."""
    mono = song.mean(1)[: len(song) // 2 * 2].reshape(-1, 2).mean(1).astype("f8")
    half, window, step = len(mono) // 2, int(1.25 * RATE_HZ), RATE_HZ // 4
    first, second = mono[:half], mono[half:]
    sums = np.concatenate([[0.0], np.cumsum(first**2)])
    energy = np.maximum(sums[window:] - sums[:-window], 1e-3)
    length = 1 << (half + window).bit_length()
    spectrum = np.fft.rfft(first, length)
    for start in range(0, half - window, step):
        part = second[start : start + window]
        if (part**2).sum() > 1e-3:
            alike = np.fft.irfft(spectrum * np.conj(np.fft.rfft(part, length)), length)
            if (alike[: len(energy)] / np.sqrt(energy * (part**2).sum())).max() > 0.9:
                return True
    return False


def table(results, songs):
    """Found and all, by what was tried."""
    counts = {}
    for name, (number, found) in results.items():
        kind = name.rsplit(" ", 1)[0]
        if kind == "halves" and repeats(songs[number]):
            kind = "halves that repeat"
        cell = counts.setdefault(kind, [0, 0])
        cell[0] += found["found"]
        cell[1] += 1
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("results", type=Path)
    parser.add_argument("songs", nargs="+")
    parser.add_argument("--cases", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    chosen = parser.parse_args()
    results = {}
    if chosen.results.exists():
        for line in chosen.results.read_text().splitlines():
            name, number, found = json.loads(line)
            results[name] = (number, found)
    songs = [read(path) for path in chosen.songs]
    judge = Judge(chosen.program)
    with chosen.results.open("a") as file:
        for name, number, make in plan(songs, chosen.seed, chosen.cases):
            if name in results or not name.startswith(chosen.only):
                continue
            results[name] = (number, judge.judged(*make()))
            print(json.dumps([name, *results[name]]), file=file, flush=True)
    for name, (found, count) in table(results, songs).items():
        print(f"{name}: {found} of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

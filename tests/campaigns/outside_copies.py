"""What a detector of its own finds of songs in pieces: bands that nothing in the library uses.

    python tests/campaigns/outside_copies.py SONG PIECE...

Of two-second windows of a piece the share that correlates above 0.95 with any place of the song,
and the longest stretch along which windows of a second stay above 0.9; the song's second half
against its first stands beside, and the longest stretch of half seconds of the song in an order
drawn by lot (the median of five such pieces, the least in brackets): where that is long, the whole
song sounds alike to these bands. It needs ffmpeg, NumPy and librosa (`pip install librosa`).
"""

import subprocess
import sys

import librosa
import numpy as np

RATE_HZ, HOP = 22_050, 353
BANDS, WINDOW = 128, 2_048
COPIED, FOLLOWS = 0.95, 0.9
# A window whose values deviate less than this holds nothing, and is like nothing.
FLAT = 0.05
SECOND = RATE_HZ // HOP


def samples(path):
    command = ["ffmpeg", "-v", "error", "-i", path, "-ac", "1", "-ar", str(RATE_HZ)]
    command += ["-f", "f32le", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return np.frombuffer(done.stdout, dtype=np.float32)


def bands(sound):
    """Frames × bands: the logarithm of 1 and a thousand times the power."""
    power = librosa.feature.melspectrogram(
        y=sound, sr=RATE_HZ, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS
    )
    return np.log1p(1000 * power).T.astype(np.float32)


def correlations(piece, song, window):
    """Pearson's correlation of every window of the piece with every window of the song."""
    piece, song = piece.astype(np.float64), song.astype(np.float64)
    middle = song.mean()
    piece, song = piece - middle, song - middle
    products = piece @ song.T
    count = window * piece.shape[1]
    rows, columns = len(piece) - window + 1, len(song) - window + 1
    first_column = [
        products[row + np.arange(window), np.arange(window)].sum() for row in range(rows)
    ]
    sums = np.zeros((rows, columns))
    for step in range(window):
        sums[0] += products[step, step : step + columns]
    for row in range(1, rows):
        sums[row, 1:] = sums[row - 1, :-1] - products[row - 1, : columns - 1]
        sums[row, 1:] += products[row + window - 1, window : window + columns - 1]
        sums[row, 0] = first_column[row]

    def moments(frames):
        total = np.concatenate([[0], np.cumsum(frames.sum(1))])
        squares = np.concatenate([[0], np.cumsum((frames**2).sum(1))])
        mean = (total[window:] - total[:-window]) / count
        spread = squares[window:] - squares[:-window] - count * mean**2
        return mean, np.where(spread < count * FLAT**2, np.inf, spread)

    (piece_mean, piece_spread), (song_mean, song_spread) = moments(piece), moments(song)
    common = sums - count * piece_mean[:, None] * song_mean[None]
    return common / np.sqrt(piece_spread[:, None] * song_spread[None])


def longest_seconds(found):
    """The longest stretch along which the windows follow the song."""
    lengths, longest = np.zeros(found.shape[1], dtype=int), 0
    for row in found > FOLLOWS:
        lengths = np.where(row, np.concatenate([[0], lengths[:-1]]) + 1, 0)
        longest = max(longest, lengths.max())
    return (longest + SECOND - 1) * HOP / RATE_HZ if longest else 0.0


def told(name, piece, song):
    share = (correlations(piece, song, 2 * SECOND).max(1) > COPIED).mean()
    run = longest_seconds(correlations(piece, song, SECOND))
    print(f"{name}: {100 * share:.1f} % copied, longest run {run:.1f} s", flush=True)


def by_lot(song):
    """The longest runs of five pieces of 30 s: half seconds of the song, drawn by lot."""
    half, random = SECOND // 2, np.random.default_rng(1)
    starts = random.integers(0, len(song) - half, (5, 60))
    pieces = [np.concatenate([song[start : start + half] for start in row]) for row in starts]
    return sorted(longest_seconds(correlations(piece, song, SECOND)) for piece in pieces)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sound = samples(sys.argv[1])
    song, half = bands(sound), len(sound) // 2
    second_half = bands(sound[half : half + 30 * RATE_HZ])
    told("the song's second half against its first", second_half, bands(sound[:half]))
    drawn = by_lot(song)
    print(f"half seconds of the song drawn by lot: longest run {drawn[2]:.1f} s ({drawn[0]:.1f})")
    for path in sys.argv[2:]:
        told(path, bands(samples(path)), song)


if __name__ == "__main__":
    main()

"""Writes finished sound as MP3, FLAC, Ogg Vorbis or WAV with tags, by ffmpeg."""

import subprocess
from pathlib import Path

_CODEC = {
    "mp3": ["-c:a", "libmp3lame", "-q:a", "5", "-id3v2_version", "3", "-write_id3v1", "1"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "3"],
    "flac": ["-c:a", "flac", "-compression_level", "12", "-sample_fmt", "s16"],
    "wav": ["-c:a", "pcm_s16le"],
}


def encode(samples, sample_rate_hz, path, tags):
    """`samples` is (channels x n) int16; the format follows the path's extension."""
    path = Path(path)
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
               "-f", "s16le", "-ar", str(sample_rate_hz), "-ac", str(samples.shape[0]), "-i", "-"]
    for key, value in tags.items():
        command += ["-metadata", f"{key}={value}"]
    # Bit-exact: no encoder version and no random stream number, so a rebuild is comparable.
    command += [*_CODEC[path.suffix[1:]], "-fflags", "+bitexact", "-flags:a", "+bitexact", str(path)]
    subprocess.run(command, input=samples.T.tobytes(), check=True)

"""Kinds of sound files that ffmpeg makes, and what the program does with one."""

import dataclasses
import json
import math
import os
import random
import resource
import struct
import subprocess
import tempfile
from pathlib import Path

RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
HIGH_RATES_HZ = (176400, 192000)
ALL_RATES_HZ = RATES_HZ + HIGH_RATES_HZ
MPEG_RATES_HZ = tuple(rate for rate in RATES_HZ if rate <= 48000)
ALL_CHANNELS = tuple(range(1, 9))


@dataclasses.dataclass(frozen=True)
class Kind:
    """One container with one codec."""

    ending: str
    encode: tuple[str, ...]
    rates_hz: tuple[int, ...] = ALL_RATES_HZ
    channels: tuple[int, ...] = ALL_CHANNELS
    lossless: bool = False
    #: Frames of one packet: a decoder may give so many more or fewer at the end.
    packet: int = 0
    decode: tuple[str, ...] = ()

    @property
    def name(self):
        codec = self.encode[self.encode.index("-c:a") + 1]
        return f"{self.ending}-{codec}"


def pcm(ending, *codecs, **options):
    return [Kind(ending, ("-c:a", codec), lossless=True, **options) for codec in codecs]


OPUS = {"packet": 960, "decode": ("-c:a", "libopus")}
# libopus takes these alone; whatever they are, 48 kHz come out.
OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)

KINDS = [
    *pcm("wav", "pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
    *pcm("wav", "pcm_alaw", "pcm_mulaw"),
    Kind("wav", ("-c:a", "adpcm_ms"), channels=(1, 2), packet=4096),
    Kind("wav", ("-c:a", "adpcm_ima_wav"), channels=(1, 2), packet=4096),
    *pcm("w64", "pcm_s16le", "pcm_s24le"),
    *pcm("aiff", "pcm_s16be", "pcm_s24be", "pcm_s32be"),
    *pcm("aifc", "pcm_s16le", "pcm_f32be", "pcm_alaw", "pcm_mulaw"),
    *pcm("au", "pcm_s8", "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be"),
    *pcm("au", "pcm_alaw", "pcm_mulaw"),
    *pcm("caf", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_f32le", "pcm_alaw", "pcm_mulaw"),
    *pcm("mov", "pcm_s16le", "pcm_s16be", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_f32le"),
    *pcm("mka", "pcm_s16le", "pcm_s24le", "pcm_f32le"),
    Kind("flac", ("-c:a", "flac"), lossless=True),
    Kind("flac", ("-sample_fmt", "s32", "-c:a", "flac"), lossless=True),
    Kind("oga", ("-c:a", "flac"), lossless=True),
    Kind("mka", ("-c:a", "flac"), lossless=True),
    Kind("mp4", ("-strict", "-2", "-c:a", "flac"), lossless=True),
    Kind("m4a", ("-c:a", "alac"), lossless=True),
    Kind("caf", ("-c:a", "alac"), lossless=True),
    Kind("mp3", ("-c:a", "libmp3lame"), MPEG_RATES_HZ, (1, 2), packet=1152),
    Kind("mka", ("-c:a", "libmp3lame"), MPEG_RATES_HZ, (1, 2), packet=1152),
    Kind(
        "mp4",
        ("-c:a", "libmp3lame"),
        (16000, 22050, 24000, 32000, 44100, 48000),
        (1, 2),
        packet=1152,
    ),
    # At its usual bit rate ffmpeg writes mono that the standard forbids.
    Kind(
        "mp2",
        ("-c:a", "mp2", "-b:a", "128k"),
        (16000, 22050, 24000, 32000, 44100, 48000),
        (1, 2),
        packet=1152,
    ),
    Kind("m4a", ("-c:a", "aac"), RATES_HZ, (1, 2), packet=1024),
    Kind("aac", ("-c:a", "aac"), RATES_HZ, (1, 2), packet=1024),
    Kind("mka", ("-c:a", "aac"), RATES_HZ, (1, 2), packet=1024),
    # ffmpeg does not trim the end of a file of one page; in microseconds.
    Kind("ogg", ("-c:a", "libvorbis", "-page_duration", "100000"), packet=8192),
    Kind("webm", ("-c:a", "libvorbis"), packet=8192),
    Kind("opus", ("-c:a", "libopus", "-mapping_family", "-1"), OPUS_RATES_HZ, **OPUS),
    Kind("webm", ("-c:a", "libopus"), OPUS_RATES_HZ, **OPUS),
    # At other rates ffmpeg writes an edit list for the rate before encoding, and is late itself.
    Kind("mp4", ("-c:a", "libopus"), (48000,), **OPUS),
]


def write_music(path, seconds, rate_hz, channels, seed):
    """A WAV file of 32-bit floats: a tone for each channel, a beat and some noise."""
    chance = random.Random(seed)
    samples = bytearray()
    for frame in range(round(seconds * rate_hz)):
        t = frame / rate_hz
        beat = math.exp(-8 * (t % 0.25))
        for channel in range(channels):
            tone = 0.4 * beat * math.sin(2 * math.pi * 220 * (1 + channel / 3) * t)
            samples += struct.pack("<f", tone + chance.uniform(-0.01, 0.01))
    form = struct.pack("<HHIIHH", 3, channels, rate_hz, 4 * channels * rate_hz, 4 * channels, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + bytes(samples)
    Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def encode(kind, source, target):
    """Whether ffmpeg makes such a file."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, *kind.encode, "-bitexact"]
    if kind.ending in ("aifc", "oga"):
        command += ["-f", {"aifc": "aiff", "oga": "oga"}[kind.ending]]
    made = subprocess.run([*command, target], capture_output=True, check=False)
    return made.returncode == 0 and Path(target).stat().st_size > 0


def of_ffmpeg(kind, path, *output):
    """ffmpeg's samples of a file, as bytes of 32-bit floats unless `output` says otherwise."""
    form = output or ("-f", "f32le")
    command = ["ffmpeg", "-v", "error", *kind.decode, "-i", path, "-map", "0:a:0", *form, "-"]
    return subprocess.run(command, capture_output=True, check=False).stdout


def channels_of(path):
    """How many channels ffprobe finds."""
    return _of_stream("channels", path)


def rate_of(path):
    """Samples a second as ffprobe finds them."""
    return _of_stream("sample_rate", path)


def _of_stream(entry, path):
    command = ["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries"]
    command += [f"stream={entry}", "-of", "csv=p=0", path]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@dataclasses.dataclass
class Outcome:
    """What the program did with a file."""

    status: int
    report: dict
    words: str
    samples: bytes
    seconds: float
    megabytes: float


def decode(program, path, limit_seconds=30):
    """Runs `decode` and reads what it wrote; status -9 for a program that took too long."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out.wav"
        command = [program, "decode", path, "-o", target, "--format", "float32", "--json"]
        with (
            (Path(folder) / "words").open("w+") as words,
            (Path(folder) / "report").open("w+") as out,
        ):
            started = os.times().elapsed
            child = subprocess.Popen(
                ["timeout", "-s", "KILL", str(limit_seconds), *command], stdout=out, stderr=words
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            seconds = os.times().elapsed - started
            words.seek(0)
            out.seek(0)
            text, report = words.read(), out.read()
        samples = float_samples(target.read_bytes()) if target.exists() else b""
    try:
        parsed = json.loads(report)
    except json.JSONDecodeError:
        parsed = {}
    return Outcome(child.returncode, parsed, text, samples, seconds, usage.ru_maxrss / 1024)


def float_samples(wav):
    """The body of the `data` chunk."""
    at = 12
    while at + 8 <= len(wav):
        name, length = struct.unpack_from("<4sI", wav, at)
        if name == b"data":
            return wav[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return b""


def limit_memory(megabytes):
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

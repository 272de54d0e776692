"""Does playing in the background lose samples while all cores compute? Needs Linux, NumPy,
PulseAudio and ALSA's plug-in for it (Debian: pulseaudio, pulseaudio-utils, libasound2-plugins).

    cargo build --release --example play_under_load
    python null_sink.py target/release/examples/play_under_load [--seconds 30] [--runs 1]
                        [--other-load 0]

Starts a sound server of its own with a null sink, which takes sound in real time as a sound card
does; plays noise through it (every sample differs, so nothing can be lost unnoticed) while the
program trains a network; records the sink's monitor; and compares sample by sample.
`--other-load N` has N more processes compute beside it. Ends with status 1 if a sample was lost or
a pause came between two.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import wave
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# What is played at the device's own rate is not resampled on the way.
RATE_HZ = 48_000
CHANNELS = 2
# So many frames in a row are the same place of the source.
LANDMARK = 32


@contextmanager
def running(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def noise(seconds):
    random = np.random.default_rng(6)
    return random.integers(-16_000, 16_000, (int(seconds * RATE_HZ), CHANNELS), dtype=np.int16)


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(CHANNELS)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())


def wait_for(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    sys.exit("the sound server did not start within 30 s")


def record(program, folder, samples):
    """What the sink was given while the program played and computed."""
    server = f"unix:{folder}/native"
    device = f'{{ type pulse server "{server}" }}'
    (folder / ".asoundrc").write_text(f"pcm.!default {device}\nctl.!default {device}\n")
    write_wav(folder / "noise.wav", samples)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_SERVER": server,
    }
    sink = f"module-null-sink sink_name=null format=s16le rate={RATE_HZ} channels={CHANNELS}"
    socket = f"module-native-protocol-unix auth-anonymous=1 socket={folder}/native"
    sound_server = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
                    "--use-pid-file=no", "--log-level=error", "-L", sink, "-L", socket]  # fmt: skip
    recorder = ["parec", "--device=null.monitor", "--format=s16le", f"--rate={RATE_HZ}",
                f"--channels={CHANNELS}"]  # fmt: skip
    quiet = {"env": environment, "stderr": subprocess.DEVNULL}
    with running(sound_server, **quiet):
        wait_for((folder / "native").exists)
        path = folder / "recorded"
        with path.open("wb") as file, running(recorder, stdout=file, **quiet):
            wait_for(lambda: path.stat().st_size > 0)
            subprocess.run([program, folder / "noise.wav"], env=environment, check=True)
            time.sleep(2)
    recorded = np.fromfile(path, dtype=np.int16)
    return recorded[: len(recorded) // CHANNELS * CHANNELS].reshape(-1, CHANNELS)


def find(landmark, samples, start):
    """Where the first frames of `landmark` come in `samples` from `start` on; None if nowhere."""
    landmark = landmark[:LANDMARK]
    # A rounding on the way may change a sample by one step.
    near = np.abs(samples[start:].astype(int) - landmark[0].astype(int)).max(axis=1) <= 1
    for place in np.flatnonzero(near) + start:
        piece = samples[place : place + len(landmark)].astype(int)
        if len(piece) == len(landmark) and np.abs(piece - landmark).max() <= 1:
            return place
    return None


def compare(source, recorded):
    """(frames lost, frames of pause in between, places where that happened)."""
    place = find(source, recorded, 0)
    if place is None:
        return len(source), 0, ["the beginning never came"]
    lost = pauses = at = 0
    where = []
    while at < len(source):
        length = min(len(source) - at, len(recorded) - place)
        step = recorded[place : place + length].astype(int) - source[at : at + length]
        wrong = np.flatnonzero(np.abs(step).max(axis=1) > 1)
        same = int(wrong[0]) if len(wrong) else length
        at, place = at + same, place + same
        if at == len(source):
            break
        where.append(f"{at / RATE_HZ:.3f} s")
        # Either silence came in between, or the source goes on further behind.
        for skipped in range(0, len(source) - at - LANDMARK, LANDMARK // 2):
            again = find(source[at + skipped :], recorded, place)
            if again is not None:
                lost, pauses = lost + skipped, pauses + int(again) - place
                at, place = at + skipped, int(again)
                break
        else:
            return lost + len(source) - at, pauses, where
    return lost, pauses, where


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--other-load", type=int, default=0)
    options = parser.parse_args()
    program, samples = options.program.resolve(), noise(options.seconds)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range(options.other_load)]  # fmt: skip
    bad = 0
    try:
        for run in range(1, options.runs + 1):
            with tempfile.TemporaryDirectory() as folder:
                recorded = record(program, Path(folder), samples)
            lost, pauses, where = compare(samples, recorded)
            load = os.getloadavg()[0]
            print(
                f"run {run}: {len(samples)} frames played, {lost} lost, {pauses} of pause between "
                f"them{' at ' + ', '.join(where[:8]) if where else ''}; load {load:.1f} on "
                f"{os.cpu_count()} cores",
                flush=True,
            )
            bad += bool(lost or pauses)
    finally:
        for process in busy:
            process.kill()
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

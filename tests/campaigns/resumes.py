"""Harms trainings of all three models at random moments, and goes on with them.

    python3 tests/campaigns/resumes.py target/release/neural-composer [--rounds 100] [--seed 1]
        [--harm kill|full|readonly|clock] [--only blocks] [--interval 0.2]

Each round trains a model in a folder of its own and harms the training up to three times:

- kill: SIGKILL at a random moment;
- full: the disk, a small tmpfs, fills up and is emptied again (needs root);
- readonly: the disk becomes read-only and writable again (needs root);
- clock: the system's clock is set back by up to a day, as seen by the program (needs faketime).

After each harm every checkpoint has to be whole, by this script's own reading of the format, and
the model there or not, but never in part. Then the training goes on to its end. The model has to
be, byte by byte, that of a training that nobody harmed; nothing temporary may be left. Prints a
line for each fault and a table, with the most work that a kill has lost; exits with 1 after a
fault.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import kills

TEMPORARY = ".neural-composer-"
MODELS = {
    "blocks": ["--model", "blocks", "--layers", "gru:48,lstm:32", "--epochs", "250"],
    "grains": ["--model", "grains", "--steps", "40", "--batch", "12"],
    "codes": ["--model", "codes", "--steps", "24"],
}
#: What all have, so that all of a state matters.
COMMON = ["--dropout", "0.2", "--validation", "0.2", "--optimizer", "adamw", "--patience", "300"]
CHECKPOINT = re.compile(r"epoch-(\d+)-batch-(\d+)\.safetensors")
FAKETIME = "*/faketime/libfaketimeMT.so.1"
BITS = {"F64": 64, "I64": 64, "F32": 32, "U32": 32, "F16": 16, "BF16": 16, "U8": 8}


def fault_in(path):
    """What is wrong with a safetensors file of the program; "" for a whole one."""
    data = path.read_bytes()
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__")
        body = data[8 + size :]
        if max((one["data_offsets"][1] for one in header.values()), default=0) != len(body):
            return "its tensors do not fill it"
        checksum = zlib.crc32(metadata["neural-composer"].encode())
        order = sorted(header.items(), key=lambda one: (-BITS[one[1]["dtype"]], one[0]))
        for name, one in order:
            first, last = one["data_offsets"]
            words = f"{name}{one['dtype']}{one['shape']}".encode()
            checksum = zlib.crc32(body[first:last], zlib.crc32(words, checksum))
        written = metadata["neural-composer.checksum"]
        return "" if written == f"{checksum:08x}" else "its checksum is wrong"
    except (ValueError, KeyError, IndexError) as error:
        return f"it cannot be read: {error!r}"


def checkpoints(folder):
    found = [path for path in folder.glob("m.checkpoints/*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(found, key=lambda path: tuple(map(int, CHECKPOINT.fullmatch(path.name).groups())))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Disk:
    """A tmpfs, small enough to be filled."""

    def __init__(self, folder, size_kib):
        self.folder = folder
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", folder], check=True
        )

    def harm(self, harm, on):
        if harm == "readonly":
            mode = "ro" if on else "rw"
            done = subprocess.run(
                ["mount", "-o", f"remount,{mode}", self.folder], capture_output=True, check=False
            )
            # While a file is being written it cannot be.
            return done.returncode == 0
        filler = self.folder / "filler"
        if on:
            try:
                with filler.open("wb") as file:
                    while True:
                        file.write(bytes(4096))
                        file.flush()
            except OSError:
                pass
        else:
            filler.unlink(missing_ok=True)
        return True

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


class Round:
    def __init__(self, options, folder, name, chance):
        self.options, self.folder, self.name, self.chance = options, folder, name, chance
        self.lost = 0.0
        self.faults = []
        self.environment = dict(os.environ)

    def command(self, resume):
        words = [self.options.program, "train", "song.wav", "-o", "m.safetensors"]
        words += [*MODELS[self.name], *COMMON, "--seed", "5"]
        words += ["--checkpoint-seconds", str(self.options.interval)]
        return words + (["--resume"] if resume else ["--restart"])

    def start(self):
        resume = bool(checkpoints(self.folder))
        return subprocess.Popen(
            self.command(resume),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
            text=True,
        )

    def look(self, when):
        for path in [*checkpoints(self.folder), self.folder / "m.safetensors"]:
            if path.exists() and (fault := fault_in(path)):
                self.faults.append(f"{when}: {path.name}: {fault}")

    def kill(self, seconds):
        for _ in range(self.chance.randint(1, 3)):
            program = self.start()
            began = time.time()
            try:
                program.communicate(timeout=self.chance.uniform(0, seconds))
                return
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGKILL)
            now = time.time()
            program.communicate()
            self.look("killed")
            written = [path.stat().st_mtime for path in checkpoints(self.folder)]
            own = [moment for moment in written if moment >= began]
            if own:
                self.lost = max(self.lost, now - max(own))

    def disturb(self, seconds, disk):
        """Lets one training run while the disk or the clock is harmed."""
        program = self.start()
        stop = threading.Event()

        def harm():
            while not stop.wait(self.chance.uniform(0, seconds / 4)):
                if disk:
                    disk.harm(self.options.harm, True)
                    stop.wait(self.chance.uniform(0, seconds / 4))
                    disk.harm(self.options.harm, False)
                else:
                    back = self.chance.randint(1, 86400)
                    (self.folder / "clock").write_text(f"-{back}s")

        thread = threading.Thread(target=harm)
        thread.start()
        _, words = program.communicate(timeout=120)
        stop.set()
        thread.join()
        if disk:
            while not disk.harm(self.options.harm, False):
                time.sleep(0.01)
        self.look("disturbed")
        if program.returncode not in (0, 1) or "panicked" in words:
            self.faults.append(f"status {program.returncode}: {words[-300:]}")
        if program.returncode == 1 and not re.search(r"No space|Read-only|full", words):
            self.faults.append(f"failed without the reason: {words[-300:]}")

    def finish(self, whole):
        for _ in range(2):
            program = self.start()
            _, words = program.communicate(timeout=120)
            if program.returncode == 0:
                break
        if program.returncode != 0:
            self.faults.append(f"did not go on: {words[-300:]}")
            return
        if digest(self.folder / "m.safetensors") != whole:
            self.faults.append("another model than without harm")
        left = [path for path in self.folder.rglob("*") if path.name.startswith(TEMPORARY)]
        if left:
            self.faults.append(f"left behind: {left}")
        self.look("at the end")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--harm", choices=["kill", "full", "readonly", "clock"], default="kill")
    parser.add_argument("--only", choices=list(MODELS))
    parser.add_argument("--interval", type=float, default=0.2)
    options = parser.parse_args()
    names = [options.only] if options.only else list(MODELS)
    faults, lost = 0, collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        kills.write_song(str(place / "song.wav"), 12, 220)
        whole, seconds, size = {}, {}, {}
        for name in names:
            # Always the same one: a model of grains names where its song is.
            folder = place / "round"
            folder.mkdir()
            shutil.copy(place / "song.wav", folder)
            began = time.time()
            program = Round(options, folder, name, random.Random(0)).start()
            program.communicate()
            assert program.returncode == 0, f"{name} does not train"
            seconds[name] = time.time() - began
            whole[name] = digest(folder / "m.safetensors")
            size[name] = sum(path.stat().st_size for path in checkpoints(folder)[-1:])
            shutil.rmtree(folder)
            print(f"{name}: {seconds[name]:.1f} s, a checkpoint of {size[name]} bytes", flush=True)
        for number in range(options.rounds):
            name = names[number % len(names)]
            chance = random.Random(f"{options.seed} {options.harm} {number}")
            folder.mkdir()
            disk = None
            if options.harm in ("full", "readonly"):
                disk = Disk(folder, 1024 + size[name] * chance.randint(2, 5) // 1024)
            shutil.copy(place / "song.wav", folder)
            one = Round(options, folder, name, chance)
            if options.harm == "kill":
                one.kill(seconds[name])
            else:
                if options.harm == "clock":
                    (folder / "clock").write_text("-0s")
                    one.environment |= {
                        "LD_PRELOAD": str(next(Path("/usr/lib").glob(FAKETIME))),
                        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
                        "FAKETIME_NO_CACHE": "1",
                        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    }
                one.disturb(seconds[name], disk)
            one.finish(whole[name])
            lost[name] = max(lost[name], one.lost)
            for fault in one.faults:
                faults += 1
                print(f"round {number}, {name}: {fault}", flush=True)
            if disk:
                disk.close()
            shutil.rmtree(folder)
    print(f"{options.rounds} rounds of {options.harm}, {faults} faults")
    if options.harm == "kill":
        for name in names:
            print(f"{name}: at most {lost[name]:.2f} s since the last checkpoint when killed")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())

"""The programs that cargo has built."""

import os
import subprocess
import sys


class Programs:
    """Those in a folder such as `target/release`, tests and benchmarks in its `deps`."""

    def __init__(self, folder):
        self.command = folder.resolve() / "neural-composer"
        if not self.command.is_file():
            sys.exit(f"benches/gpu: expected a program {self.command}; build it, see --help")
        deps = self.command.parent / "deps"
        # The benchmark and the tests of recurrent layers have the same name: one knows of peers.
        self.benchmark = self._newest(deps, "recurrent", has_peers=True)
        self.layer_tests = self._newest(deps, "recurrent", has_peers=False)
        self.card_tests = self._newest(deps, "cuda_card", has_peers=False)

    def all(self):
        return [self.command, self.benchmark, self.layer_tests, self.card_tests]

    def run_command(self, *arguments):
        return subprocess.run(
            [self.command, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    @staticmethod
    def _newest(deps, name, has_peers):
        found = [
            file
            for file in deps.glob(f"{name}-*")
            if file.suffix == ""
            and os.access(file, os.X_OK)
            and (b"PEERS_PYTHON" in file.read_bytes()) == has_peers
        ]
        if not found:
            kind = "benchmark" if has_peers else "tests"
            sys.exit(f"benches/gpu: expected the {kind} {name} in {deps}; build them, see --help")
        return max(found, key=lambda file: file.stat().st_mtime)


def libraries_wanted_at_start(program):
    """The names that its loader looks for; `readelf` comes with every C compiler."""
    listed = subprocess.run(
        ["readelf", "--dynamic", "--wide", program], capture_output=True, text=True, check=True
    )
    needed = [line for line in listed.stdout.splitlines() if "(NEEDED)" in line]
    return [line.rsplit("[", 1)[1].rstrip("]") for line in needed]

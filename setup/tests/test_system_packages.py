import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from locations import CHECKOUT

SETUP = CHECKOUT / "setup"


class SystemPackages(unittest.TestCase):
    """Runs `ensure_system_packages` on a machine made of stand-ins, which note how they were
    called and, for apt-get, install ALSA's headers by making a file."""

    def machine(self, user=1000, programs=("apt-get", "sudo"), may_sudo=True):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.calls = self.folder / "calls"
        self.calls.touch()
        stand_ins = {
            "uname": "echo Linux",
            "id": f"echo {user}",
            "cc": "exit 0",
            "python3": "exit 0",
            "pkg-config": f"test -e {self.folder}/installed",
            "apt-get": f'echo "apt-get $*" >> {self.calls}\n'
            f"case $1 in install) touch {self.folder}/installed;; esac",
            "sudo": ('while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"')
            if may_sudo
            else "exit 1",
        }
        for name, body in stand_ins.items():
            if name in ("apt-get", "sudo") and name not in programs:
                continue
            path = self.folder / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        for name in ("env", "true", "touch"):
            os.symlink(f"/usr/bin/{name}", self.folder / name)

    def run_on_it(self):
        script = (
            'set -euo pipefail; stop() { echo "STOP $*"; exit 1; }; '
            f"source {SETUP}/system_packages.sh; ensure_system_packages; "
            "has_speaker_headers && echo SPEAKER || echo SILENT"
        )
        answer = subprocess.run(
            ["/bin/bash", "-c", script],
            env={"PATH": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        return answer.stdout

    def test_root_installs_and_the_command_is_printed_before(self):
        self.machine(user=0, programs=("apt-get",))
        said = self.run_on_it()
        self.assertIn("apt-get install --yes libasound2-dev", said)
        self.assertIn("apt-get install --yes libasound2-dev", self.calls.read_text())
        self.assertTrue(said.endswith("SPEAKER\n"), said)

    def test_a_user_installs_through_sudo(self):
        self.machine()
        said = self.run_on_it()
        self.assertIn("sudo --non-interactive apt-get install --yes libasound2-dev", said)
        self.assertTrue(said.endswith("SPEAKER\n"), said)

    def test_without_the_right_to_install_the_command_is_said_and_the_lab_goes_on(self):
        for machine in [{"programs": ("apt-get",)}, {"may_sudo": False}]:
            with self.subTest(**machine):
                self.machine(**machine)
                said = self.run_on_it()
                self.assertIn("sudo apt-get install --yes libasound2-dev", said)
                self.assertIn("without the speaker", said)
                self.assertTrue(said.endswith("SILENT\n"), said)
                self.assertEqual(self.calls.read_text(), "")

    def test_another_distribution_gets_advice_and_the_lab_goes_on(self):
        self.machine(programs=("sudo",))
        said = self.run_on_it()
        self.assertIn("alsa-lib-devel", said)
        self.assertTrue(said.endswith("SILENT\n"), said)

    def test_nothing_is_said_or_done_when_nothing_is_missing(self):
        self.machine()
        (self.folder / "installed").touch()
        self.assertEqual(self.run_on_it(), "SPEAKER\n")
        self.assertEqual(self.calls.read_text(), "")

    def test_an_mpi_is_known_by_its_programs_and_libclang(self):
        self.machine()
        script = f"source {SETUP}/system_packages.sh; has_mpi && echo FOUND || echo NONE"

        def found():
            answer = subprocess.run(
                ["/bin/bash", "-c", script],
                env={"PATH": str(self.folder), "LIBCLANG_PATH": str(self.folder)},
                capture_output=True,
                text=True,
                check=True,
            )
            return answer.stdout.strip()

        self.assertEqual(found(), "NONE")
        for name in ("mpirun", "mpicc", "libclang-14.so.1"):
            (self.folder / name).write_text("#!/bin/sh\n")
            (self.folder / name).chmod(0o755)
        self.assertEqual(found(), "FOUND")
        (self.folder / "mpicc").unlink()
        self.assertEqual(found(), "NONE")

    def test_a_browser_is_known_by_its_names_and_otherwise_missing(self):
        self.machine()
        script = f"source {SETUP}/system_packages.sh; has_browser && echo FOUND || echo NONE"

        def found(**more):
            answer = subprocess.run(
                ["/bin/bash", "-c", script],
                env={"PATH": str(self.folder), **more},
                capture_output=True,
                text=True,
                check=True,
            )
            return answer.stdout.strip()

        self.assertEqual(found(), "NONE")
        self.assertEqual(found(CHROMIUM="/somewhere/chromium"), "FOUND")
        browser = self.folder / "google-chrome"
        browser.write_text("#!/bin/sh\n")
        browser.chmod(0o755)
        self.assertEqual(found(), "FOUND")


if __name__ == "__main__":
    unittest.main()


class CudaBuild(unittest.TestCase):
    """`announce_cuda_build` on machines made of stand-ins."""

    def announced(self, nvcc="exit 0", card=None, **environment):
        with tempfile.TemporaryDirectory() as folder:
            programs = {"nvcc": nvcc, "nvidia-smi": f"echo '{card}'" if card else "exit 9"}
            for name, body in programs.items():
                if body is not None:
                    (Path(folder) / name).write_text(f"#!/bin/sh\n{body}\n")
                    (Path(folder) / name).chmod(0o755)
            os.symlink("/usr/bin/head", Path(folder) / "head")
            script = (
                'set -euo pipefail; stop() { echo "STOP $*"; exit 1; }; '
                f"source {SETUP}/system_packages.sh; announce_cuda_build"
            )
            answer = subprocess.run(
                ["/bin/bash", "-c", script],
                env={"PATH": folder, "CUDA_HOME": folder, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
        return answer.returncode, answer.stdout + answer.stderr

    def test_the_card_and_the_time_are_told(self):
        status, said = self.announced(card="NVIDIA H100 80GB HBM3, 9.0")
        self.assertEqual(status, 0, said)
        self.assertIn("NVIDIA H100 80GB HBM3, compute capability 9.0.", said)
        self.assertIn("45 minutes", said)

    def test_another_card_can_be_built_for(self):
        for card in (None, "NVIDIA H100 80GB HBM3, 9.0"):
            status, said = self.announced(card=card, CUDA_COMPUTE_CAP="86")
            self.assertEqual(status, 0, said)
            self.assertIn("compute capability 86 (CUDA_COMPUTE_CAP)", said)

    def test_without_a_card_it_is_asked_for(self):
        status, said = self.announced()
        self.assertEqual(status, 1, said)
        self.assertIn("STOP --cuda: expected an NVIDIA card", said)
        self.assertIn("CUDA_COMPUTE_CAP=90 ./lab --cuda", said)

    def test_without_a_toolkit_it_is_asked_for(self):
        status, said = self.announced(nvcc=None, card="NVIDIA H100 80GB HBM3, 9.0")
        self.assertEqual(status, 1, said)
        self.assertIn("CUDA toolkit", said)

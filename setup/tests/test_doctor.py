"""`./lab --doctor` on machines made of stand-ins, in a copy of what it looks at."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from locations import CHECKOUT

RUSTC = "rustc {version} (0123456 2026-04-14)\nhost: x86_64-unknown-linux-gnu\nrelease: {version}"
# What the scripts themselves call.
BORROWED = ["bash", "cat", "dirname", "env", "id", "uname", "head"]


class Doctor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name).resolve()
        self.home = root / "people" / "wolfgang"
        self.checkout = self.home / "NeuralComposer"
        self.programs = root / "programs"
        for path in (self.checkout, self.programs):
            path.mkdir(parents=True)
        for name in ("Cargo.toml", "Cargo.lock", "environment.yml", "lab"):
            shutil.copy2(CHECKOUT / name, self.checkout / name)
        left_out = shutil.ignore_patterns("__pycache__", "tests", "target")
        for name in ("setup", "src", "kernel"):
            shutil.copytree(CHECKOUT / name, self.checkout / name, ignore=left_out)
        for name in BORROWED:
            (self.programs / name).symlink_to(shutil.which(name))
        (self.programs / "python3").symlink_to(sys.executable)
        self.program("cargo", "echo cargo 1.95.0")
        self.rust("1.95.0")
        self.program("rustup", "exit 0")
        self.program("cc", "echo 'cc (Stand-in) 12.2.0'")
        self.program("pkg-config", "exit 0")
        self.program("chromium", "exit 0")
        self.program("docker", "echo 28.0.1")
        self.environment = {
            "PATH": str(self.programs),
            "HOME": str(self.home),
            "USER": "wolfgang",
            "LANG": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
        }

    def program(self, name, body, folder=None):
        path = (folder or self.programs) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def rust(self, version):
        about = RUSTC.format(version=version)
        sysroot = self.programs.parent / "sysroot"
        (sysroot / "lib/rustlib/src/rust/library").mkdir(parents=True, exist_ok=True)
        self.program("rust-analyzer", "exit 0", sysroot / "bin")
        self.program(
            "rustc", f'case "$1" in -vV) echo "{about}" ;; --print) echo "{sysroot}" ;; esac'
        )

    def snapshot(self):
        """All files of this machine, with their contents and times."""
        return {
            path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in self.home.rglob("*")
        }

    #: What the doctor is started by.
    with_fewer_rights = ()

    def doctor(self, *arguments, **environment):
        """Runs it; its findings by name, with their marks, and all that it printed."""
        before = self.snapshot()
        answer = subprocess.run(
            [*self.with_fewer_rights, self.checkout / "lab", "--doctor", *arguments],
            env={**self.environment, **environment},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        # Bash's own complaint about a locale that the machine does not have.
        complaints = [line for line in answer.stderr.splitlines() if b"setlocale" not in line]
        self.assertEqual(complaints, [])
        self.assertEqual(self.snapshot(), before, "the doctor has changed something")
        self.printed = answer.stdout
        text = answer.stdout.decode("utf-8")
        self.assertNotIn("could not be looked at", text)
        found = {}
        for line in text.splitlines():
            if row := re.match(r"(ok|note|problem) +(\S.{20}) (.*)", line):
                found.setdefault(row[2].strip(), []).append((row[1], row[3]))
            elif advice := re.match(r" {30} (→|->) (.+)", line):
                last = found[list(found)[-1]]
                last[-1] = (*last[-1], advice[2])
        problems = [name for name, rows in found.items() for row in rows if row[0] == "problem"]
        self.assertEqual(answer.returncode, 1 if problems else 0, text)
        ending = f"{len(problems)} problem" if problems else "No problem: ./lab can work."
        self.assertIn(ending, text.splitlines()[-1])
        return found, problems

    def assert_problem(self, name, fact, advice, *arguments, **environment):
        """It is the only problem, with its fact and with what to do."""
        found, problems = self.doctor(*arguments, **environment)
        self.assertEqual(problems, [name])
        [(_, said, what_to_do)] = [row for row in found[name] if row[0] == "problem"]
        self.assertRegex(said, fact)
        self.assertRegex(what_to_do, advice)

    def make_lab(self):
        """What ./lab makes, by stand-ins: the environment, the kernel, its registration."""
        lab = self.checkout / ".lab"
        self.program("python", f'exec "{sys.executable}" "$@"', lab / "python" / "bin")
        kernel = lab / "kernel" / "bin" / "neural-composer-kernel"
        self.program(
            kernel.name,
            'case "$1" in --version) echo neural-composer-kernel 0.1.0 ;;\n'
            "  prepare) [[ $NEURAL_COMPOSER_FEATURES == playback && $4 == --check ]] ;; esac",
            kernel.parent,
        )
        digest = subprocess.run(
            [sys.executable, "-B", "-c",
             "import own_kernel; print(own_kernel.sources_digest(), end='')"],
            cwd=self.checkout / "setup", env=self.environment,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        kernel.with_suffix(".sources").write_text(digest.stdout, encoding="utf-8")
        (lab / "kernel" / "features.json").write_text('["playback"]', encoding="utf-8")
        self.spec = lab / "python/share/jupyter/kernels/neural-composer/kernel.json"
        self.spec.parent.mkdir(parents=True)
        self.register(kernel)

    def register(self, program):
        spec = {"argv": [str(program)], "env": {"NEURAL_COMPOSER_HOME": str(self.checkout)}}
        self.spec.write_text(json.dumps(spec), encoding="utf-8")

    def test_on_a_machine_that_has_all_there_is_no_problem_before_the_first_start(self):
        found, problems = self.doctor()
        self.assertEqual(problems, [])
        self.assertEqual(found["Rust"][0][0], "ok")
        self.assertIn("1.95.0", found["Rust"][0][1])
        self.assertEqual(found["C compiler"], [("ok", "cc (Stand-in) 12.2.0")])
        self.assertEqual(found["container engine"], [("ok", "docker 28.0.1")])
        for part in ("JupyterLab", "kernel", "library for notebooks", "kernel's registration"):
            [(mark, _, advice)] = found[part]
            self.assertEqual((mark, advice), ("note", "nothing: ./lab makes it"), part)

    @unittest.skipUnless(importlib.util.find_spec("jupyterlab"), "not run by the lab's Python")
    def test_a_prepared_lab_is_known_as_such(self):
        self.make_lab()
        found, problems = self.doctor()
        self.assertEqual(problems, [])
        for part in ("JupyterLab", "kernel", "library for notebooks", "kernel's registration"):
            self.assertEqual(found[part][0][0], "ok", found[part])
        self.assertIn("playback", found["library for notebooks"][0][1])

    def test_what_is_of_other_sources_is_said_and_is_no_problem(self):
        self.make_lab()
        source = self.checkout / "kernel" / "src" / "main.rs"
        source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        stale = 'case "$1" in --version) echo 0.1.0 ;; *) exit 1 ;; esac'
        self.program("neural-composer-kernel", stale, self.checkout / ".lab/kernel/bin")
        self.register(self.home / "moved" / "neural-composer-kernel")
        packages = self.checkout / "environment.yml"
        text = packages.read_text(encoding="utf-8")
        packages.write_text(re.sub("jupyterlab==.*", "jupyterlab==0.0.1", text), encoding="utf-8")
        found, problems = self.doctor()
        self.assertEqual(problems, [])
        self.assertRegex(found["kernel"][0][1], "other sources")
        self.assertRegex(found["library for notebooks"][0][1], "not compiled from these sources")
        self.assertRegex(
            found["kernel's registration"][0][1], "its program is gone: ~/NeuralC|~/mov"
        )
        self.assertRegex(found["JupyterLab"][0][1], r"jupyterlab 0\.0\.1 \(")
        for part in ("kernel", "library for notebooks", "kernel's registration", "JupyterLab"):
            self.assertEqual(found[part][0][0], "note", part)

    def test_without_rust(self):
        for name in ("cargo", "rustc", "rustup"):
            (self.programs / name).unlink()
        self.assert_problem("Rust", "found no cargo and no rustc", "rustup.rs")

    def test_with_an_old_rust(self):
        self.rust("1.80.1")
        fact = r"expected 1\.95 or newer \(Cargo\.toml\), found 1\.80\.1"
        self.assert_problem("Rust", fact, "rustup update")

    def test_with_a_rustup_that_has_no_toolchain(self):
        self.program("rustc", "echo 'error: no default toolchain' >&2; exit 1")
        self.assert_problem("Rust", "does not tell its version", "rustup default stable")

    def test_without_components_nothing_is_lost_but_completion(self):
        shutil.rmtree(self.programs.parent / "sysroot")
        found, problems = self.doctor()
        self.assertEqual(problems, [])
        [(mark, fact, advice)] = found["Rust's components"]
        self.assertEqual((mark, advice), ("note", "rustup component add rust-src rust-analyzer"))
        self.assertIn("completion", fact)

    def test_without_a_compiler(self):
        (self.programs / "cc").unlink()
        self.assert_problem("C compiler", "found none", "build-essential|xcode-select")

    def test_without_the_venv_module(self):
        (self.programs / "python3").unlink()
        # As Debian's python3 without python3-venv.
        without = "if [[ $1 == -c && $2 == *ensurepip* ]]; then exit 1; fi"
        self.program("python3", f'{without}\nexec "{sys.executable}" "$@"')
        self.assert_problem("Python", "venv module is missing", "python3-venv")

    def test_with_an_old_python(self):
        packages = self.checkout / "environment.yml"
        text = packages.read_text(encoding="utf-8")
        packages.write_text(text.replace("python>=3.11,<3.15", "python>=3.98,<3.99"), "utf-8")
        # Up to 3.10 there is no tomllib: the doctor has to say what it needs all the same.
        older = self.programs.parent / "older"
        older.mkdir()
        (older / "tomllib.py").write_text("raise ModuleNotFoundError('tomllib')\n")
        fact = r"expected >=3\.98,<3\.99 \(environment\.yml\), found 3\."
        self.assert_problem("Python", fact, "first in PATH", PYTHONPATH=str(older))

    def test_without_alsas_headers_the_speaker_alone_is_missing(self):
        self.program("pkg-config", "exit 1")
        found, problems = self.doctor()
        self.assertEqual(problems, [])
        if sys.platform == "linux":
            [(mark, fact, advice)] = found["sound, to compile"]
            self.assertEqual(mark, "note")
            self.assertIn("no ALSA's headers", fact)
            self.assertIn("libasound2-dev", advice)

    def test_a_folder_that_cannot_be_written_to_is_named(self):
        blocked = self.home / "blocked"
        blocked.touch()
        fact = "~/blocked is no folder, for ~/blocked/neural-composer"
        self.assert_problem("folders", fact, "chown", XDG_CACHE_HOME=str(blocked))

    def test_a_folder_of_somebody_else_is_named(self):
        if os.geteuid() == 0:
            if not (setpriv := shutil.which("setpriv")):
                self.skipTest("whoever is root may write everywhere, and there is no setpriv")
            self.with_fewer_rights = [setpriv, "--bounding-set=-dac_override"]
        target = self.checkout / "target"
        target.mkdir(mode=0o500)
        fact = "no right to write to ~/NeuralComposer/target, for ~/NeuralComposer/target"
        self.assert_problem("folders", fact, "chown")

    def test_cuda_is_a_problem_only_where_it_is_wanted(self):
        self.program("nvidia-smi", "echo 'NVIDIA H100, 570.1, 81559 MiB'")
        if shutil.which("nvcc", path="/usr/local/cuda/bin"):
            self.skipTest("this machine has a toolkit where it is looked for")
        found, problems = self.doctor()
        self.assertEqual((problems, found["GPU"][0][0]), ([], "note"))
        self.assertIn("NVIDIA H100", found["GPU"][0][1])
        self.assert_problem("GPU", "no CUDA toolkit", "leave out --cuda", "--cuda")
        self.program("nvcc", "echo 'Cuda compilation tools, release 12.8, V12.8.61'")
        found, problems = self.doctor("--cuda")
        self.assertEqual((problems, found["GPU"][0][0]), ([], "ok"))
        self.assertIn("CUDA toolkit 12.8", found["GPU"][0][1])

    def test_a_foreign_locale_gets_plain_characters(self):
        self.program("cc", r"printf 'cc (R\303\251publique) 12\n'; exit 0")
        (self.programs / "cargo").unlink()
        self.doctor(LANG="de_DE.ISO-8859-1", LC_ALL="de_DE.ISO-8859-1", PYTHONIOENCODING="latin-1")
        self.assertTrue(self.printed.isascii(), self.printed)
        self.assertIn(b"cc (R?publique) 12", self.printed)
        self.assertIn(b" -> install Rust", self.printed)
        self.doctor()
        self.assertIn("cc (République) 12", self.printed.decode("utf-8"))

    def test_nothing_printed_tells_who_or_what_is_secret(self):
        self.make_lab()
        self.register("/data/wolfgang/of-wolfgang/wolfgang-2/kernel")
        found, _ = self.doctor(
            https_proxy="http://wolfgang:hunter2@proxy.example:3128",
            HTTP_PROXY="",
            NEURAL_COMPOSER_KEY="t0ken-of-mine",
            RUSTFLAGS="-C link-arg=/secret/place",
        )
        text = self.printed.decode("utf-8")
        for secret in ("/wolfgang", "hunter2", "proxy.example", "t0ken", "/secret", str(self.home)):
            self.assertNotIn(secret, text)
        self.assertEqual(found["proxies"], [("ok", "set: https_proxy")])
        self.assertEqual(found["variables"][0][1], "set: NEURAL_COMPOSER_KEY, RUSTFLAGS")
        self.assertIn("/data/USER/of-wolfgang/USER-2/kernel", found["kernel's registration"][0][1])

    def test_a_program_that_commands_the_terminal_is_not_obeyed(self):
        self.program("cc", r"printf 'cc \033]0;title\007 12\n'")
        self.doctor()
        self.assertNotIn(b"\x1b", self.printed)
        self.assertIn(b"cc ?]0;title? 12", self.printed)

    def test_an_option_that_it_has_not_is_refused(self):
        answer = subprocess.run(
            [self.checkout / "lab", "--doctor", "--port"],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.assertEqual(answer.returncode, 2)
        self.assertIn("--port", answer.stderr)


if __name__ == "__main__":
    unittest.main()

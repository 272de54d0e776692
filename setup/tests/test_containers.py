"""The lab's containers, as far as they can be looked at without an engine."""

import fnmatch
import http.server
import json
import re
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from locations import CHECKOUT

TOKEN = "0123456789abcdef"
ENGINE = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
case $1 in
  version | info) echo 28.0.1 ;;
  build) exit "${BUILDS-0}" ;;
  run) echo cafe ;;
  port) echo "127.0.0.1:$PORT" ;;
  logs) echo "http://127.0.0.1:8888/lab?token=$TOKEN" ;;
  exec) if [[ $3 == id ]]; then echo "${USER_ID-1000}"; else exit "${RUNS-0}"; fi ;;
esac
"""


def instructions():
    """The Dockerfile's instructions: name and the rest, long ones in one line."""
    text = re.sub(r"(?m)^#.*\n", "", (CHECKOUT / "Dockerfile").read_text(encoding="utf-8"))
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def ignored():
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class Files(unittest.TestCase):
    def test_the_image_is_of_the_rust_that_the_library_needs_or_newer(self):
        manifest = (CHECKOUT / "Cargo.toml").read_text(encoding="utf-8")
        needed = re.search(r'^rust-version = "(\d+)\.(\d+)"', manifest, re.MULTILINE).groups()
        container = json.loads((CHECKOUT / ".devcontainer/devcontainer.json").read_text("utf-8"))
        for image in [dict(instructions())["FROM"], container["image"]]:
            found = re.fullmatch(r"rust:(\d+)\.(\d+)-bookworm", image).groups()
            self.assertGreaterEqual(tuple(map(int, found)), tuple(map(int, needed)))

    def test_what_is_copied_is_there_and_holds_all_that_is_committed(self):
        copies = [rest.split() for name, rest in instructions() if name == "COPY"]
        self.assertTrue(copies)
        for words in copies:
            for source in [word for word in words if not word.startswith("--")][:-1]:
                self.assertTrue((CHECKOUT / source).exists(), source)
        listed = subprocess.run(
            ["git", "-C", CHECKOUT, "ls-files"], capture_output=True, text=True, check=False
        )
        for path in listed.stdout.splitlines():
            parents = [path, *map(str, Path(path).parents)]
            for pattern in (line.removeprefix("**/") for line in ignored()):
                self.assertFalse(fnmatch.filter(parents, pattern), f"{pattern} leaves out {path}")

    def test_what_is_made_here_stays_here(self):
        self.assertLessEqual({".git", ".lab", "target"}, set(ignored()))

    def test_it_runs_the_documented_commands_as_a_user(self):
        found = instructions()
        names = [name for name, _ in found]
        users = [rest for name, rest in found if name == "USER"]
        self.assertTrue(users and "root" not in users)
        prepare = next(i for i, (_, rest) in enumerate(found) if "./lab --prepare" in rest)
        self.assertLess(names.index("USER"), prepare)
        command = json.loads(dict(found)["CMD"])
        self.assertEqual(command[0], "./lab")
        usage = subprocess.run(
            [CHECKOUT / "lab", "--help"], capture_output=True, text=True, check=True
        ).stdout
        for option in ["--prepare", "--no-browser", "--port"]:
            self.assertIn(option, usage)
        self.assertIn("--ip=0.0.0.0", command)
        port = dict(found)["EXPOSE"]
        self.assertIn(f"--port={port}", command)
        readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
        self.assertIn(f"docker run -p {port}:{port} neural-composer", readme)
        # The token is what keeps others out.
        self.assertIsNone(re.search(r"token=|password", (CHECKOUT / "Dockerfile").read_text()))

    def test_vs_codes_container_prepares_the_lab_and_forwards_its_port(self):
        text = (CHECKOUT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
        container = json.loads(text)
        self.assertEqual(container["postCreateCommand"], "./lab --prepare")
        self.assertEqual(container["forwardPorts"], [int(dict(instructions())["EXPOSE"])])
        extensions = container["customizations"]["vscode"]["extensions"]
        self.assertLessEqual({"rust-lang.rust-analyzer", "ms-toolsai.jupyter"}, set(extensions))
        # Both containers have what the lab would otherwise have to ask for.
        for packages in [container["onCreateCommand"], dict(reversed(instructions()))["RUN"]]:
            for package in ("libasound2-dev", "pkg-config", "python3-venv"):
                self.assertIn(package, packages)


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as a lab in a container does."""

    default = "neural-composer"
    is_open = False

    def do_GET(self):
        path, _, query = self.path.partition("?")
        is_allowed = self.is_open or query == f"token={TOKEN}"
        self.send_response(200 if is_allowed else 403)
        self.end_headers()
        answer = {
            "/api/kernelspecs": {"default": self.default},
            "/api/contents/notebooks": {"content": [{"name": "01-course-workflow.ipynb"}]},
        }
        if is_allowed:
            self.wfile.write(json.dumps(answer.get(path, {})).encode())

    def log_message(self, *_):
        """Says nothing."""


class Check(unittest.TestCase):
    """`setup/containers.sh` with an engine that is a stand-in."""

    def check(self, engine="docker", default="neural-composer", is_open=False, **environment):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("bash", "dirname", "grep", "head", "python3", "sleep", "env"):
            (folder / name).symlink_to(f"/usr/bin/{name}")
        if engine:
            (folder / engine).write_text(ENGINE, encoding="utf-8")
            (folder / engine).chmod(0o755)
        calls = folder / "calls"
        calls.touch()
        handler = type("Answers", (Server,), {"default": default, "is_open": is_open})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            answer = subprocess.run(
                [CHECKOUT / "setup" / "containers.sh"],
                env={"PATH": str(folder), "CALLS": str(calls), "TOKEN": TOKEN,
                     "PORT": str(server.server_port), "CONTAINERS_PAUSE": "0", **environment},
                cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            server.shutdown()
        return answer, calls.read_text(encoding="utf-8")

    def test_without_an_engine_it_says_so_and_ends_with_77(self):
        answer, _ = self.check(engine=None)
        self.assertEqual(answer.returncode, 77, answer.stderr)
        self.assertIn("No container engine answers", answer.stdout)

    def test_where_an_engine_answers_it_builds_runs_and_tidies_up(self):
        for engine in ("docker", "podman"):
            answer, calls = self.check(engine=engine)
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
            self.assertIn(f"Building with {engine} 28.0.1", answer.stdout)
            self.assertIn("build --tag neural-composer:test .\n", calls)
            self.assertIn("exec cafe ./lab --execute", calls)
            self.assertTrue(calls.endswith("rm --force cafe\n"), calls)

    def test_whatever_is_wrong_is_said_and_fails_it(self):
        for words, machine in {
            "could not be built": {"BUILDS": "1"},
            "not root, found '0'": {"USER_ID": "0"},
            "expected 403": {"is_open": True},
            "expected our kernel": {"default": "python3"},
            "a token": {"TOKEN": ""},
            "a notebook did not run": {"RUNS": "1"},
        }.items():
            answer, calls = self.check(**machine)
            self.assertEqual(answer.returncode, 1, words)
            self.assertIn(words, answer.stderr)
            self.assertEqual(calls.endswith("rm --force cafe\n"), "BUILDS" not in machine, words)


if __name__ == "__main__":
    unittest.main()

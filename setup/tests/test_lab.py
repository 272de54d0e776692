"""The lab as a user meets it: needs a prepared lab (`./lab --prepare`)."""

import os
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import nbformat

from locations import CHECKOUT, kernel_home, user_cache

FIRST_CELL = "use neural_composer::prelude::*;"


def lab(*arguments, environment=None):
    return subprocess.run(
        [CHECKOUT / "lab", *arguments],
        env={**os.environ, **(environment or {})},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class Lab:
    """What holds on both kernels."""

    kernel: str

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.results = CHECKOUT / "target" / "notebooks"

    def notebook(self, name, *cells):
        spec = {"name": self.kernel, "display_name": "Rust", "language": "rust"}
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": spec})
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        for results in (self.results, self.results / "stock"):
            for ending in ("ipynb", "html"):
                self.addCleanup((results / f"{name}.{ending}").unlink, missing_ok=True)
        return path

    def execute(self, path):
        """With a folder for temporary files that other kernels on this machine do not use."""
        return lab("--execute", path, environment={"TMPDIR": str(self.folder)})

    def outputs(self, name):
        notebook = nbformat.read(self.results / f"{name}.ipynb", as_version=4)
        return [
            "".join(
                output.get("text") or output.get("data", {}).get("text/html", "")
                for output in cell.outputs
            )
            for cell in notebook.cells
        ]

    def test_help_names_the_options(self):
        answer = lab("--help")
        self.assertEqual(answer.returncode, 0)
        for option in ("--execute", "--cuda", "--port", "--write-back", "target/notebooks"):
            self.assertIn(option, answer.stdout)

    def test_a_notebook_runs_at_release_speed_and_its_results_are_kept(self):
        path = self.notebook(
            "lab-test-runs",
            FIRST_CELL,
            "let audio = Audio::mono(vec![0.5; 22_050], 44_100)?;",
            'println!("{}", audio.duration_seconds());',
            'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>seen</b>\\nEVCXR_END_CONTENT");',
            'println!("{}", cfg!(debug_assertions));',
            'println!("{}", std::env::current_dir()?.display());',
        )
        answer = lab("--execute", path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        _, _, duration, html, speed, folder = self.outputs("lab-test-runs")
        self.assertEqual(duration, "0.5\n")
        self.assertIn("<b>seen</b>", html)
        self.assertEqual(speed, "false\n")
        self.assertEqual(Path(folder.strip()), self.folder.resolve())
        page = (self.results / "lab-test-runs.html").read_text(encoding="utf-8")
        self.assertIn("<b>seen</b>", page)
        self.assertRegex(answer.stdout, r"cell 2 of 6 +\d+\.\d s  let audio")
        self.assertNotIn("error", nbformat.read(path, as_version=4).cells[0])
        self.assertEqual(nbformat.read(path, as_version=4).cells[2].outputs, [])

    def test_stops_at_the_first_failing_cell_and_says_its_error(self):
        path = self.notebook(
            "lab-test-fails",
            FIRST_CELL,
            'let song = Song::open("no-such-song.mp3")?;',
            'println!("not reached");',
        )
        answer = lab("--execute", path)
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("cell 2 of 3 failed", answer.stderr)
        self.assertIn("no-such-song.mp3", answer.stderr)
        self.assertEqual(self.outputs("lab-test-fails")[2], "")

    def test_a_compile_error_is_told_in_seconds(self):
        path = self.notebook("lab-test-compile", FIRST_CELL, "let song = Sogn::open(1)?;")
        answer = lab("--execute", path)
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("Sogn", answer.stderr)
        self.assertNotIn("Compiling", answer.stderr)

    def test_a_missing_notebook_is_named(self):
        answer = lab("--execute", "/no/such.ipynb")
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("/no/such.ipynb", answer.stderr)

    def test_write_back_stores_outputs_without_time_stamps(self):
        path = self.notebook("lab-test-write", 'println!("kept");')
        answer = lab("--execute", "--write-back", path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        cell = nbformat.read(path, as_version=4).cells[0]
        self.assertEqual(cell.outputs[0].text, "kept\n")
        self.assertEqual(cell.metadata, {})

    def test_text_that_came_in_pieces_is_one_output(self):
        pause = "std::thread::sleep(std::time::Duration::from_millis(300));"
        path = self.notebook("lab-test-pieces", f'println!("a"); {pause} println!("b"); {pause}')
        answer = lab("--execute", path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        notebook = nbformat.read(self.results / "lab-test-pieces.ipynb", as_version=4)
        self.assertEqual([output.text for output in notebook.cells[0].outputs], ["a\nb\n"])

    def test_two_kernels_run_side_by_side_and_leave_nothing_behind(self):
        before = self.sessions()
        names = ["lab-test-left", "lab-test-right"]
        paths = [
            self.notebook(
                name,
                f'let name = "{name}".to_string();',
                "std::thread::sleep(std::time::Duration::from_secs(5));",
                'println!("{name}");',
            )
            for name in names
        ]
        answers = []
        threads = [
            threading.Thread(target=lambda path=path: answers.append(self.execute(path)))
            for path in paths
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answer in answers:
            self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        for name in names:
            self.assertEqual(self.outputs(name)[2], f"{name}\n")
        # A kernel's folder goes when its last process has ended, which may be after Jupyter's.
        deadline = time.monotonic() + 60
        while left := self.sessions() - before:
            self.assertLess(time.monotonic(), deadline, left)
            time.sleep(0.5)

    def test_nothing_is_written_into_the_users_home_and_their_evcxr_is_left_alone(self):
        home = self.folder / "home"
        config = home / ".config" / "evcxr"
        kernel = home / ".local" / "share" / "jupyter" / "kernels" / "rust"
        config.mkdir(parents=True)
        kernel.mkdir(parents=True)
        (config / "evcxr.toml").write_text('[evcxr]\nprelude = "compile_error!();"\n')
        (config / "init.evcxr").write_text(":dep no-such-crate\n")
        (kernel / "kernel.json").write_text("{}")
        (kernel / "version.txt").write_text("0.1.0")
        before = self.contents(home)
        path = self.notebook("lab-test-home", FIRST_CELL, 'println!("fine");')
        answer = lab(
            "--execute",
            path,
            environment={
                "HOME": str(home),
                "XDG_CACHE_HOME": str(user_cache().parent),
                "CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo")),
                "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            },
        )
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertEqual(self.outputs("lab-test-home")[1], "fine\n")
        self.assertEqual(self.contents(home), before)

    @staticmethod
    def contents(folder):
        return {
            path.relative_to(folder): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }


class OnOwnKernel(Lab, unittest.TestCase):
    kernel = "neural-composer"

    def sessions(self):
        return set(self.folder.glob("neural-composer-kernel-*"))

    def test_the_same_notebook_runs_on_the_stock_kernel(self):
        path = self.notebook("lab-test-both", "let a = 1;", 'println!("{a}");')
        answer = lab("--execute", "--stock", path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertEqual(self.outputs("stock/lab-test-both")[1], "1\n")
        # Those of our own kernel are not replaced.
        self.assertFalse((self.results / "lab-test-both.ipynb").exists())


class OnStockKernel(Lab, unittest.TestCase):
    kernel = "neural-composer-stock"

    def sessions(self):
        return set((kernel_home() / "sessions").iterdir())

    def test_cells_share_the_librarys_one_interrupt_flag(self):
        # On our own kernel each cell starts with the flag down.
        path = self.notebook(
            "lab-test-statics",
            "neural_composer::interrupt::request();",
            'println!("{}", neural_composer::interrupt::requested());',
        )
        answer = lab("--execute", path)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertEqual(self.outputs("lab-test-statics")[1], "true\n")


if __name__ == "__main__":
    unittest.main()

"""The table of a sweep, read with nothing but pyarrow and csv, says what its runs' folders say.

Runs a sweep of a shipped song and reads both files of its table; run by ./test with the lab's
Python.
"""

import csv
import json
import math
import subprocess
import tempfile
import unittest
from pathlib import Path

import pyarrow
import pyarrow.parquet
from test_corpus import SONGS, program

PLAN = f"""
songs = "{SONGS / "greensleeves.flac"}"
epochs = 2
validation = 0.2

[grid]
learning-rate = [0.001, 1e30]
cell = ["gru", "lstm"]
units = [8]
recurrent-input = [true, false]
"""
TEXTS = {"state", "cell", "final_loss_is", "device", "model_file", "error"}
REALS = {"learning-rate", "validation", "final_loss", "train_loss", "validation_loss", "seconds"}
WHOLES = {"run", "units", "epochs", "best_epoch", "epochs_trained", "parameters", "memory_bytes"}
FLAGS = {"recurrent-input", "stopped_early"}


class SweepTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        plan = Path(folder.name) / "plan.toml"
        plan.write_text(PLAN)
        done = subprocess.run(
            [program(), "sweep", plan, "--device", "cpu", "--json"],
            capture_output=True,
            check=False,
        )
        # Runs whose loss is no number failed.
        if done.returncode != 1:
            raise AssertionError(done.stderr.decode())
        cls.facts = json.loads(done.stdout)
        cls.runs = plan.with_suffix(".runs")
        cls.table = pyarrow.parquet.read_table(cls.runs / "sweep.parquet")
        cls.rows = cls.table.to_pylist()

    def test_columns_have_their_types(self):
        types = {
            pyarrow.string(): TEXTS,
            pyarrow.float64(): REALS,
            pyarrow.int64(): WHOLES,
            pyarrow.bool_(): FLAGS,
        }
        for kind, names in types.items():
            for name in names:
                self.assertEqual(self.table.schema.field(name).type, kind, name)
        varied = json.loads(self.table.schema.metadata[b"neural-composer.varied"])
        self.assertEqual(varied, ["learning-rate", "cell", "units", "recurrent-input"])

    def test_rows_say_what_the_runs_folders_say(self):
        self.assertEqual([row["run"] for row in self.rows], list(range(1, 9)))
        for row in self.rows:
            folder = self.runs / row["signature"]
            if row["state"] == "failed":
                self.assertEqual(row["learning-rate"], 1e30)
                self.assertTrue(row["error"])
                self.assertIsNone(row["final_loss"])
                self.assertFalse((folder / "result.json").exists())
                continue
            said = json.loads((folder / "result.json").read_text())["outcome"]
            for name in ("final_loss", "train_loss", "validation_loss", "parameters", "seconds"):
                self.assertEqual(row[name], said[name])
            history = json.loads((folder / "history.json").read_text())["epochs"]
            self.assertEqual(len(history), row["epochs_trained"])
            self.assertEqual(history[-1]["validation_loss"], row["validation_loss"])
            self.assertEqual((self.runs / row["model_file"]).stat().st_size, row["model_bytes"])
        finished = [row for row in self.rows if row["state"] == "finished"]
        self.assertEqual(len(finished), 4)
        best = min(finished, key=lambda row: row["final_loss"])
        self.assertEqual(self.facts["best"]["signature"], best["signature"])

    def test_csv_says_the_same(self):
        with (self.runs / "sweep.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0]), self.table.column_names)
        for told, row in zip(rows, self.rows, strict=True):
            for name, value in row.items():
                if value is None:
                    self.assertEqual(told[name], "")
                elif isinstance(value, bool):
                    self.assertEqual(told[name], str(value).lower())
                elif isinstance(value, float):
                    self.assertTrue(math.isclose(float(told[name]), value, rel_tol=0))
                else:
                    self.assertEqual(told[name], str(value))


if __name__ == "__main__":
    unittest.main()

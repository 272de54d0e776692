import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from trusted_notebooks import trust_committed


class TrustedNotebooks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.data = self.home / "data"
        self.notebooks = self.home / "checkout" / "notebooks"
        self.notebooks.mkdir(parents=True)

    def git(self, *arguments):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", "-C", self.notebooks, *identity, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def write(self, name, html):
        output = nbformat.v4.new_output("display_data", {"text/html": html})
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
        notebook.cells[0].id = "one"
        notebook.cells[0].outputs = [output]
        nbformat.write(notebook, self.notebooks / name)

    def trusted(self):
        trust_committed(self.notebooks, self.data)
        notary = NotebookNotary(data_dir=str(self.data))
        self.addCleanup(notary.store.close)
        notebooks = sorted(self.notebooks.glob("*.ipynb"))
        read = [(path.name, nbformat.read(path, as_version=4)) for path in notebooks]
        return {name for name, notebook in read if notary.check_signature(notebook)}

    @unittest.skipUnless(shutil.which("git"), "without git nothing is known to be committed")
    def test_what_was_committed_is_trusted_and_nothing_else(self):
        for name in ["same.ipynb", "changed.ipynb"]:
            self.write(name, f"<script>{name}</script>")
        self.git("init")
        self.git("add", ".")
        self.git("commit", "--message", "notebooks")
        self.write("changed.ipynb", "<script>other</script>")
        self.write("new.ipynb", "<script>new</script>")
        self.write("added.ipynb", "<script>added</script>")
        self.git("add", "added.ipynb")
        self.assertEqual(self.trusted(), {"same.ipynb"})
        # Committed later, by a pull for example.
        self.git("commit", "--all", "--message", "more")
        self.assertEqual(self.trusted(), {"added.ipynb", "changed.ipynb", "same.ipynb"})
        self.write("same.ipynb", "<script>now another</script>")
        self.assertEqual(self.trusted(), {"added.ipynb", "changed.ipynb"})

    def test_without_a_repository_nothing_is_trusted(self):
        self.write("some.ipynb", "<script>1</script>")
        self.assertEqual(self.trusted(), set())


if __name__ == "__main__":
    unittest.main()

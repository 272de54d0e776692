"""Files that `./lab --execute` writes are the old or the new ones, never a part of one, and the
notebooks that are committed tell nothing of the machine that executed them."""

import json
import re
import tempfile
import unittest
from pathlib import Path

from execute_notebooks import write_whole
from locations import CHECKOUT

# What comes before keeps slashes in coded pictures and sounds, and in addresses, from being paths.
FOLDER_OF_A_MACHINE = re.compile(r"(?:file://|(?<![\w.+/:=~-]))/(Users|[a-z]+)/[\w.-]+")


class WholeFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "notebook.ipynb"

    def names(self):
        return sorted(path.name for path in self.path.parent.iterdir())

    def test_a_new_file_is_all_that_is_left(self):
        write_whole(self.path, "{}")
        self.assertEqual(self.path.read_text(), "{}\n")
        self.assertEqual(self.names(), ["notebook.ipynb"])

    def test_what_cannot_be_written_leaves_the_old_file(self):
        self.path.write_text("old\n")
        with self.assertRaises(UnicodeEncodeError):
            write_whole(self.path, "new \ud800")
        self.assertEqual(self.path.read_text(), "old\n")
        self.assertEqual(self.names(), ["notebook.ipynb"])

    def test_permissions_and_links_stay(self):
        self.path.write_text("old\n")
        self.path.chmod(0o640)
        link = self.path.with_name("link.ipynb")
        link.symlink_to(self.path.name)
        write_whole(link, "new\n")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.path.read_text(), "new\n")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)


class CommittedNotebooks(unittest.TestCase):
    def test_folders_are_told_from_what_only_has_slashes(self):
        for text in ["in /home/ada/x", "(/srv/lab/.lab/c", "file:///root/a", "`/tmp/.x1`"]:
            self.assertRegex(text, FOLDER_OF_A_MACHINE)
        for text in ["base64,AAA/tmp/BBB+/opt/C", "https://example.org/home/x", "a/var/b"]:
            self.assertNotRegex(text, FOLDER_OF_A_MACHINE)

    def test_outputs_name_no_folder_of_a_machine(self):
        """A training that went on from one that was cut off, say, names its checkpoint."""
        notebooks = sorted((CHECKOUT / "notebooks").glob("[0-9]*.ipynb"))
        self.assertTrue(notebooks)
        for path in notebooks:
            for cell in json.loads(path.read_text())["cells"]:
                found = FOLDER_OF_A_MACHINE.search(json.dumps(cell.get("outputs", [])))
                with self.subTest(notebook=path.name, cell=cell["id"]):
                    self.assertIsNone(found)


if __name__ == "__main__":
    unittest.main()

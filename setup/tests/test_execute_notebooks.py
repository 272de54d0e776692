"""Files that `./lab --execute` writes are the old or the new ones, never a part of one."""

import tempfile
import unittest
from pathlib import Path

from execute_notebooks import write_whole


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


if __name__ == "__main__":
    unittest.main()

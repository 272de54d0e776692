import errno
import os
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import prebuilt_library
from locations import CHECKOUT
from prebuilt_library import copy_linked, library_manifest, template_files, template_key


class LibraryManifest(unittest.TestCase):
    def test_keeps_what_types_need_and_nothing_of_the_workspace(self):
        original = tomllib.loads((CHECKOUT / "Cargo.toml").read_text(encoding="utf-8"))
        made = tomllib.loads(library_manifest((CHECKOUT / "Cargo.toml").read_text("utf-8")))
        for section in ("package", "features"):
            self.assertEqual(made[section], original[section])
        for_compilers = made["target"]["cfg(not(types_only))"]["dependencies"]
        self.assertEqual(for_compilers, original["dependencies"])
        self.assertNotIn("dependencies", made)
        self.assertFalse({"workspace", "profile", "dev-dependencies", "bin"} & set(made))


class TemplateFiles(unittest.TestCase):
    def test_cells_depend_on_the_library_by_its_own_name(self):
        shared = tomllib.loads(template_files(["playback"])["shared/Cargo.toml"].decode())
        self.assertEqual(shared["lib"]["name"], "neural_composer")
        seen = shared["target"]["cfg(types_only)"]["dependencies"]["neural-composer"]
        self.assertEqual((seen["path"], seen["features"]), ("../library", ["playback"]))
        self.assertNotIn("dependencies", shared)

    def test_the_library_is_its_sources_and_nothing_else_of_the_checkout(self):
        names = set(template_files([]))
        self.assertIn("library/src/lib.rs", names)
        self.assertFalse([name for name in names if "notebooks" in name or "songs/" in name])


class TemplateKey(unittest.TestCase):
    def test_another_key_exactly_when_files_build_or_compiler_differ(self):
        files, build = template_files(["playback"]), Path("target/notebook/1f")
        key = template_key(files, build)
        self.assertEqual(key, template_key(dict(reversed(files.items())), build))
        self.assertNotEqual(key, template_key(files, Path("target/notebook/2f")))
        self.assertNotEqual(key, template_key(template_files([]), build))
        edited = {**files, "library/src/lib.rs": files["library/src/lib.rs"] + b"\n"}
        self.assertNotEqual(key, template_key(edited, build))
        with mock.patch.object(prebuilt_library, "rust_version", lambda: "rustc 9.9.9"):
            self.assertNotEqual(key, template_key(files, build))


class CopyLinked(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source, self.copy = Path(folder.name, "source"), Path(folder.name, "copy")
        (self.source / "deps").mkdir(parents=True)

    def write(self, name, size):
        path = self.source / name
        path.write_bytes(b"x" * size)
        os.utime(path, ns=(1_600_000_000_123_456_789,) * 2)
        return path

    def test_large_files_share_their_storage_and_small_ones_do_not(self):
        large, small = self.write("deps/libbig.rlib", 200_000), self.write("fingerprint", 20)
        copy_linked(self.source, self.copy)
        self.assertTrue(os.path.samefile(large, self.copy / "deps/libbig.rlib"))
        self.assertFalse(os.path.samefile(small, self.copy / "fingerprint"))
        (self.copy / "fingerprint").write_text("changed")
        self.assertEqual(small.read_bytes(), b"x" * 20)

    def test_time_stamps_stay_because_cargo_goes_by_them(self):
        self.write("fingerprint", 20)
        copy_linked(self.source, self.copy)
        self.assertEqual((self.copy / "fingerprint").stat().st_mtime_ns, 1_600_000_000_123_456_789)

    def test_a_cells_own_crate_is_never_shared(self):
        cell = self.write("deps/libctx.so", 200_000)
        copy_linked(self.source, self.copy)
        self.assertFalse(os.path.samefile(cell, self.copy / "deps/libctx.so"))

    def test_another_file_system_gets_copies(self):
        large = self.write("deps/libbig.rlib", 200_000)
        with mock.patch("os.link", side_effect=OSError(errno.EXDEV, "another device")):
            copy_linked(self.source, self.copy)
        copied = self.copy / "deps/libbig.rlib"
        self.assertEqual(copied.read_bytes(), large.read_bytes())
        self.assertFalse(os.path.samefile(large, copied))


if __name__ == "__main__":
    unittest.main()

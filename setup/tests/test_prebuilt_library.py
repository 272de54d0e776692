import os
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import prebuilt_library
from locations import CHECKOUT
from prebuilt_library import copy_linked, library_files, library_manifest, template_key


class LibraryManifest(unittest.TestCase):
    def test_keeps_what_the_library_needs_and_nothing_of_the_workspace(self):
        original = tomllib.loads((CHECKOUT / "Cargo.toml").read_text(encoding="utf-8"))
        made = tomllib.loads(library_manifest((CHECKOUT / "Cargo.toml").read_text("utf-8")))
        for section in ("package", "features"):
            self.assertEqual(made[section], original[section])
        for_compilers = made["target"]["cfg(not(types_only))"]["dependencies"]
        self.assertEqual(for_compilers, original["dependencies"])
        self.assertNotIn("dependencies", made)
        self.assertEqual(made["lib"]["crate-type"], ["dylib"])
        self.assertFalse({"workspace", "profile", "dev-dependencies", "bin"} & set(made))

    def test_a_lib_section_that_is_there_is_added_to(self):
        made = tomllib.loads(library_manifest('[lib]\nname = "x"\n[[bench]]\nname = "b"\n'))
        self.assertEqual(made, {"lib": {"name": "x", "crate-type": ["dylib"]}})


class TemplateKey(unittest.TestCase):
    def test_another_key_exactly_when_sources_features_or_compiler_differ(self):
        files = library_files()
        key = template_key(files, ["playback"])
        self.assertEqual(key, template_key(dict(reversed(files.items())), ["playback"]))
        self.assertNotEqual(key, template_key(files, []))
        self.assertNotEqual(key, template_key(files, ["cuda", "playback"]))
        edited = {**files, "library/src/lib.rs": files["library/src/lib.rs"] + b"\n"}
        self.assertNotEqual(key, template_key(edited, ["playback"]))
        with mock.patch.object(prebuilt_library, "rust_version", lambda: "rustc 9.9.9"):
            self.assertNotEqual(key, template_key(files, ["playback"]))

    def test_the_library_is_its_sources_and_nothing_else_of_the_checkout(self):
        names = set(library_files())
        self.assertIn("library/src/lib.rs", names)
        self.assertFalse([name for name in names if "notebooks" in name or "songs/" in name])


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


if __name__ == "__main__":
    unittest.main()

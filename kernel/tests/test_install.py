"""The kernel in a user's own Jupyter: installed at each place, from any folder, and taken back."""

import json
import os
import subprocess
import sys

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from notebook import KERNEL, ROOT, Notebook, features, program

PNG = b"\x89PNG\r\n\x1a\n"


def kernel(*arguments, cwd, **environment):
    """Runs the kernel's program as somebody in the folder `cwd` does."""
    return subprocess.run(
        [program(), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def done(answer):
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def refused(answer):
    assert answer.returncode != 0 and "panicked" not in answer.stderr, answer
    return answer.stderr


def kernels(data):
    return data / "kernels" / KERNEL


def specs_in(data):
    return KernelSpecManager(kernel_dirs=[str(data / "kernels")], ensure_native_kernel=False)


def test_a_notebook_of_another_folder_has_the_library_and_its_own_files(tmp_path):
    work = tmp_path / "elsewhere, é"
    work.mkdir()
    # The checkout by a path that is relative to the caller.
    home = os.path.relpath(ROOT, tmp_path)
    said = done(kernel("install", "--prefix", "env", "--home", home, *features(), cwd=tmp_path))
    data = tmp_path / "env" / "share" / "jupyter"
    assert str(kernels(data)) in said and str(ROOT) in said
    with Notebook(specs_in(data), cwd=str(work)) as notebook:
        assert notebook.run("use neural_composer::prelude::*;", timeout=1800).status == "ok"
        shown = notebook.run("Audio::mono(vec![0.25; 44_100], 44_100)?")
        assert shown.error == ""
        outputs = shown.contents("execute_result") + shown.contents("display_data")
        assert any("text/html" in output["data"] for output in outputs), shown.messages
        (work / "words.txt").write_text("from the notebook's folder", encoding="utf-8")
        read = notebook.run('std::fs::read_to_string("words.txt")?')
        assert read.result == '"from the notebook\'s folder"', read.error
        written = 'Audio::mono(vec![0.25; 4_410], 44_100)?.save("tone.wav")?;'
        assert notebook.run(written).error == ""
        assert (work / "tone.wav").read_bytes()[:4] == b"RIFF"


def test_without_a_checkout_it_is_a_kernel_of_plain_rust_and_says_so(tmp_path):
    said = done(kernel("install", "--prefix", tmp_path / "env", cwd=tmp_path))
    assert "plain Rust" in said and "--home CHECKOUT" in said
    data = tmp_path / "env" / "share" / "jupyter"
    with Notebook(specs_in(data), cwd=str(tmp_path)) as notebook:
        assert notebook.run("let two = 2; two + 40").result == "42"
        assert "neural_composer" in notebook.run("use neural_composer::prelude::*;").error


@pytest.mark.parametrize("arguments", [(), ("--user",)])
def test_for_the_user(tmp_path, arguments):
    environment = {"HOME": str(tmp_path), "JUPYTER_DATA_DIR": "", "XDG_DATA_HOME": ""}
    done(kernel("install", *arguments, cwd="/", **environment))
    mac = tmp_path / "Library" / "Jupyter"
    data = mac if sys.platform == "darwin" else tmp_path / ".local" / "share" / "jupyter"
    assert (kernels(data) / "kernel.json").is_file()
    done(kernel("uninstall", *arguments, cwd="/", **environment))
    assert not kernels(data).exists()


def test_jupyters_own_variable_names_the_users_folder(tmp_path):
    done(kernel("install", cwd=tmp_path, JUPYTER_DATA_DIR="mine"))
    assert (kernels(tmp_path / "mine") / "kernel.json").is_file()


def test_for_the_active_environment(tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    path = f"{environment}/bin{os.pathsep}{os.environ['PATH']}"
    done(kernel("install", "--sys-prefix", cwd="/", PATH=path))
    data = environment / "share" / "jupyter"
    assert (kernels(data) / "kernel.json").is_file()
    done(kernel("uninstall", "--sys-prefix", cwd="/", PATH=path))
    assert not kernels(data).exists()


def test_one_place_at_a_time(tmp_path):
    for places in [("--user", "--sys-prefix"), ("--sys-prefix", "--prefix", "env")]:
        assert "cannot be used with" in refused(kernel("install", *places, cwd=tmp_path))


def test_a_front_end_is_given_logos(tmp_path):
    done(kernel("install", "--prefix", tmp_path, cwd="/"))
    data = tmp_path / "share" / "jupyter"
    folder = kernels(data)
    for side in (32, 64):
        picture = (folder / f"logo-{side}x{side}.png").read_bytes()
        assert picture.startswith(PNG)
        size = (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24]))
        assert size == (side, side)
    assert (folder / "logo-svg.svg").read_text(encoding="utf-8").startswith("<svg ")
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o644, file
    assert specs_in(data).get_all_specs()[KERNEL]["spec"]["language"] == "rust"


def test_installed_again_it_is_the_last_that_holds(tmp_path):
    done(kernel("install", "--prefix", tmp_path, "--home", ROOT, cwd="/"))
    done(kernel("install", "--prefix", tmp_path, cwd="/"))
    spec = json.loads((kernels(tmp_path / "share" / "jupyter") / "kernel.json").read_text())
    assert spec["env"] == {}


def test_what_is_no_checkout_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Cargo.toml").write_text('[package]\nname = "another"\n')
    for home, words in [("nowhere", "found no folder nowhere"), ("other", "found no Cargo.toml")]:
        said = refused(kernel("install", "--prefix", "env", "--home", home, cwd=tmp_path))
        assert "expected a checkout of neural-composer" in said and words in said
    assert not (tmp_path / "env").exists()


def test_a_place_that_cannot_be_written_to_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()
    said = refused(kernel("install", "--prefix", tmp_path / "file", cwd="/"))
    assert str(tmp_path / "file") in said and "--prefix DIR" in said
    blocked = kernels(tmp_path / "share" / "jupyter")
    (blocked / "kernel.json" / "a folder").mkdir(parents=True)
    said = refused(kernel("install", "--prefix", tmp_path, cwd="/"))
    assert f"could not write {blocked / 'kernel.json'}" in said


def test_only_what_was_installed_is_taken_back(tmp_path):
    folder = kernels(tmp_path / "share" / "jupyter")
    said = refused(kernel("uninstall", "--prefix", tmp_path, cwd="/"))
    assert "found none" in said and "jupyter kernelspec list" in said
    folder.mkdir(parents=True)
    theirs = folder / "kernel.json"
    theirs.write_text('{"display_name": "Another", "argv": []}')
    assert "found another" in refused(kernel("uninstall", "--prefix", tmp_path, cwd="/"))
    assert theirs.exists()
    done(kernel("install", "--prefix", tmp_path, cwd="/"))
    (folder / "notes.txt").touch()
    assert "stays" in done(kernel("uninstall", "--prefix", tmp_path, cwd="/"))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]

"""Only messages with the right signature do anything, and the key is its owner's alone."""

import json
import os
import stat
import subprocess
import time

import pytest
import zmq
from jupyter_client.session import Session

from notebook import Notebook, program

CODE = {"code": "let stolen = 1;", "silent": False, "store_history": True, "allow_stdin": False}


@pytest.fixture
def notebook(plain_specs):
    with Notebook(plain_specs) as notebook:
        yield notebook


def parts_of(session, kind="execute_request", content=CODE):
    return session.serialize(session.msg(kind, content))


def answers(notebook, channel, parts, seconds=1.5):
    """What comes back for a message of these parts."""
    connection = notebook.client.get_connection_info()
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.linger = 0
    client.connect(f"tcp://127.0.0.1:{connection[f'{channel}_port']}")
    client.send_multipart(parts)
    found = bool(client.poll(1000 * seconds))
    client.close()
    return found


def test_what_is_unsigned_or_wrongly_signed_is_ignored(notebook):
    key = notebook.client.session.key
    right, wrong, none = Session(key=key), Session(key=b"another key"), Session(key=b"")
    parts = parts_of(right)
    changed = [part.replace(b"stolen", b"gotten") for part in parts]
    cut = [*parts[:1], parts[1][:-2], *parts[2:]]
    hostile = [parts_of(wrong), parts_of(none), changed, cut, parts[:1], parts[2:]]
    for channel in ("shell", "control"):
        for number, message in enumerate(hostile):
            assert not answers(notebook, channel, message, 0.5), f"{channel}, {number}"
        shutdown = parts_of(wrong, "shutdown_request", {"restart": False})
        assert not answers(notebook, channel, shutdown, 0.5)
    assert notebook.manager.is_alive()
    assert "stolen" not in notebook.run(":vars").result
    assert answers(notebook, "shell", parts, 20), "the right signature is not taken"
    assert "stolen" in notebook.run(":vars").result


def test_the_key_is_its_owners_alone(notebook):
    mode = os.stat(notebook.manager.connection_file).st_mode
    assert stat.S_IMODE(mode) & 0o077 == 0


def test_a_key_that_others_can_read_is_told(tmp_path):
    ports = dict.fromkeys(("shell", "iopub", "stdin", "control", "hb"), 0)
    connection = {f"{name}_port": port for name, port in ports.items()}
    connection |= {"ip": "127.0.0.1", "transport": "tcp", "signature_scheme": "hmac-sha256"}
    for mode, key, words in ((0o644, "secret", "other users"), (0o600, "", "not signed")):
        path = tmp_path / f"connection-{mode:o}.json"
        path.write_text(json.dumps(connection | {"key": key}), encoding="utf-8")
        path.chmod(mode)
        said = tmp_path / f"said-{mode:o}"
        with said.open("w") as log:
            kernel = subprocess.Popen(
                [program(), "run", "--connection-file", path], stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + 10
        while words not in said.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        kernel.terminate()
        kernel.wait()
        told = said.read_text()
        assert words in told and "secret" not in told, told

"""No client ends a kernel by leaving: on no channel, at no moment."""

import time

import pytest

from stories import PATIENCE

CHANNELS = {
    "control": ("connect_control", "kernel_info_request"),
    "shell": ("connect_shell", "kernel_info_request"),
    "shell, in the middle of a cell": ("connect_shell", "execute_request"),
    "stdin": ("connect_stdin", "input_reply"),
    "control, with an interrupt": ("connect_control", "interrupt_request"),
}
CONTENT = {
    "kernel_info_request": {},
    "interrupt_request": {},
    "input_reply": {"value": "x"},
    "execute_request": {"code": 'for i in 0..200 { println!("{i}"); }', "silent": False},
}


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)
def test_a_client_that_leaves(shelf, channel):
    """The problem cell of section 0, and the other channels."""
    connect, question = channel
    with shelf.lab() as lab:
        for step in range(20 if question != "execute_request" else 4):
            socket = getattr(lab.manager, connect)()
            lab.manager.session.send(socket, question, CONTENT[question])
            time.sleep(0.0005 * (step % 8))
            socket.close(linger=50)
            time.sleep(0.05)
            assert lab.manager.is_alive(), step


@pytest.mark.parametrize("channel", ["connect_iopub", "connect_hb", "connect_stdin"])
def test_a_client_that_leaves_during_a_flood(shelf, channel):
    with shelf.lab() as lab:
        started = lab.start('for i in 0..20_000 { println!("{i}"); }')
        for _ in range(10):
            socket = getattr(lab.manager, channel)()
            time.sleep(0.02)
            socket.close(linger=0)
        cell = lab.finish(started, timeout=PATIENCE)
        assert cell.stdout.count("\n") == 20_000
        assert lab.manager.is_alive()


def test_a_client_that_sends_nonsense(shelf):
    with shelf.lab() as lab:
        for parts in ([b""], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"0" * 64, b"{", b"{}", b"{}", b"["]):
            for connect in ("connect_control", "connect_shell", "connect_stdin"):
                socket = getattr(lab.manager, connect)()
                socket.send_multipart(parts)
                time.sleep(0.05)
                socket.close(linger=50)
        assert lab.manager.is_alive()

"""Whatever a client does or fails to do, the kernel lives, and the other clients are served."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from clients import Clients, open_files
from notebook import KERNEL, Notebook, descendants

VISITS = 60
# A front end in a process of its own, which can be stopped: it subscribes, says so, and reads.
LISTENER = """
import sys, zmq
listening = zmq.Context().socket(zmq.SUB)
listening.subscribe(b"")
listening.connect(f"tcp://127.0.0.1:{sys.argv[1]}")
listening.recv_multipart()
print("listening", flush=True)
while True:
    listening.recv_multipart()
"""
FLOOD = 'for i in 0..{lines} {{ println!("{{i}} {{}}", "x".repeat(1000)); }} println!("flooded");'
ENDLESS = 'loop { println!("{}", "x".repeat(1000)); }'
QUESTION = (
    'println!("EVCXR_INPUT_REQUEST:name? "); let mut line = String::new(); '
    'std::io::stdin().read_line(&mut line)?; println!("[{}]", line.trim());'
)


@pytest.fixture
def notebook(plain_specs):
    with Notebook(plain_specs) as notebook:
        yield notebook


def clients_of(notebook, seed=12):
    return Clients(notebook.manager.connection_file, seed)


def assert_served(notebook, process_id):
    """The kernel is the same one, answers on every channel, and cells run."""
    assert notebook.manager.is_alive() and notebook.process_id == process_id
    assert notebook.client.hb_channel.is_beating()
    control = notebook.client.control_channel
    request = notebook.client.session.msg("kernel_info_request")
    control.send(request)
    assert control.get_msg(timeout=10)["parent_header"]["msg_id"] == request["header"]["msg_id"]
    assert notebook.run("kept + 1").result == "42"


def test_clients_that_leave_or_rave(notebook):
    notebook.run("let kept = 41;")
    process_id, files = notebook.process_id, open_files(notebook.process_id)
    visitors = clients_of(notebook)
    for number in range(0, VISITS, 6):
        started = notebook.start(f'println!("{number}");')
        visits = [
            threading.Thread(target=visitors.visit, args=[n]) for n in range(number, number + 6)
        ]
        for visit in visits:
            visit.start()
        assert notebook.finish(started, timeout=30).stdout == f"{number}\n"
        for visit in visits:
            visit.join()
    assert_served(notebook, process_id)
    deadline = time.monotonic() + 5
    while (still := open_files(process_id)) > files + 5:
        assert time.monotonic() < deadline, f"{files} files were open, now {still}"
        time.sleep(0.1)


def test_questions_over_control_sockets_that_are_closed_at_once(notebook):
    """Jupyter Server's first questions are of this kind."""
    notebook.run("let kept = 41;")
    for number in range(60):
        asking = notebook.manager.connect_control()
        notebook.manager.session.send(asking, "kernel_info_request", {})
        time.sleep(0.0005 * (number % 8))
        asking.close(linger=50)
        time.sleep(0.05)
        assert notebook.manager.is_alive(), number
    assert_served(notebook, notebook.process_id)


def test_a_front_end_that_stops_reading_holds_nobody_up(notebook):
    notebook.run("let kept = 41;")
    port = notebook.client.get_connection_info()["iopub_port"]
    listeners = [
        subprocess.Popen([sys.executable, "-c", LISTENER, str(port)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for listener in listeners:
            assert listener.stdout.readline() == b"listening\n"
            listener.send_signal(signal.SIGSTOP)
        # Far more than the sockets and queues of those that sleep can hold.
        cell = notebook.run(FLOOD.format(lines=100_000), timeout=60)
        assert cell.stdout.endswith("flooded\n") and cell.stdout.count("\n") == 100_001
        started = notebook.start(ENDLESS)
        time.sleep(1)
        for _ in range(2):
            notebook.interrupt()
            time.sleep(0.5)
        assert notebook.finish(started, timeout=20).status == "error"
        assert notebook.run("let kept = 41;").status == "ok"
        listeners[0].send_signal(signal.SIGCONT)
        assert_served(notebook, notebook.process_id)
    finally:
        for listener in listeners:
            listener.kill()
            listener.wait()
    assert_served(notebook, notebook.process_id)


@pytest.mark.parametrize("channel", ["iopub", "shell", "stdin", "all"])
def test_the_front_end_leaves_while_a_cell_floods_it(notebook, channel):
    notebook.run("let kept = 41;")
    notebook.start(ENDLESS)
    client = notebook.client
    time.sleep(0.5)
    if channel == "all":
        client.stop_channels()
    else:
        getattr(client, f"{channel}_channel").stop()
    time.sleep(0.5)
    for _ in range(2):
        notebook.interrupt()
        time.sleep(0.5)
    client.stop_channels()
    notebook.client = notebook.manager.client()
    notebook.client.start_channels()
    notebook.client.wait_for_ready(timeout=30)
    assert notebook.run("1 + 1").result == "2"


def test_a_cell_whose_user_left_reads_an_empty_line(notebook):
    asking = BlockingKernelClient(connection_file=notebook.manager.connection_file)
    asking.load_connection_file()
    asking.start_channels()
    asking.wait_for_ready(timeout=30)
    request = asking.execute(QUESTION, allow_stdin=True)
    asking.get_stdin_msg(timeout=30)
    asking.stop_channels()
    # Everybody sees the cell's output, whoever ran it.
    said = ""
    while "[]" not in said:
        message = notebook.client.get_iopub_msg(timeout=20)
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == "stream":
            said += message["content"]["text"]
    assert notebook.run("1 + 1").result == "2"


def test_clients_that_were_not_asked_do_not_answer_when_they_leave(notebook):
    started = notebook.start(QUESTION, allow_stdin=True)
    notebook.client.get_stdin_msg(timeout=30)
    for _ in range(5):
        clients_of(notebook).leaves_at_once("stdin")
    time.sleep(0.3)
    notebook.client.input("Ada")
    assert "[Ada]" in notebook.finish(started, timeout=30).stdout


@pytest.mark.parametrize("channel", ["shell", "control"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_shutdown_is_answered_and_ends_everything(plain_specs, channel, stays):
    notebook = Notebook(plain_specs)
    notebook.run("let kept = 41;")
    notebook.start(ENDLESS)
    time.sleep(0.3)
    family = descendants(notebook.process_id)
    clients = clients_of(notebook)
    leaving = clients.zeromq(channel)
    session = clients.session()
    session.send(leaving, "shutdown_request", {"restart": False})
    if stays:
        assert leaving.poll(5000)
        _, parts = session.feed_identities(leaving.recv_multipart())
        assert session.deserialize(parts)["msg_type"] == "shutdown_reply"
    # The request leaves first; a reply finds nobody.
    leaving.close(linger=5000)
    deadline = time.monotonic() + 20
    while notebook.manager.is_alive() or any(os.path.exists(f"/proc/{p}") for p in family):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    notebook.close()


def test_a_restarted_kernel_is_found_again(notebook):
    """By the same sockets of the same front end."""
    for _ in range(2):
        notebook.run("let kept = 41;")
        process_id = notebook.process_id
        notebook.manager.restart_kernel()
        notebook.client.wait_for_ready(timeout=60)
        assert notebook.process_id != process_id
        assert notebook.run("kept").status == "error"
        assert notebook.run("1 + 1").result == "2"


def test_many_that_say_nothing(notebook):
    notebook.run("let kept = 41;")
    clients = clients_of(notebook)
    silent = [
        clients.plain(channel) for channel in ["shell", "iopub", "control"] for _ in range(400)
    ]
    assert_served(notebook, notebook.process_id)
    for client in silent:
        client.close()


def test_notes_that_nobody_reads(plain_specs):
    """Standard error is a pipe that is full, and then one without a reader."""
    manager = KernelManager(kernel_name=KERNEL, kernel_spec_manager=plain_specs)
    manager.start_kernel(stderr=subprocess.PIPE)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        clients = Clients(manager.connection_file, 1)
        for _ in range(2):
            raving = clients.zeromq("control")
            for _ in range(3000):
                raving.send(b"no message")
            time.sleep(1)
            raving.close()
            client.kernel_info()
            assert client.get_shell_msg(timeout=10)["msg_type"] == "kernel_info_reply"
            manager.provisioner.process.stderr.close()
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


def test_sockets_that_are_files(plain_specs, tmp_path):
    manager = KernelManager(
        kernel_name=KERNEL, kernel_spec_manager=plain_specs, transport="ipc", ip=str(tmp_path / "s")
    )
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        assert client.execute_interactive("1 + 1", timeout=30)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)

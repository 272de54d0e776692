"""Clients as nobody wants them: they leave early, say nothing, or send what is no message."""

import json
import random
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import zmq
from jupyter_client.session import Session

KINDS = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
    "hb": zmq.REQ,
}
CHANNELS = list(KINDS)
# Requests as front ends send them, and as they should not.
REQUESTS = {
    "kernel_info_request": {},
    "comm_info_request": {},
    "history_request": {"hist_access_type": "tail", "n": 3},
    "is_complete_request": {"code": "fn f() {"},
    "execute_request": {"code": "40 + 2", "store_history": False, "stop_on_error": False},
    "no_such_request": {},
    "comm_open": {"comm_id": "c", "target_name": "none", "data": {}},
    "input_reply": {"value": "stray"},
}
# A cell that does not compile would take others' cells with it that wait behind it: the protocol's
# `stop_on_error` is for the whole queue.
WRONG_CONTENTS = [
    *[None, [], 7, "text"],
    *[{"code": 5}, {"code": None}, {"code": "1", "silent": "no"}],
    {"cursor_pos": -1, "code": "é", "stop_on_error": False},
    {"hist_access_type": 3, "n": "many"},
]
WRONG_HEADERS = [None, [], "x", {}, {"msg_id": 5}, {"msg_type": ["shutdown_request"]}]
# ZeroMQ's greeting, version 3.0, no security.
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def ready(kind: bytes) -> bytes:
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return b"\x04" + bytes([len(body)]) + body


class Clients:
    """Makes such clients of one kernel, by chance."""

    def __init__(self, connection_file: str, seed: int):
        self.connection = json.loads(Path(connection_file).read_text(encoding="utf-8"))
        self.chance = random.Random(seed)
        self.key = self.connection["key"].encode()

    def session(self, key: bytes | None = None) -> Session:
        return Session(key=self.key if key is None else key)

    def port(self, channel: str) -> int:
        return self.connection[f"{channel}_port"]

    def zeromq(self, channel: str, identity: bytes | None = None) -> zmq.Socket:
        found = zmq.Context.instance().socket(KINDS[channel])
        found.linger = 0
        if identity:
            found.identity = identity
        if channel == "iopub":
            found.subscribe(self.chance.choice([b"", b"kernel.status", b"none", b"\xff\xfe"]))
        found.connect(f"tcp://127.0.0.1:{self.port(channel)}")
        return found

    def plain(self, channel: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port(channel)), timeout=10)

    def pause(self):
        time.sleep(self.chance.choice([0, 0, self.chance.uniform(0, 0.05)]))

    def request(self) -> tuple[str, dict]:
        kind, content = self.chance.choice(list(REQUESTS.items()))
        return kind, dict(content)

    # How a client behaves; each takes the channel.

    def leaves_at_once(self, channel: str):
        client = self.zeromq(channel)
        self.pause()
        client.close()

    def asks_and_leaves(self, channel: str):
        client = self.zeromq(channel)
        if channel == "hb":
            client.send(b"ping", zmq.DONTWAIT)
        elif channel != "iopub":
            for _ in range(self.chance.choice([1, 1, 5])):
                self.session().send(client, *self.request())
        time.sleep(self.chance.choice([0, 0.002, 0.01, 0.05, 0.2]))
        client.close()

    def resets_its_connection(self, channel: str):
        """After half an answer, or none."""
        client = self.plain(channel)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(GREETING + ready({"iopub": b"SUB", "hb": b"REQ"}.get(channel, b"DEALER")))
        parts = self.session().serialize(self.session().msg("kernel_info_request"))
        wire = [b"\x01\x00", *(b"\x03" + struct.pack(">Q", len(part)) + part for part in parts)]
        client.sendall(b"\x00\x01\x01" if channel == "iopub" else b"".join(wire))
        self.pause()
        client.close()

    def says_nothing(self, channel: str):
        client = self.plain(channel)
        time.sleep(self.chance.uniform(0, 1))
        client.close()

    def speaks_another_language(self, channel: str):
        client = self.plain(channel)
        said = [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\n", b"\xff" * 64, bytes(200),
                self.chance.randbytes(2000), GREETING[:self.chance.randrange(64)]]  # fmt: skip
        client.sendall(self.chance.choice(said))
        self.pause()
        client.close()

    def greets_and_raves(self, channel: str):
        client = self.plain(channel)
        introduction = ready({"iopub": b"SUB", "hb": b"REQ"}.get(channel, b"DEALER"))
        stranger = ready(self.chance.choice([b"PUB", b"", b"PAIR", b"NOBODY"]))
        said = [
            b"\x02" + b"\xff" * 8,
            b"\x02" + struct.pack(">Q", 1 << 62),
            b"\x02" + struct.pack(">Q", 1 << 40) + b"begun",
            b"\x04\x02\x05R",
            stranger,
            introduction + b"\x02" + struct.pack(">Q", 1 << 62),
            introduction + b"\x01\x04part",
            introduction + b"\x00\x20short",
            introduction + b"\x00\x09<IDS|MSG>",
            introduction + b"\x01\x00" * 500,
            introduction + self.chance.randbytes(500),
        ]
        client.sendall(GREETING + self.chance.choice(said))
        self.pause()
        client.close()

    def cuts_its_message_short(self, channel: str):
        client = self.zeromq(channel if channel in ("shell", "control", "stdin") else "shell")
        parts = self.session().serialize(self.session().msg(*self.request()))
        client.send_multipart(parts[: self.chance.randrange(1, len(parts))])
        self.pause()
        client.close()

    def signs_wrongly(self, channel: str):
        """What would end the kernel if it were believed."""
        client = self.zeromq(channel if channel in ("shell", "control") else "control")
        for session in [self.session(b"wrong"), self.session(b"")]:
            session.send(client, "shutdown_request", {"restart": False})
        time.sleep(0.05)
        client.close()

    def sends_other_types(self, channel: str):
        client = self.zeromq(channel if channel in ("shell", "control", "stdin") else "shell")
        session = self.session()
        for _ in range(3):
            kind, _ = self.request()
            parts = session.serialize(session.msg(kind, {}))[1:]
            parts[4] = json.dumps(self.chance.choice(WRONG_CONTENTS)).encode()
            if self.chance.random() < 0.3:
                parts[1] = json.dumps(self.chance.choice(WRONG_HEADERS)).encode()
            parts[0] = session.sign(parts[1:5])
            client.send_multipart([b"<IDS|MSG>", *parts])
        time.sleep(0.05)
        client.close()

    def asks_much_and_reads_nothing(self, channel: str):
        client = self.zeromq(channel if channel in ("shell", "control") else "control")
        session = self.session()
        for _ in range(200):
            session.send(client, "kernel_info_request", {})
        self.pause()
        client.close()

    def takes_anothers_name(self, channel: str):
        first, second = (self.zeromq(channel, b"the same name") for _ in range(2))
        if channel not in ("iopub", "hb"):
            self.session().send(first, *self.request())
            self.session().send(second, *self.request())
        self.pause()
        first.close()
        self.pause()
        second.close()

    MANNERS: list[Callable] = [
        leaves_at_once,
        asks_and_leaves,
        asks_and_leaves,
        resets_its_connection,
        says_nothing,
        speaks_another_language,
        greets_and_raves,
        cuts_its_message_short,
        signs_wrongly,
        sends_other_types,
        asks_much_and_reads_nothing,
        takes_anothers_name,
    ]

    def visit(self, number: int) -> tuple[str, str]:
        """Lets a client come and go; says how it behaved, and on which channel.

        All ways of behaving and all channels have their turn.
        """
        manner = self.MANNERS[number % len(self.MANNERS)]
        channel = CHANNELS[number // len(self.MANNERS) % len(CHANNELS)]
        manner(self, channel)
        return manner.__name__, channel


def open_files(process_id: int) -> int:
    """How many files and sockets a process holds open."""
    return sum(1 for _ in Path(f"/proc/{process_id}/fd").iterdir())

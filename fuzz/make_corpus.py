"""Writes the seed corpus of the fuzz targets: `python3 fuzz/make_corpus.py`.

Sounds are the short fixtures of tests/fixtures/audio; tags, lines, messages and cells are written
here; model files are written by the library itself (`cargo run --example fuzz_models`). What a
target found is added by hand as `found-…` and left alone.
"""

import hashlib
import hmac
import json
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
CORPUS = FUZZ / "corpus"
FIXTURES = FUZZ.parent / "tests" / "fixtures" / "audio"

SOUNDS = {
    "wav": ["wav_s16.wav", "wav_u8.wav", "wav_rf64.wav", "wav_f64.wav", "wav_six.wav"],
    "mp4": ["aac_faststart.m4a", "opus_mp4.mp4", "mov_three.mov", "mp3_mono.mp4"],
    "mpeg": ["mp3_low_rate.mp3", "mp3_uncounted.mp3", "mp3_vbr.mp3", "aac_raw.aac"],
    "aiff": ["aiff.aiff"],
    "au": ["au_ulaw.au", "au_s24.au", "au_alaw.snd"],
    "caf": ["caf_ulaw.caf", "caf_s24.caf"],
    "matroska": ["opus_matroska.webm", "aac_matroska.mka"],
    "ogg": ["opus_speech.opus", "opus_stereo.opus", "vorbis_mono.ogg"],
}

#: As in `fuzz/src/hostile_kernel_messages.rs`.
KEY = b"a key"


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def sounds():
    for target, names in SOUNDS.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(FIXTURES / name, CORPUS / target / name)
    # A header of an IMA ADPCM file, and one that says that it was written into a pipe.
    form = struct.pack("<HHIIHHHH", 0x11, 1, 8000, 4055, 256, 4, 2, 505)
    write(
        "wav", "adpcm.wav", riff([(b"fmt ", form), (b"fact", b"\xf9\1\0\0"), (b"data", bytes(256))])
    )
    plain = struct.pack("<HHIIHH", 1, 2, 44100, 176400, 4, 16)
    pipe = riff([(b"fmt ", plain), (b"data", bytes(64))]).replace(
        b"data\x40\0\0\0", b"data\xff\xff\xff\xff"
    )
    write("wav", "pipe.wav", pipe + b"LIST\x04\0\0\0INFO")
    common = struct.pack(">hIh", 1, 32, 16) + b"\x40\x0b\xfa\0\0\0\0\0\0\0sowt\0\0"
    chunks = b"COMM" + struct.pack(">I", len(common)) + common
    chunks += b"SSND" + struct.pack(">I", 72) + bytes(72)
    write(
        "aiff",
        "little_endian.aifc",
        b"FORM" + struct.pack(">I", len(chunks) + 4) + b"AIFC" + chunks,
    )


def riff(chunks):
    body = b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def tags():
    def text(name, encoding, value):
        return name + struct.pack(">I", len(value) + 1) + b"\0\0" + bytes([encoding]) + value

    frames = text(b"TIT2", 3, "Größe ♪".encode()) + text(b"TPE1", 1, "Wer".encode("utf-16"))
    frames += text(b"TRCK", 0, b"3/12") + text(b"COMM", 3, b"eng\0words")
    picture = b"\0image/png\0\3cover\0" + bytes(40)
    frames += b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = bytes((len(frames) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    id3 = b"ID3\4\0\0" + size + frames
    listed = b"INFO"
    for name, value in (
        (b"INAM", b"A title\0"),
        (b"IART", "Ä".encode("latin-1") + b"\0"),
        (b"ICRD", b"1999"),
    ):
        listed += name + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)
    comments = [b"TITLE=In C", "ARTIST=Müller".encode(), b"TRACKNUMBER=7", b"DATE=2001-02-03"]
    vorbis = struct.pack("<I", 4) + b"none" + struct.pack("<I", len(comments))
    vorbis += b"".join(struct.pack("<I", len(comment)) + comment for comment in comments)
    write("tags", "id3-in-wav", b"\0" + id3)
    write("tags", "list-in-wav", b"\1" + listed)
    write("tags", "id3-in-mp3", b"\2" + id3)
    write("tags", "id3-twice-in-mp3", b"\2" + id3 + id3)
    write("tags", "vorbis-in-flac", b"\3" + vorbis)


def lines():
    shown = {"op": "display", "id": "a", "data": {"text/plain": "x", "text/html": "<b>♪</b>"}}
    changed = {
        "op": "update",
        "id": "a",
        "data": {"text/plain": "y"},
        "metadata": {"isolated": True},
    }
    events = [shown, changed, {"op": "clear"}, {"op": "resume", "data": {"text/plain": "go on"}}]
    said = [f"\x1eneural-composer/1 {json.dumps(event)}\n" for event in events]
    write("display_lines", "all", "".join(said).encode())
    for number, line in enumerate(said):
        write("display_lines", f"line-{number}", line.encode())
    nested = "[" * 200 + "]" * 200
    deep = '{"op":"display","data":{"text/plain":"x"},"metadata":{"a":' + nested + "}}\n"
    write("display_lines", "deep", deep.encode())

    block = "EVCXR_BEGIN_CONTENT text/html\n<i>one</i>\nEVCXR_END_CONTENT\n"
    asked = "EVCXR_INPUT_REQUEST:Name: \n"
    mixed = "before ♪\n" + said[0] + "half a li" + said[1] + block + asked + "\r 50 %\r100 %\n"
    for size in (0, 6, 255):
        write("output_stream", f"mixed-{size}", bytes([size]) + mixed.encode())
    write("output_stream", "unended", b"\x03EVCXR_BEGIN_CONTENT image/png\nAAAA\nmore")
    write("output_stream", "not-utf-8", b"\0a\xff\xf0\x9f\x8e\n\xe2\x99EVCXR_BEGIN")
    write("output_stream", "malformed", b'\x10\x1eneural-composer/1 {"op":"launch"}\n\x1e\x1e\n')


def messages():
    def frame(body, flags=0):
        if len(body) < 256:
            return bytes([flags, len(body)]) + body
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body

    def message(*parts):
        return b"".join(frame(part, 1) for part in parts[:-1]) + frame(parts[-1])

    header = {
        "msg_id": "7", "session": "s", "username": "me", "date": "2026-11-26T17:00:00Z",
        "msg_type": "execute_request", "version": "5.4",
    }  # fmt: skip
    content = {"code": "1 + 1", "silent": False, "store_history": True}
    body = [json.dumps(part).encode() for part in (header, {}, {}, content)]
    signature = hmac.new(KEY, b"".join(body), hashlib.sha256).hexdigest().encode()
    signed = message(b"me", b"<IDS|MSG>", signature, *body)
    unsigned = message(b"<IDS|MSG>", b"", *body, b"a buffer")
    greeting = b"\xff" + bytes(8) + b"\x7f\3\0NULL" + bytes(48)
    ready = frame(b"\5READY\x0bSocket-Type\0\0\0\6DEALER\x08Identity\0\0\0\2me", 4)
    subscriber = frame(b"\5READY\x0bSocket-Type\0\0\0\3SUB", 4)
    ping = frame(b"\4PING\0\1hi", 4)
    write("kernel_messages", "signed", b"\2" + signed + ping)
    write("kernel_messages", "signed-twice", b"\2" + signed + signed)
    write("kernel_messages", "unsigned", b"\2" + unsigned)
    write("kernel_messages", "handshake", b"\1" + ready + signed)
    write("kernel_messages", "greeting", b"\0" + greeting + ready + signed)
    write("kernel_messages", "subscription", b"\7" + subscriber + frame(b"\1kernel."))
    write("kernel_messages", "many-parts", b"\2" + message(*[b""] * 40) + frame(bytes(300)))


CELLS = {
    "items": """\
use std::{fmt, collections::*};
#[derive(Debug)]
struct S { a: u8 }
impl S { fn f(&self) -> u8 { self.a } pub const N: u8 = 3; }
impl fmt::Display for S {}
""",
    "statements": """\
let (A, mut b) = f()?;
b += 1;
println!("{b} {A:?}");
for i in 0..3 { b += i }
A + b""",
    "commands": """\
:dep rand = "0.9"
#!/usr/bin/env run
let x = 1;
:vars
!ls | wc
!known
:type x""",
    "macros": """\
macro_rules! twice {
    ($n:ident, $($t:ty),*) => { static $n: (u8, $($t),*) = (1, $(<$t>::MAX),*); }
}
twice!(N, u8, u16);
thread_local! { static H: u8 = 1; }
include_str!("a")""",
    "recursive-macro": """\
macro_rules! m { ($t:tt $($u:tt)*) => { m!($($u)*); } }
m!(a b c);
""",
    "modules": """\
//! inner
#![allow(unused)]
mod a { pub mod b { pub(super) fn g() {} static S: u8 = 1; } }
pub use a::*;
extern crate core as c;
union U { a: u8 }
trait T<'a> where Self: 'a {}
""",
    "async": """\
let f = async { x.await };
let y = f.await?;
async fn g() -> impl Iterator<Item = u8> { [1] }""",
    "odd": """\
let s = "
:vars
";
/* /* */ r#"♪"# 'a' b'\\xff' 1.0e-3f32 .. ..= <T as U>::V \r
\u202e""",
    "open": "fn f( { [ let x = match y { 1 => {",
    "deep": "(" * 60 + "1" + ")" * 60,
}


def corpus_tables():
    program = ["cargo", "run", "--quiet", "--bin", "neural-composer", "--", "corpus", "build"]
    with tempfile.TemporaryDirectory() as place:
        songs = Path(place) / "songs"
        songs.mkdir()
        for name in ["wav_s16.wav", "wav_u8.wav", "flac_16.flac", "vorbis_mono.ogg"]:
            shutil.copyfile(FIXTURES / name, songs / name)
        shutil.copyfile(FIXTURES / "flac_16.flac", songs / "copy.flac")
        (songs / "broken.mp3").write_text("no song")
        made = Path(place) / "corpus"
        subprocess.run([*program, songs, "-o", made], cwd=FUZZ.parent, check=True)
        write("corpus_table", "songs", (made / "contents.parquet").read_bytes())


PLANS = {
    "grid": """songs = ["song.wav", "folder/"]
epochs = 2
validation = 0.1
[grid]
cell = ["simple-rnn", "gru", "lstm"]
units = [8, 16]
loss = ["mse", "huber:0.5"]
recurrent-input = [true, false]
""",
    "random": """songs = "song.wav"
model = "grains"
[random]
count = 5
seed = 3
learning-rate = { log = [1e-4, 1e-2] }
dropout = { uniform = [0, 0.5] }
batch = [4, 8]
[grid]
seed = [1, 2]
""",
}


def sweeps():
    for name, plan in PLANS.items():
        write("sweep_plan", name, plan.encode())
    program = ["cargo", "run", "--quiet", "--bin", "neural-composer", "--", "sweep"]
    with tempfile.TemporaryDirectory() as place:
        plan = Path(place) / "plan.toml"
        song = FUZZ.parent / "datasets" / "songs" / "greensleeves.flac"
        grid = '[grid]\ncell = ["gru", "lstm"]\nunits = [8]\nloss = ["mse", "mae"]\n'
        plan.write_text(f'songs = "{song}"\nepochs = 1\nvalidation = 0.1\n{grid}')
        subprocess.run([*program, plan, "--device", "cpu"], cwd=FUZZ.parent, check=True)
        write("sweep_table", "grid", (Path(place) / "plan.runs/sweep.parquet").read_bytes())


def main():
    sounds()
    corpus_tables()
    sweeps()
    tags()
    lines()
    messages()
    for name, code in CELLS.items():
        write("cell_splitting", name, code.encode())
    (CORPUS / "model_file").mkdir(parents=True, exist_ok=True)
    made = ["cargo", "run", "--quiet", "--example", "fuzz_models", "--", CORPUS / "model_file"]
    subprocess.run(made, cwd=FUZZ.parent, check=True)
    size = sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file())
    print(f"{size / 1000:.0f} kB in {CORPUS}")


if __name__ == "__main__":
    main()

"""Output while a cell runs, in order."""

import json

SEPARATOR = "\\u{1e}neural-composer/1 "


def display(**line) -> str:
    """A statement that prints a display line, as the library does."""
    text = json.dumps(line).replace("{", "{{").replace("}", "}}")
    return f'println!("{SEPARATOR}{{}}", r####"{json.dumps(line)}"####);' if text else ""


PAUSE = "std::thread::sleep(std::time::Duration::from_millis(400));"


def test_displays_come_while_the_cell_runs(plain):
    code = display(op="display", id="chart", data={"text/plain": "0 %"})
    for percent in (50, 100):
        code += PAUSE + display(op="update", id="chart", data={"text/plain": f"{percent} %"})
    cell = plain.run(code + PAUSE)
    assert [c["data"]["text/plain"] for c in cell.contents("display_data")] == ["0 %"]
    updates = cell.contents("update_display_data")
    assert [c["data"]["text/plain"] for c in updates] == ["50 %", "100 %"]
    assert all(c["transient"] == {"display_id": "chart"} for c in updates)
    first, second = cell.times("update_display_data")
    assert 0.3 < second - first < 1.5
    assert cell.seconds - second > 0.3


def test_text_and_displays_keep_their_order(plain):
    code = ""
    for number in range(30):
        code += f'println!("line {number}");'
        code += display(op="display", data={"text/plain": str(number)})
    cell = plain.run(code)
    seen = []
    for _, kind, content in cell.messages:
        if kind == "stream":
            seen += content["text"].split("\n")[:-1]
        elif kind == "display_data":
            seen.append("display " + content["data"]["text/plain"])
    assert seen == [x for n in range(30) for x in (f"line {n}", f"display {n}")]


def test_unfinished_lines_and_carriage_returns_are_seen(plain):
    code = "".join(f'print!("\\r{n} %");{PAUSE}' for n in (1, 2, 3))
    cell = plain.run(code)
    assert cell.stdout == "\r1 %\r2 %\r3 %"
    assert len(cell.times("stream")) == 3
    assert plain.run('print!("no newline at the end")').stdout == "no newline at the end"


def test_any_number_of_pictures(plain):
    def block(mime, text):
        return f'println!("EVCXR_BEGIN_CONTENT {mime}\\n{text}\\nEVCXR_END_CONTENT");'

    cell = plain.run(block("image/png", "AAAA") + block("image/png", "BBBB"))
    assert [c["data"] for c in cell.contents("display_data")] == [
        {"image/png": "AAAA"},
        {"image/png": "BBBB"},
    ]
    # One object in several types is one output.
    cell = plain.run(block("text/plain", "song") + block("text/html", "<b>song</b>"))
    assert [c["data"] for c in cell.contents("display_data")] == [
        {"text/plain": "song", "text/html": "<b>song</b>"}
    ]


def test_clear_output(plain):
    cell = plain.run('println!("before");' + display(op="clear", wait=True) + 'println!("after");')
    assert [kind for _, kind, _ in cell.messages if kind in ("stream", "clear_output")] == [
        "stream",
        "clear_output",
        "stream",
    ]
    assert cell.contents("clear_output") == [{"wait": True}]


def test_malformed_lines_are_text(plain):
    for line in ('{"op":"launch"}', '{"op":"update","data":{"text/plain":"x"}}', "nonsense"):
        cell = plain.run(f'println!("{SEPARATOR}{{}}", r#"{line}"#);')
        assert cell.status == "ok"
        assert line in cell.stdout
        assert not cell.contents("display_data")


def test_both_streams_are_complete(plain):
    cell = plain.run(
        'for i in 0..20_000 { println!("out {i}"); if i % 10 == 0 { eprintln!("err {i}"); } }'
    )
    assert cell.stdout == "".join(f"out {i}\n" for i in range(20_000))
    assert cell.stderr == "".join(f"err {i}\n" for i in range(0, 20_000, 10))


def test_large_displays_and_invalid_bytes(plain):
    megabytes = 7
    code = (
        f'println!("{SEPARATOR}{{{{\\"op\\":\\"display\\",\\"data\\":{{{{\\"image/png\\":\\"{{}}\\"'
        f'}}}}}}}}", "A".repeat({megabytes} << 20));'
    )
    cell = plain.run(code)
    assert [len(c["data"]["image/png"]) for c in cell.contents("display_data")] == [megabytes << 20]
    cell = plain.run('use std::io::Write; std::io::stdout().write_all(b"a\\xff\\xfeb\\n")?;')
    assert cell.status == "ok" and cell.stdout == "a\ufffd\ufffdb\n"


def test_output_of_processes_the_cell_starts(plain):
    cell = plain.run('std::process::Command::new("echo").arg("from a child").status()?;')
    assert cell.stdout == "from a child\n"

"""What cells do: values, variables, types, errors, panics, deaths."""

import re

import pytest

from notebook import Notebook


def test_values_and_variables(plain):
    assert plain.run("1 + 1").result == "2"
    assert plain.run('let x = 5; let words = vec!["a".to_owned()];').status == "ok"
    assert plain.run("x * 2").result == "10"
    assert plain.run("words.len()").result == "1"
    assert plain.run("()").result is None


def test_types_need_no_name(plain):
    """Types come from rustc: inferred, partly written, destructured, through `?`."""
    cell = plain.run(
        """
        let (a, mut b) = ("s", vec![1.5f32, 2.0]);
        let pairs: std::collections::HashMap<_, _> = (0..3).map(|i| (i, i * i)).collect();
        let text = std::fs::read_to_string("/etc/passwd")?; let length = text.len();
        let boxed: Box<dyn Fn(i32) -> i32> = Box::new(|x| x + 1);
        let Some(found) = Some(7u8) else { panic!() };
        let limit = i32::max;
        """
    )
    assert cell.status == "ok", cell.error
    assert plain.run("b.push(boxed(2) as f32); b.len() + pairs.len()").result == "6"
    assert plain.run("found as usize + usize::from(length > 0)").result == "8"
    assert plain.run("limit(3, 4)").result == "4"
    assert plain.run("a").result == '"s"'


def test_moved_variables_are_forgotten(plain):
    assert plain.run("let moved = vec![1]; let kept = 2; drop(moved);").status == "ok"
    assert plain.run("kept").result == "2"
    assert "E0425" in plain.run("moved").error


def test_closures_live_in_their_cell(plain):
    cell = plain.run("let double = |x: i32| x * 2; double(21)")
    assert cell.result == "42"
    assert "double" in cell.stderr


def test_items_and_redefinition(plain):
    assert plain.run("#[derive(Debug)] struct Point { x: f32 }\nfn f() -> u8 { 1 }").status == "ok"
    assert plain.run("let p = Point { x: 1.0 };").status == "ok"
    assert plain.run("p").result == "Point { x: 1.0 }"
    plain.run("fn f() -> u8 { 2 }")
    assert plain.run("f()").result == "2"
    assert plain.run("let p = 3u8;").status == "ok"
    assert plain.run("p").result == "3"


def test_compile_errors_show_the_line(plain):
    cell = plain.run('let é = 1;\nlet y: u32 = "a"; let z = é;')
    error = cell.contents("error")[0]
    assert cell.status == cell.reply["status"] == "error"
    assert error["ename"] == "E0308"
    trace = error["traceback"][0]
    assert "2:14" in trace and 'let y: u32 = "a";' in trace
    assert "\x1b[" in trace
    assert "neural_composer" not in trace


def test_question_mark_errors_are_errors(plain):
    cell = plain.run('std::fs::read("/nonexistent")?;')
    assert cell.status == "error"
    assert "No such file" in cell.error
    assert cell.stderr == ""
    several = plain.run('Err::<(), String>("one\\ntwo".into())?;')
    assert "one\ntwo" in several.error


HOSTILE_NAMES = {
    "a title for the window": "\x1b]0;gone\x07",
    "an erased screen": "\x1b[2J",
    "a turned direction": "\u202egpj",
    "a line written over": "said\rgone",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
@pytest.mark.parametrize("fails", ["Err::<(), String>(NAME.into())?;", 'panic!("{}", NAME);'])
def test_names_in_errors_control_nothing(plain, name, fails):
    plain.run(f'const NAME: &str = "<b>{rust_text(name)}</b>";')
    cell = plain.run(fails)
    (error,) = cell.contents("error")
    for text in [error["evalue"], *error["traceback"]]:
        colours = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", colours)
        assert "<b>" in text and "\ufffd" in text


def test_colours_in_errors_stay(plain):
    cell = plain.run('Err::<(), String>("\\u{1b}[32mleft\\u{1b}[0m".into())?;')
    assert "\x1b[32mleft\x1b[0m" in cell.error


def rust_text(text):
    return "".join(f"\\u{{{ord(c):x}}}" for c in text)


def test_panics_are_errors_and_lose_little(plain):
    plain.run("let safe = 1;")
    cell = plain.run('let x = 2;\npanic!("boom {}", x);')
    assert cell.status == "error"
    assert "boom 2" in cell.error and "line 2" in cell.error
    assert plain.run("safe").result == "1"


def test_failed_cells_stop_those_behind(plain):
    first = plain.start("missing_name")
    second = plain.client.execute("1 + 1")
    assert plain.finish(first).status == "error"
    assert plain.reply(second)["status"] == "aborted"
    assert plain.run("2 + 2").result == "4"


# Not to be turned into a loop.
ENDLESS_RECURSION = """
    fn down(n: u64) -> u64 { let held = std::hint::black_box([n; 99]); down(held[3] + 1) + held[9] }
    down(0)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("std::process::abort();", "SIGABRT"),
        ("unsafe { std::ptr::null_mut::<u8>().write(1) };", "SIG"),
        ("std::process::exit(3);", "status 3"),
        pytest.param(ENDLESS_RECURSION, "SIG", id="endless recursion"),
        ("let big: Vec<u8> = Vec::with_capacity(1usize << 62);", "capacity|SIGABRT"),
    ],
)
def test_deaths_have_reasons(plain_specs, code, reason):
    import re

    with Notebook(plain_specs) as notebook:
        notebook.run("let precious = 1;")
        cell = notebook.run(code)
        assert cell.status == "error"
        assert re.search(reason, cell.error + cell.stderr), (cell.error, cell.stderr)
        if "EvaluatorDied" in cell.error:
            assert "precious" in cell.error
        assert notebook.run("3 * 3").result == "9"


def test_input(plain):
    code = (
        'println!("EVCXR_INPUT_REQUEST:your name? "); let mut line = String::new(); '
        'std::io::stdin().read_line(&mut line)?; println!("hello {}", line.trim());'
    )
    started = plain.start(code, allow_stdin=True)
    question = plain.client.get_stdin_msg(timeout=60)
    assert question["msg_type"] == "input_request"
    assert question["content"] == {"prompt": "your name? ", "password": False}
    plain.client.input("Clara")
    assert plain.finish(started).stdout == "hello Clara\n"


def test_added_crates(tmp_path, plain_specs):
    """`:dep` with a crate of one's own: no network is needed."""
    crate = tmp_path / "tiny-crate"
    (crate / "src").mkdir(parents=True)
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "tiny-crate"\nversion = "0.1.0"\nedition = "2024"\n'
    )
    (crate / "src/lib.rs").write_text("pub fn answer() -> u8 { 42 }\n")
    with Notebook(plain_specs) as notebook:
        cell = notebook.run(f':dep tiny-crate = {{ path = "{crate}" }}\ntiny_crate::answer()')
        assert cell.result == "42", cell.error
        assert notebook.run("use tiny_crate::answer; let a = answer();").status == "ok"
        assert notebook.run("a").result == "42"

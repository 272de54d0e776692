"""The stop button: while a cell compiles, while it listens, while it does not."""

import random
import threading
import time

import pytest

from notebook import ROOT, Notebook, descendants, evaluators, processor_seconds

# What the library's long loops do between batches.
LISTENING = """
    let mut steps = 0u64;
    println!("running");
    while !neural_composer::interrupt::requested() {
        std::thread::sleep(std::time::Duration::from_millis(5));
        steps += 1;
    }
    println!("stopped");
"""
DEAF = 'println!("running"); let mut n = 0u64; loop { n = std::hint::black_box(n + 1); }'


def interrupt_at(notebook, is_moment):
    """Interrupts, once, a little after `is_moment(kind, content)` holds; notes when."""
    pressed = []
    chance = random.Random(4)

    def watch(kind, content):
        if not pressed and is_moment(kind, content):
            time.sleep(chance.uniform(0, 0.3))
            pressed.append((time.monotonic(), processor_seconds(evaluators(notebook))))
            notebook.interrupt()

    return watch, pressed


def says_running(kind, content):
    return kind == "stream" and "running" in content["text"]


def draws(kind, _):
    return kind == "display_data"


def assert_quick(notebook, pressed):
    """The cell ended within a second. On a machine that others keep busy, it used no more than half
    a second of the little time it got."""
    [(instant, used_before)] = pressed
    waited = time.monotonic() - instant
    used = processor_seconds(evaluators(notebook)) - used_before
    assert waited < 1.0 or used < 0.5, (waited, used)


def test_interrupts_keep_every_variable(composer):
    composer.run("let kept = vec![1, 2, 3]; let mut total = 0u64;")
    for _ in range(10):
        watch, pressed = interrupt_at(composer, says_running)
        cell = composer.run(LISTENING + "total += steps;", on_message=watch)
        assert_quick(composer, pressed)
        assert cell.status == "ok", cell.error
        assert cell.stdout == "running\nstopped\n"
    assert composer.run("kept.len()").result == "3"
    assert int(composer.run("total").result) > 0
    # The flag of an interrupted cell does not reach the next one.
    assert composer.run("neural_composer::interrupt::requested()").result == "false"


@pytest.fixture(scope="module")
def trainer(composer):
    """A notebook with a song and a small network."""
    cell = composer.run(
        f"""
        use neural_composer::prelude::*;
        use neural_composer::train::Stop;
        let path = "{ROOT}/datasets/songs/prelude.mp3";
        let song = Song::open(path)?;
        let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;
        let config = NetworkConfig::stack(data.blocks().width(), [lstm(16)]);
        let mut network = Network::new(config, &data, 1, &Device::cpu())?;
        """,
        timeout=3600,
    )
    assert cell.status == "ok", cell.error
    return composer


def interrupted_within_a_second(notebook, code, is_moment):
    watch, pressed = interrupt_at(notebook, is_moment)
    cell = notebook.run(code, on_message=watch)
    assert_quick(notebook, pressed)
    assert cell.status == "ok", cell.error
    return cell


def test_fifty_interrupts_of_training(trainer):
    """Each returns the history and the network so far."""
    train = "let history = network.train(&data, Training::epochs(1_000_000).seed(1))?;"
    for _ in range(50):
        interrupted_within_a_second(trainer, train, draws)
        assert trainer.run("history.stop == Stop::Interrupted").result == "true"
    question = "network.compose(1.0, Seed::training(&data, 1)?)?.audio().frames() > 0"
    assert trainer.run(question).result == "true"
    assert trainer.run("song.audio().frames() > 0").result == "true"


def test_interrupts_of_composing_return_the_piece_so_far(trainer):
    compose = "let piece = network.compose(6.0 * 3600.0, Seed::training(&data, 1)?)?;"
    for _ in range(10):
        interrupted_within_a_second(trainer, compose, draws)
        question = "piece.was_interrupted() && piece.audio().frames() > 0"
        assert trainer.run(question).result == "true"


def test_interrupts_of_decoding(trainer):
    decode = """
        println!("running");
        let stopped = loop {
            if let Err(error) = Song::open(path) { break error.to_string() }
        };
    """
    for _ in range(10):
        interrupted_within_a_second(trainer, decode, says_running)
        assert "stopped by the user: " in trainer.run("stopped").result


def test_the_second_interrupt_ends_a_deaf_cell(plain_specs):
    with Notebook(plain_specs) as notebook:
        notebook.run("let precious = 1; let other = 2;")
        watch, _ = interrupt_at(notebook, says_running)
        started = notebook.start(DEAF)
        second = threading.Timer(4, notebook.interrupt)
        second.start()
        cell = notebook.finish(started, on_message=watch)
        second.join()
        assert cell.status == "error"
        assert cell.error.startswith("Interrupted")
        assert "other, precious" in cell.error
        assert "Interrupt again" in cell.stderr
        assert notebook.run("1 + 1").result == "2"


def test_interrupting_an_idle_kernel_does_nothing(plain):
    plain.run("let still_here = 1;")
    for _ in range(3):
        plain.interrupt()
    # The stop button's channel is not the cells': an interrupt may arrive after the next cell.
    time.sleep(1)
    assert plain.run("still_here").result == "1"


@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.15, 0.2])
def test_interrupting_compilation_stops_it(plain, delay):
    """A cell that takes rustc many seconds, stopped at several moments."""
    plain.run("let survivor = 7;")
    functions = "".join(
        f'fn f{n}(v: &mut Vec<String>) {{ v.push(format!("{{}} {{:?}}", {n}, v)); v.sort(); }}\n'
        for n in range(600)
    )
    calls = "".join(f"f{n}(&mut v);" for n in range(600))
    started = plain.start(functions + "let mut v: Vec<String> = Vec::new();" + calls)
    time.sleep(delay)
    pressed = time.monotonic()
    plain.interrupt()
    cell = plain.finish(started)
    assert time.monotonic() - pressed < 2
    assert cell.status == "error" and "while compiling" in cell.error
    # A process that was killed still has to end.
    deadline = time.monotonic() + 5
    while compilers := [p for p in descendants(plain.process_id) if "rustc" in command(p)]:
        assert time.monotonic() < deadline, compilers
        time.sleep(0.05)
    assert plain.run("survivor").result == "7"


def command(process_id: int) -> str:
    try:
        with open(f"/proc/{process_id}/comm") as file:
            return file.read()
    except OSError:
        return ""


def test_interrupting_a_question_to_the_user(plain):
    code = (
        'println!("EVCXR_INPUT_REQUEST:name? "); let mut line = String::new(); '
        'std::io::stdin().read_line(&mut line)?; println!("[{}]", line.trim());'
    )
    started = plain.start(code, allow_stdin=True)
    plain.client.get_stdin_msg(timeout=60)
    plain.interrupt()
    assert plain.finish(started).stdout == "[]\n"

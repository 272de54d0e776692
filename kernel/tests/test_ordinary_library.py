"""The library in cells: what it returns is kept, shown, and short."""

import pytest

from notebook import ROOT
from stories import KEPT, PATIENCE, fails, tell, told

SETUP = f"""use neural_composer::prelude::*;
let song = Song::open("{ROOT}/datasets/songs/prelude.mp3")?;
let data = Dataset::from_songs(&[song.clone()], Recipe::Fast.dataset())?;
let config = NetworkConfig::stack(data.blocks().width(), [lstm(16)]);
let device = Device::cpu();
let mut network = Network::new(config.clone(), &data, 1, &device)?;"""


@pytest.fixture(scope="module")
def studio(composer):
    """A kernel with the library, a song, its dataset and a small network."""
    cell = composer.run(SETUP, timeout=3600)
    assert cell.status == "ok", cell.error
    assert composer.run(KEPT).status == "ok"
    return composer


def test_what_the_library_returns_is_kept(studio):
    """Problem cell F7."""
    tell(
        studio,
        "let idx: Vec<usize> = (0..data.len()).collect();\n"
        "let batch = data.batches(&idx, 8, None).on(device.candle()).next().unwrap()?;",
        "let (out, state) = network.forward(&batch.inputs, None)?;",
        "let x = batch.inputs.clone();",
        "let vars = network.variables().clone();",
        ("out.dims().len() >= 2 && x.dims()[0] > 0", "true"),
        ("let (again, _) = network.forward(&x, Some(&state))?; again.dims() == out.dims()", "true"),
        ("kept", "41"),
    )


RETURNED = {
    "samples": ("let samples = song.audio().channels()[0].to_vec();", "samples.len() > 0"),
    "a spectrogram": ("let picture = song.spectrogram()?;", "true"),
    "a device": ("let place = device.candle().clone();", "place.is_cpu()"),
    "a tensor": ("let t = network.forward(&data.batches(&[0], 1, None).on(device.candle())"
                 ".next().unwrap()?.inputs, None)?.0;", "t.dims().len() > 1"),
    "a tensor's shape": ("let shape = t.shape().clone();", "shape.elem_count() > 0"),
    "a tensor's number": ("let mean = t.mean_all()?.to_scalar::<f32>()?;", "mean.is_finite()"),
    "tensors in containers": ("let many = vec![Some(t.clone()), None];", "many.len() == 2"),
    "a result with a tensor": ("let result = t.sqr();", "result.is_ok()"),
    "a history": (
        "let history = network.train(&data, Training::updates(2, data.len(), 8).seed(1))?;",
        "true",
    ),
    "an error": ('let error = '
                 'Song::open("nowhere.mp3").err().unwrap();', "error.to_string().len() > 5"),
}  # fmt: skip


@pytest.mark.parametrize("story", RETURNED.values(), ids=RETURNED)
def test_any_type_that_the_library_returns_is_kept(studio, story):
    binding, question = story
    tell(studio, binding, (question, "true"), ("kept", "41"))


def shown(cell) -> dict:
    types = {}
    for _, kind, content in cell.messages:
        if kind in ("execute_result", "display_data"):
            types |= content["data"]
    return types


PLAYERS = {
    "a question on a moved variable": "let q = vec![0.1f32; 4410];\nAudio::mono(q, 44_100)?",
    "a moved variable of another cell": "Audio::mono(earlier, 44_100)?",
    "a result that is bound": "let q = vec![0.1f32; 4410];\nlet a = Audio::mono(q, 44_100)?;\na",
    "by a closure": "let q = vec![0.1f32; 4410];\n(move || Audio::mono(q, 44_100))()?",
    "by a block": "let q = vec![0.1f32; 4410];\n{ let r = q; Audio::mono(r, 44_100)? }",
}


@pytest.mark.parametrize("code", PLAYERS.values(), ids=PLAYERS)
def test_a_player_is_shown_whatever_was_moved(studio, code):
    """Problem cells D2 and X2."""
    studio.run("let earlier = vec![0.1f32; 4410];")
    cell = studio.run(code, timeout=PATIENCE)
    assert cell.status == "ok", told(cell)
    assert "<audio" in shown(cell).get("text/html", "") or "audio/" in str(shown(cell).keys())


def test_a_forgotten_question_mark_is_short_and_has_a_hint(studio):
    """Problem cell F10."""
    cell = studio.run("song.spectrogram()", timeout=PATIENCE)
    text = shown(cell).get("text/plain", "") + told(cell)
    assert len(str(cell.messages)) < 300_000
    assert "?" in text, text[:500]
    again = studio.run("song.spectrogram()?", timeout=PATIENCE)
    assert again.status == "ok" and {"image/png", "text/html", "image/svg+xml"} & set(shown(again))


CHART = """
use neural_composer::display::{Bundle, Show};
struct Chart(u8);
impl Show for Chart {
    fn bundle(&self) -> neural_composer::Result<Bundle> {
        Ok(Bundle::from_text(&format!("chart {}", self.0)))
    }
}
struct Group<T>(T);
impl<T: Show> Show for Group<T> {
    fn bundle(&self) -> neural_composer::Result<Bundle> { self.0.bundle() }
}
"""
SHOWN = {
    "a value": "Chart(7)",
    "a variable": "let c = Chart(7);\nc",
    "a reference": "let c = Chart(7);\n&c",
    "by a question": "Ok::<_, String>(Chart(7))?",
    "a generic": "Group(Chart(7))",
    "a box": "Box::new(Chart(7))",
}


@pytest.mark.parametrize("code", SHOWN.values(), ids=SHOWN)
def test_a_users_show_is_a_result(studio, code):
    """A user's `impl Show` is shown like the library's own types; Debug is not asked for."""
    tell(studio, CHART)
    cell = studio.run(code, timeout=PATIENCE)
    assert cell.status == "ok", told(cell)
    assert "chart 7" in shown(cell).get("text/html", ""), cell.messages


def test_candle_and_plotters_need_no_dep(studio):
    tell(
        studio,
        "let t = neural_composer::candle::Tensor::zeros((2, 3), "
        "neural_composer::candle::DType::F32, device.candle())?;",
        ("t.dims()", "[2, 3]"),
        ("t.to_vec2::<f32>()?", "[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]"),
        "use neural_composer::plotters::prelude::*;",
        ("kept", "41"),
    )


def test_a_cell_compiles_little_of_what_others_have(studio):
    """Of the store of variables, what opens a song, an error's end: once 72,000 bytes."""
    tell(
        studio, "let one = 1.5f32;", f'let other = Song::open("{ROOT}/datasets/songs/canon.ogg")?;'
    )
    sizes = studio.run(
        'for line in std::fs::read_to_string("/proc/self/maps")?.lines() {\n'
        '    let Some((_, name)) = line.rsplit_once("/libcell_") else { continue };\n'
        "    let path = line.split_whitespace().last().unwrap();\n"
        '    println!("{} {}", name.trim_end_matches(".so"), std::fs::metadata(path)?.len());\n'
        "}"
    ).stdout
    cells = sorted({tuple(map(int, line.split())) for line in sizes.splitlines()})
    (_, first), (_, second) = cells[-3:-1]
    assert 8_000 < first < 16_000 and 16_000 < second < 32_000, cells


def test_types_of_crates_that_no_cell_named_are_kept(studio):
    """The compiler knows them by private paths, unless all crates are named in the cell."""
    tell(
        studio,
        "let x = data.batches(&[0, 1], 2, None).on(device.candle()).next().unwrap()?.inputs;",
        "let shape = x.shape().clone();",
        "let (layout, place) = (x.layout().clone(), x.device().location());",
        "let wrong = x.matmul(&x).err();",
        "let all: Vec<(usize, Option<_>)> = vec![(1, Some(x.shape().clone()))];",
        ("(shape.rank(), layout.is_contiguous(), wrong.is_some(), all[0].0)", "(3, true, true, 1)"),
        ('format!("{place:?}")', '"Cpu"'),
        "let shape = (shape, layout);",
        ("shape.0.rank() == all[0].1.as_ref().unwrap().rank() && shape.1.is_contiguous()", "true"),
        ("kept", "41"),
    )


def test_an_error_names_types_of_crates_as_users_do(studio):
    tell(
        studio,
        ("let size: u32 = network.variables().len();", fails(r"expected `u32`, found `usize`")),
        (
            "let two = data.batches(&[0], 1, None).on(device.candle()).next().unwrap()?.inputs;\n"
            "fn needs<T: Copy>(_: T) {}\nneeds(two.shape().clone());",
            fails(r"not implemented for `(neural_composer::)?candle_core::Shape`", line=3),
        ),
        ("kept", "41"),
    )


def test_an_error_of_the_library_names_the_file(studio):
    tell(studio, ('let a = 1;\nSong::open("nowhere.mp3")?;', fails("nowhere.mp3")))


def test_candle_has_no_threads_that_wait_without_a_pause(studio):
    """They cost twice the time where something else wants the cores (`src/main.rs`)."""
    tell(
        studio,
        "use neural_composer::candle_core::{DType, Tensor};\n"
        "let large = Tensor::ones((2048, 1024), DType::F32, device.candle())?;",
        ("(&large + &large)?.dims().len()", "2"),
        (
            'std::fs::read_dir("/proc/self/task")?\n'
            '    .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())\n'
            '    .filter(|name| name.starts_with("candle-bp")).count()',
            "0",
        ),
    )

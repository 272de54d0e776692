"""Tab and Shift-Tab: what they offer, in which order, and what they say."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from notebook import Notebook, descendants, folder_of

CRATE_MANIFEST = '[package]\nname = "tiny"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
CRATE_SOURCE = """
/// A chord.
pub struct Chord { pub root: u8, secret: u8 }
impl Chord {
    /// Makes one.
    pub fn major(root: u8) -> Self { Chord { root, secret: 0 } }
    pub fn title(&self) -> String { format!("{} {}", self.root, self.secret) }
    fn hidden(&self) -> u8 { self.secret }
    pub fn shown(&self) -> u8 { self.hidden() }
}
"""


# A reply after this long comes from a kernel that waited for its analyser in vain.
GIVEN_UP_SECONDS = 0.9


def reply_with_analyser(notebook, ask):
    """The reply to what `ask` sends, sent again where others kept the machine too busy for one."""
    for _ in range(20):
        begun = time.monotonic()
        reply = notebook.reply(ask())
        if time.monotonic() < begun + GIVEN_UP_SECONDS:
            break
    return reply


def complete(notebook, code, cursor=None):
    """The reply at `|`, or at the end."""
    cursor = code.find("|") if "|" in code and cursor is None else cursor
    code = code.replace("|", "", 1) if cursor is not None else code
    cursor = len(code) if cursor is None else cursor
    return reply_with_analyser(notebook, lambda: notebook.client.complete(code, cursor))


def matches(notebook, code):
    return complete(notebook, code)["matches"]


def describe(notebook, code):
    cursor = code.find("|")
    code = code.replace("|", "", 1)
    cursor = len(code) if cursor < 0 else cursor
    reply = reply_with_analyser(notebook, lambda: notebook.client.inspect(code, cursor))
    return reply["data"]["text/plain"] if reply["found"] else None


def until(found, seconds=300, notebook=None):
    """Asks until the answer is true: the analyser looks at new things in the background, and it is
    the last to be served where the machine is busy."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        late = time.monotonic() > deadline
        assert not late, f"the analyser does not know it: {account(notebook)}"
        time.sleep(0.2)
    return answer


def account(notebook):
    """What the analysers and their tools are doing."""
    lines = []
    for analyser in analysers(notebook) if notebook else []:
        for process in [analyser, *descendants(analyser)]:
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
                stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                seconds = sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
                lines.append(f"{process} {stat[0]}, {seconds} s of processor: {command[:200]}")
    return lines


def analysers(notebook):
    """The notebook's analysers, without the tools that they start and hand their environment to."""
    marked = {}
    for process in descendants(notebook.process_id):
        try:
            if "KERNEL_ANALYSER=" in Path(f"/proc/{process}/environ").read_text():
                stat = Path(f"/proc/{process}/stat").read_text()
                marked[process] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            pass
    return [process for process, parent in marked.items() if parent not in marked]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a notebook's folder")
    for name in ("songs/first.mp3", "songs/second song.mp3", "songs/deep/x.txt", "sonata.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / ".hidden").write_text("")
    (folder / "tiny/src").mkdir(parents=True)
    (folder / "tiny/Cargo.toml").write_text(CRATE_MANIFEST)
    (folder / "tiny/src/lib.rs").write_text(CRATE_SOURCE)
    return folder


@pytest.fixture(scope="module")
def keyboard(plain_specs, folder):
    with Notebook(plain_specs, cwd=str(folder)) as notebook:
        notebook.run(
            "#[derive(Debug, Clone, PartialEq)]\n"
            "struct Note { pitch: f32, length: f32 }\n"
            "impl Note {\n"
            "    /// The note's name.\n"
            '    fn title(&self) -> String { format!("{}", self.pitch) }\n'
            "    fn raise(&mut self, by: f32) -> &mut Self { self.pitch += by; self }\n"
            "}\n"
            "trait Tuned { fn tune(&self) -> f32; }\n"
            "impl Tuned for Note { fn tune(&self) -> f32 { self.pitch } }\n"
            "/// Plays it, at some speed.\n"
            "fn play_note(note: &Note, speed: f32) -> f32 { note.pitch * speed }\n"
            "const PITCH: f32 = 440.0;\n"
        )
        notebook.run(
            "let melody = vec![1.5f32, 2.0]; let note = Note { pitch: 440.0, length: 1.0 };"
        )
        notebook.wait_for_analyser()
        yield notebook


def test_what_a_type_has_itself_comes_first(keyboard):
    found = matches(keyboard, "note.")
    assert set(found[:4]) == {"length", "pitch", "raise(", "title()"}
    assert found[4] == "tune()"
    universal = [found.index(name) for name in ("into()", "clone()", "try_into()", "to_owned()")]
    assert min(universal) > 4


@pytest.mark.parametrize("code", ["melody.", "String::new().", "std::fs::File::open(PATH)?."])
def test_universal_traits_come_last(keyboard, code):
    found = matches(keyboard, code)
    last = [name for name in found if name.startswith(("into()", "borrow()", "try_into()"))]
    assert last and all(found.index(name) > len(found) * 0.6 for name in last)


def test_iterators_keep_their_methods(keyboard):
    found = matches(keyboard, "melody.iter().")
    assert found.index("map(") < found.index("into()")
    assert "sum()" in found


@pytest.mark.parametrize(
    ("code", "private"),
    [
        ('std::process::Command::new("a").', "inner"),
        ("melody.", "buf"),
        ("String::new().", "vec"),
        ("std::path::PathBuf::new().", "inner"),
    ],
)
def test_private_fields_are_not_offered(keyboard, code, private):
    found = matches(keyboard, code)
    assert found and private not in found


def test_names_of_the_notebook_come_before_others(keyboard):
    assert matches(keyboard, "no")[0] == "note"
    assert matches(keyboard, "play_n") == ["play_note("]
    assert matches(keyboard, "let nota = 1;\nno|")[:2] in (["nota", "note"], ["note", "nota"])
    assert "PITCH" in matches(keyboard, "PI")
    assert "melody" in matches(keyboard, 'println!("{}", mel|)')
    assert "println!(" in matches(keyboard, "prin")
    assert "mut" in matches(keyboard, "let mu")


def test_only_what_was_typed_is_replaced(keyboard):
    reply = complete(keyboard, 'let é = "♪"; note.ti|tle()')
    assert (reply["cursor_start"], reply["cursor_end"]) == (18, 23)
    assert reply["matches"] == ["title"]
    kinds = reply["metadata"]["_jupyter_types_experimental"]
    assert [kind["text"] for kind in kinds] == reply["matches"]


def test_cells_with_commands_are_completed(keyboard):
    assert "title()" in matches(keyboard, ":vars\n!ls it's\nnote.ti")


def test_paths_are_completed_in_strings(keyboard):
    def found(code):
        reply = complete(keyboard, code)
        code = code.replace("|", "", 1)
        start, end = reply["cursor_start"], reply["cursor_end"]
        return [code[:start] + match + code[end:] for match in reply["matches"]]

    assert found('open("so|')[:2] == ['open("sonata.wav', 'open("songs/']
    assert found('open("songs/|")') == [
        'open("songs/deep/")',
        'open("songs/first.mp3")',
        'open("songs/second song.mp3")',
    ]
    assert found('open("./songs/fi|")') == ['open("./songs/first.mp3")']
    assert found('open("songs/deep/../f|")') == ['open("songs/deep/../first.mp3")']
    assert found('open(r#"songs/se|"#)') == ['open(r#"songs/second song.mp3"#)']
    assert found('open("nowhere/|")') == []
    assert found(':dep tiny = { path = "ti|" }') == [':dep tiny = { path = "tiny/" }']
    assert 'open(".hidden")' in found('open(".h|")')
    assert not any("hidden" in code for code in found('open("|")'))
    assert matches(keyboard, "// so|") == []


def test_commands_are_completed(keyboard):
    assert matches(keyboard, ":d") == [":dep"]
    assert matches(keyboard, "let a = 1;\n:va") == [":vars"]
    assert ":vars" in matches(keyboard, ":")
    assert matches(keyboard, ":type mel") == ["melody"]
    assert set(matches(keyboard, ":type |")) >= {"melody", "note"}
    assert matches(keyboard, ":t no") == ["note"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("play_note(&note, |", "fn play_note(note: &Note, speed: f32) -> f32"),
        ("let a = play_note(|);", "Plays it, at some speed."),
        ("play_note(&note, note.raise(|1.0).pitch)", "fn raise(&mut self, by: f32)"),
        ("melody.push(|)", "fn push(&mut self, value: T)"),
        ("note.title(|)", "The note's name."),
        ("String::from_utf8(|", "Converts a vector of bytes"),
        ('println!("{}", |', "Prints to the standard output"),
        ('println!("{}", play_note(|))', "Plays it, at some speed."),
        ("Some(|1)", "Some"),
        ("melody.iter().map(|)", "fn map<B, F>(self, f: F)"),
        ("play_note(&no|te, 1.0)", "let note: Note"),
        ("|note.title()", "let note: Note"),
        ("note.tit|le()", "fn title(&self) -> String"),
        ("let x: St|ring = y", "String"),
    ],
)
def test_descriptions(keyboard, code, said):
    assert said in (describe(keyboard, code) or "")


def test_nothing_is_described_by_nothing(keyboard):
    assert describe(keyboard, "") is None
    assert describe(keyboard, "   ") is None
    assert describe(keyboard, "12 + 3") is None
    assert describe(keyboard, "no_such_name") is None


def test_a_crate_that_was_added_is_known(keyboard):
    keyboard.run(':dep tiny = { path = "tiny" }\nlet chord = tiny::Chord::major(60);')
    until(lambda: "root" in matches(keyboard, "chord."))
    found = matches(keyboard, "chord.")
    assert found[:3] == ["root", "shown()", "title()"]
    assert "secret" not in found and "hidden()" not in found
    assert "Makes one." in describe(keyboard, "tiny::Chord::major(|")


def test_redefinitions_are_known(keyboard):
    keyboard.run("fn tempo(beats: u32) -> u32 { beats }")
    assert "beats: u32" in until(lambda: describe(keyboard, "tempo(|"))
    keyboard.run("fn tempo(minutes: f64, name: &str) -> f64 { minutes }")
    assert "minutes: f64" in describe(keyboard, "tempo(|")
    keyboard.run('let melody = String::from("now a text");')
    assert "push_str(" in matches(keyboard, "melody.pu")


def test_a_killed_analyser_comes_back(plain_specs):
    with Notebook(plain_specs) as notebook:
        notebook.run("let kept = vec![41u8];")
        notebook.wait_for_analyser()
        for process in analysers(notebook):
            os.kill(process, signal.SIGKILL)
        assert notebook.run("kept[0]").result == "41"
        assert matches(notebook, "kep") == ["kept"]
        assert until(lambda: matches(notebook, "kept.pu"))[0] == "push("


def test_an_analyser_that_missed_an_added_crate_is_replaced(plain_specs, folder):
    with Notebook(plain_specs, cwd=str(folder)) as notebook:
        notebook.wait_for_analyser()
        file = folder_of(notebook) / "analyser/setup.json"
        setup = file.read_text()
        known = json.loads(setup)
        known["toolchain"]["cargo"] = "/bin/false"
        file.write_text(json.dumps(known))
        added = ':dep tiny = { path = "tiny" }\nlet chord = tiny::Chord::major(3);'
        assert notebook.run(added).status == "ok"
        time.sleep(5)
        assert "root" not in matches(notebook, "chord.")
        file.write_text(setup)
        until(lambda: "root" in matches(notebook, "chord."), notebook=notebook)


def test_the_standard_library_is_known_where_its_own_crates_are_not(
    plain_specs, monkeypatch, tmp_path
):
    """Without a network, and where nothing had them fetched before."""
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")
    with Notebook(plain_specs) as notebook:
        notebook.run("let kept = vec![1];")
        until(lambda: "push(" in matches(notebook, "kept."), notebook=notebook)


@pytest.mark.parametrize("when", ["loading", "loaded"])
def test_an_analyser_that_is_stuck_gives_way_to_another_one(plain_specs, when):
    """One that owes an answer and does nothing, as if it had lost an event."""
    with Notebook(plain_specs) as notebook:
        notebook.run("let kept = vec![41u8];")
        if when == "loaded":
            notebook.wait_for_analyser()
        stuck = until(lambda: analysers(notebook))
        for process in stuck:
            os.kill(process, signal.SIGSTOP)
        assert until(lambda: matches(notebook, "kept.pu"))[0] == "push("
        assert not set(stuck) & set(analysers(notebook))


def test_an_analyser_that_nobody_asks_ends(plain_specs):
    """Where a program runs the notebook, and comes back with the first key. While cells follow each
    other none is started; one that is started late stays as long as any other."""
    with Notebook(plain_specs) as notebook:
        notebook.run("let kept = vec![41u8];")
        for _ in range(7):
            time.sleep(6)
            notebook.run("kept.len();")
        assert not analysers(notebook)
        [started] = until(lambda: analysers(notebook))
        time.sleep(10)
        assert started in analysers(notebook)
        until(lambda: not analysers(notebook), 90)
        assert matches(notebook, "kep") == ["kept"]
        assert until(lambda: matches(notebook, "kept.pu"))[0] == "push("


def test_an_analyser_stays_where_a_person_is(plain_specs):
    """Asking for the history, as front ends do when they open a notebook, tells of one."""
    with Notebook(plain_specs) as notebook:
        notebook.reply(notebook.client.history(hist_access_type="tail", n=10))
        until(lambda: analysers(notebook))
        time.sleep(50)
        assert analysers(notebook)

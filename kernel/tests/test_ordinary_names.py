"""Names that a user may take although others use them, and cells of nothing."""

import pytest

from stories import prints


def test_names_of_the_standard_library_may_be_the_users(own):
    """What the kernel writes around a cell does not lean on names that a user can take."""
    shown = "#[derive(Debug, Clone, PartialEq)]"
    own.tell(
        "type Result<T> = std::result::Result<T, std::string::String>; "
        "fn five() -> Result<u8> { Ok(5) } let r = five();",
        ("(five()?, r)", "(5, Ok(5))"),
        f"{shown} struct String; {shown} struct Vec; {shown} struct Box(u8); {shown} enum "
        f"Option {{ Of }}",
        "let all = (String, Vec, Box(1), Option::Of);",
        ("all", "(String, Vec, Box(1), Of)"),
        f"{shown} enum Result {{ Win, Draw }} let game = Result::Draw;",
        ('(game, "5".parse::<u8>()?)', "(Draw, 5)"),
        "trait Debug {} trait Clone2 {} trait Any {} fn drop() {} fn format() {} fn Some2() {}",
        ('let n = 1; println!("{n}"); n', "1"),
    )


def test_names_that_generated_code_may_use(own):
    names = ["result", "value", "values", "ctx", "context", "cell", "store", "variables", "this"]
    names += ["run", "error", "output", "x", "f", "main", "user_code", "std_", "ok", "e"]
    own.tell(
        "".join(f"let {name} = {number}; " for number, name in enumerate(names)),
        (f"{' + '.join(names)}", str(sum(range(len(names))))),
        "mod cell { pub struct Cell; } mod run {} struct Context; struct Variables; fn show() {}",
        (f"[{', '.join(names)}].len()", str(len(names))),
    )


NOTHING = [
    "",
    "   \n\n",
    "// only a comment",
    "/* a\nblock */",
    "/* /* nested */ */ // and",
    ";",
    ";;",
]


@pytest.mark.parametrize("code", NOTHING)
def test_a_cell_of_nothing(shelf, code):
    shelf.tell((code, prints("")))

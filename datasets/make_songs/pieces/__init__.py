"""The pieces. Each module has `PIECE`, a description with a `render` function."""

from . import greensleeves, prelude

PIECES = [prelude.PIECE, greensleeves.PIECE]

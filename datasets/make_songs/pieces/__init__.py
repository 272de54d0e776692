"""The pieces. Each module has `PIECE`, a description with a `render` function."""

from . import canon, greensleeves, lantern_street, prelude, still_water

PIECES = [module.PIECE for module in (prelude, greensleeves, canon, lantern_street, still_water)]

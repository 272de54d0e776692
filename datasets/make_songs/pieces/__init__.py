"""The pieces. Each module has `PIECE`, a description with a `render` function."""

from . import canon, greensleeves, prelude, still_water

PIECES = [module.PIECE for module in (prelude, greensleeves, canon, still_water)]

"""What a piece is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Piece:
    """`render(sample_rate_hz)` gives an unmastered stereo array (2 x n)."""

    name: str
    extension: str
    title: str
    composer: str
    instrument: str
    render: Callable[[int], np.ndarray]
    target_lufs: float = -17.0
    mono: bool = False
    file_sample_rate_hz: int = 44100

"""Writes the songs in `datasets/songs`: notes, instruments, rooms, mastering, encoding.

Everything is computed here with NumPy and SciPy; no recording and no sample
library goes in. Run `python -m make_songs` in `datasets/`.
"""

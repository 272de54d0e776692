"""Renders music whose beats are known: to train the beat tracker on, and to measure it by.

`python -m make_beats training FOLDER` writes pieces of random scores and cheap instruments;
`python -m make_beats held-out FOLDER` writes variations of written pieces with the instruments of
`make_songs`, of which training has heard nothing.
"""

//! How near a piece is to its song, and how much of it is a copy.

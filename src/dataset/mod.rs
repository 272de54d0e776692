//! Songs in a folder become training sequences.

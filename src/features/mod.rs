//! From samples to the numbers a network learns from, and back.

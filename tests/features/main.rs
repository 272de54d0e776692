//! Features beside the values of NumPy and librosa.

mod mel;
mod spectra;

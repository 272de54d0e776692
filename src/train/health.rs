//! What is wrong with a network whose loss is no number.

use crate::words::counted;
use crate::{Error, Result};
use candle_core::{CpuStorage, DType, Storage, Tensor, Var};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// So many songs of a batch are named.
const MOST_SONGS: usize = 3;

/// The loss, the batch and its songs, and the first parameter that is no number.
pub(super) fn diagnosis(
    loss: f64,
    (epoch, batch): (usize, usize),
    variables: &BTreeMap<String, Var>,
    songs: &[String],
) -> Result<String> {
    let mut place = format!("in epoch {epoch}, batch {batch}");
    if !songs.is_empty() {
        let named: Vec<_> = songs.iter().take(MOST_SONGS).map(|s| format!("\"{s}\"")).collect();
        place += &format!(" of {}", named.join(", "));
        if songs.len() > MOST_SONGS {
            place += &format!(" and {}", counted(songs.len() - MOST_SONGS, "other song"));
        }
    }
    let mut faults = Vec::new();
    if !loss.is_finite() {
        faults.push(format!("the loss was {loss}"));
    }
    if let Some((name, variable)) = spoiled(variables)? {
        let values = variable.as_tensor().flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let wrong = values.iter().filter(|value| !value.is_finite()).count();
        let share = format!("{wrong} of {}", counted(values.len(), "value"));
        faults.push(format!("{share} of the parameter {name} were no numbers"));
    }
    Ok(format!("{place}, {}", faults.join(", and ")))
}

/// The first parameter that is not all numbers.
pub(super) fn spoiled(variables: &BTreeMap<String, Var>) -> Result<Option<(&String, &Var)>> {
    let (mut names, mut elsewhere) = (Vec::new(), Vec::new());
    for (name, variable) in variables {
        match is_sound(variable.as_tensor()) {
            Some(true) => {}
            Some(false) => return Ok(Some((name, variable))),
            // A sum is a number where all its parts are.
            None => {
                elsewhere.push(variable.as_tensor().to_dtype(DType::F32)?.sum_all()?);
                names.push((name, variable));
            }
        }
    }
    if elsewhere.is_empty() {
        return Ok(None);
    }
    // A card is asked once.
    let sums = Tensor::stack(&elsewhere, 0)?.to_vec1::<f32>()?;
    Ok(names.into_iter().zip(sums).find(|(_, sum)| !sum.is_finite()).map(|(found, _)| found))
}

/// Whether all values are numbers, where the processor has them.
fn is_sound(tensor: &Tensor) -> Option<bool> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(values)), Some((from, to))) =
        (&*storage, layout.contiguous_offsets())
    else {
        return None;
    };
    let all_finite = |part: &[f32]| part.iter().fold(true, |all, v| all & v.is_finite());
    Some(values[from..to].par_chunks(1 << 16).all(all_finite))
}

/// Where there is nothing to go back to.
pub(super) fn error(words: &str, learning_rate: f64) -> Error {
    Error::Data(format!(
        "{words}: training diverged; use a lower learning rate than {learning_rate} or a clip norm"
    ))
}

/// "epoch 3", or where nothing was done yet.
pub(super) fn place(epochs: usize) -> String {
    if epochs == 0 { "the beginning".to_owned() } else { format!("the end of epoch {epochs}") }
}

//! What could compute on this machine.

use crate::memory::{available_bytes, gigabytes};
use crate::words::counted;
use std::fmt;

/// A device that [`Device`](super::Device) can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceFacts {
    /// What `--device` takes for it: `"cpu"`, `"cuda:0"`.
    pub option: String,
    /// Its name, and for the processor how many threads.
    pub name: String,
    /// Memory of its own, in bytes; nothing of the processor.
    pub memory_bytes: Option<u64>,
    /// Memory that is free, in bytes; nothing where the system does not say.
    pub free_bytes: Option<u64>,
}

/// All devices of this machine, and why there are no more.
///
/// ```
/// use neural_composer::model::Devices;
/// let devices = Devices::here();
/// assert_eq!(devices.found[0].option, "cpu");
/// println!("{devices}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// The processor, then CUDA devices by their numbers.
    pub found: Vec<DeviceFacts>,
    /// Why no CUDA device is among them; nothing where one is.
    pub no_cuda: Option<String>,
}

impl Devices {
    /// Asks the system.
    pub fn here() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu = DeviceFacts {
            option: "cpu".to_owned(),
            name: format!("the processor, {}", counted(threads, "thread")),
            memory_bytes: None,
            free_bytes: available_bytes(),
        };
        let (cards, no_cuda) = match cards() {
            Ok(cards) => (cards, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        Self { found: std::iter::once(cpu).chain(cards).collect(), no_cuda }
    }
}

/// CUDA devices, or why there is none.
#[cfg(not(feature = "cuda"))]
fn cards() -> Result<Vec<DeviceFacts>, String> {
    Err("this build has no CUDA support: `./lab --cuda`, or `cargo build --release --features cuda`"
        .to_owned())
}

/// CUDA devices, or why there is none.
#[cfg(feature = "cuda")]
fn cards() -> Result<Vec<DeviceFacts>, String> {
    use candle_core::cuda_backend::cudarc::driver::{CudaContext, DriverError};

    if let Some(reason) = super::missing_for_cuda() {
        return Err(reason);
    }
    let said = |error: DriverError| format!("the CUDA driver says: {error}; check `nvidia-smi`");
    let count = CudaContext::device_count().map_err(said)?;
    if count <= 0 {
        return Err("the CUDA driver finds no device; check `nvidia-smi`".to_owned());
    }
    let card = |index: usize| {
        let context = CudaContext::new(index)?;
        let (free, all) = context.mem_get_info()?;
        Ok(DeviceFacts {
            option: format!("cuda:{index}"),
            name: context.name()?,
            memory_bytes: Some(all as u64),
            free_bytes: Some(free as u64),
        })
    };
    (0..count as usize).map(card).collect::<Result<_, _>>().map_err(said)
}

impl fmt::Display for DeviceFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.name)?;
        match (self.free_bytes, self.memory_bytes) {
            (Some(free), Some(all)) => {
                write!(f, ", {} of {} free", gigabytes(free), gigabytes(all))
            }
            (Some(free), None) => write!(f, ", {} free", gigabytes(free)),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.iter().map(DeviceFacts::to_string);
        let reason = self.no_cuda.iter().map(|reason| format!("no CUDA device: {reason}"));
        f.write_str(&found.chain(reason).collect::<Vec<_>>().join("\n"))
    }
}

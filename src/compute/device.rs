//! The device that computes: the processor or a CUDA card.

use crate::memory::available_bytes;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Once;

/// Where tensors live and are computed.
///
/// ```
/// use neural_composer::model::Device;
/// let device = Device::best();
/// println!("training on {device}");
/// assert_eq!("cpu".parse::<Device>()?.to_string(), "CPU");
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    device: candle_core::Device,
    name: String,
}

impl Device {
    /// The first CUDA device when the library was built for CUDA and one is there, else the CPU.
    ///
    /// A library that was built for CUDA says once, on standard error, why it computes on the CPU.
    pub fn best() -> Self {
        static TOLD: Once = Once::new();
        Self::cuda(0).unwrap_or_else(|error| {
            if cfg!(feature = "cuda") {
                TOLD.call_once(|| eprintln!("note: computes on the CPU: {error}"));
            }
            Self::cpu()
        })
    }

    /// The processor.
    pub fn cpu() -> Self {
        Self { device: candle_core::Device::Cpu, name: "CPU".into() }
    }

    /// The CUDA device number `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Device`] when the library was built without CUDA or there is no such device.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda(index: usize) -> Result<Self> {
        Err(Error::Device(format!(
            "CUDA device {index}: this build has no CUDA support; build with `--features cuda`, or \
             use the device \"cpu\""
        )))
    }

    /// The CUDA device number `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Device`] when the library was built without CUDA or there is no such device.
    #[cfg(feature = "cuda")]
    pub fn cuda(index: usize) -> Result<Self> {
        let unavailable = |reason: String| {
            Error::Device(format!(
                "CUDA device {index}: not available ({reason}); check `nvidia-smi`, or use the \
                 device \"cpu\""
            ))
        };
        if let Some(reason) = super::missing_for_cuda() {
            return Err(unavailable(reason));
        }
        let device = super::card::handle(index).map_err(|error| unavailable(error.to_string()))?;
        Ok(Self { device, name: format!("CUDA device {index}") })
    }

    /// Candle's handle.
    pub fn candle(&self) -> &candle_core::Device {
        &self.device
    }

    /// Memory that is free on it, in bytes; nothing where nobody says.
    pub fn free_bytes(&self) -> Option<u64> {
        match &self.device {
            #[cfg(feature = "cuda")]
            candle_core::Device::Cuda(card) => {
                let (free, _) = card.cuda_stream().context().mem_get_info().ok()?;
                Some(free as u64)
            }
            candle_core::Device::Cpu => available_bytes(),
            _ => None,
        }
    }

    /// Whether this is the processor.
    pub fn is_cpu(&self) -> bool {
        self.device.is_cpu()
    }
}

/// Whether both are the same processor or card.
impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.device.location() == other.device.location()
    }
}

impl Default for Device {
    fn default() -> Self {
        Self::best()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Reads "best", "cpu", "cuda" or "cuda:N".
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "best" => Ok(Self::best()),
            "cpu" => Ok(Self::cpu()),
            "cuda" | "gpu" => Self::cuda(0),
            other => match other.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
                Some(index) => Self::cuda(index),
                None => Err(Error::argument("device", "best, cpu, cuda or cuda:N", text)),
            },
        }
    }
}

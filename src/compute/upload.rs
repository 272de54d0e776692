//! Values on their way to the device that computes with them.

use candle_core::{Device, Tensor};

use crate::Result;
#[cfg(feature = "cuda")]
use crate::compute::card::{Gateway, Passing};

/// Sends tensors to a device, to a card while it computes something else.
pub struct Upload {
    device: Device,
    #[cfg(feature = "cuda")]
    gateway: Option<Gateway<{ Self::MOST_ON_THEIR_WAY }>>,
}

/// A tensor on its way.
pub enum Sent {
    /// It is copied when it arrives.
    Here(Tensor, Device),
    /// It is copied while others compute.
    #[cfg(feature = "cuda")]
    Passing(Passing),
}

impl Upload {
    /// So many tensors are on their way at a time at most, the one that arrives included.
    pub const MOST_ON_THEIR_WAY: usize = 3;

    /// To `device`.
    pub fn to(device: &Device) -> Self {
        Self {
            device: device.clone(),
            #[cfg(feature = "cuda")]
            gateway: Gateway::to(device),
        }
    }

    /// Sends a tensor of the processor.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    #[cfg_attr(
        not(feature = "cuda"),
        expect(clippy::unnecessary_wraps, reason = "a card's may fail")
    )]
    pub fn send(&mut self, tensor: Tensor) -> Result<Sent> {
        #[cfg(feature = "cuda")]
        if let Some(gateway) = &mut self.gateway {
            return Ok(Sent::Passing(gateway.send(&tensor)?));
        }
        Ok(Sent::Here(tensor, self.device.clone()))
    }
}

impl Sent {
    /// The tensor on its device.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn arrive(self) -> Result<Tensor> {
        match self {
            Self::Here(tensor, device) => Ok(tensor.to_device(&device)?),
            #[cfg(feature = "cuda")]
            Self::Passing(passing) => Ok(passing.arrive()?),
        }
    }
}

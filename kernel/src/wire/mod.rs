//! The wire to the front ends: sockets that speak ZeroMQ's protocol, and Jupyter's signed envelopes.
//!
//! Each connection has tasks and a queue of its own, so that no client can hold up another one or end
//! the kernel, whatever it sends, and whether it reads or leaves.

mod envelope;
#[cfg(test)]
#[path = "../../../fuzz/src/hostile_kernel_messages.rs"]
mod hostile;
mod iopub;
mod outbox;
mod router;
mod socket;
mod zmtp;

pub use envelope::Envelope;
pub use iopub::Iopub;
pub use router::Router;
pub use socket::{Echo, bind};

//! What is put into a stream, recorded in place of being done.

use std::sync::Arc;

use candle_core::Error;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUgraphInstantiate_flags as Flags, CUstreamCaptureMode as Mode,
};
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, CudaStream};

/// The graph of all that `work` puts into `stream`, into which nobody else puts anything meanwhile.
///
/// # Errors
/// Those of `work`, and the driver's where it cannot be recorded.
pub fn captured<E: From<Error>>(
    stream: &Arc<CudaStream>,
    work: impl FnOnce() -> Result<(), E>,
) -> Result<CudaGraph, E> {
    stream.begin_capture(Mode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
    let done = work();
    // Ended in any case: the stream is of no use otherwise.
    let graph = stream.end_capture(Flags(0));
    done?;
    graph.w()?.ok_or_else(|| Error::Msg("nothing was recorded".into()).into())
}

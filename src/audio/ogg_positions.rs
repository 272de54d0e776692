//! Where an Ogg stream's sound begins and ends, by the positions that its pages name.
//!
//! Symphonia 0.6.1 takes off the end of every page what goes beyond the page's position, and counts
//! positions from 0. Only a stream's last page may cut its packets, and a stream may begin anywhere, as
//! a recording of internet radio does (RFC 3533; RFC 7845, section 4; Vorbis I, appendix A.2).

use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;

/// The position of the first frame: 0, or more where the stream was cut out of a longer one.
pub(super) fn first_frame(track: &Track) -> u64 {
    let delay = i64::from(track.delay.unwrap_or(0));
    u64::try_from(track.start_ts.get().saturating_add(delay)).unwrap_or(0)
}

/// Whether the packet reaches the end of its stream, so that its own end may be padding.
pub(super) fn reaches_end(track: &Track, packet: &Packet) -> bool {
    let end = track.num_frames.and_then(|frames| i64::try_from(frames).ok());
    end.is_some_and(|end| packet.pts.saturating_add(packet.dur).get() >= end)
}

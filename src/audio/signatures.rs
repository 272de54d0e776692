//! Kinds of files by how they begin, to refuse by their name what is not or cannot be decoded.

/// The name of a kind of sound that is not decoded, as people know it; `ending` is the file name's, in
/// lower case.
pub(super) fn name(head: &[u8], ending: &str) -> Option<&'static str> {
    let begins = |signature: &[u8]| head.starts_with(signature);
    let holds = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    let ogg = begins(b"OggS");
    Some(match () {
        () if ogg && holds(b"Speex   ") => "Speex",
        () if ogg && holds(b"\x80theora") => "Theora (video without sound)",
        () if begins(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => "WMA",
        () if begins(b"\x0b\x77") => "AC-3",
        () if begins(b"\x7f\xfe\x80\x01") => "DTS",
        () if begins(b"wvpk") => "WavPack",
        () if begins(b"TTA1") || begins(b"TTA2") => "TTA",
        () if begins(b"MAC ") => "Monkey's Audio",
        () if begins(b"MPCK") || begins(b"MP+") => "Musepack",
        () if begins(b"tBaK") => "TAK",
        () if begins(b"OFR ") => "OptimFROG",
        () if begins(b"DSD ") || begins(b"FRM8") => "DSD",
        () if begins(b"#!AMR") => "AMR",
        () if begins(b"#!SILK") || begins(b"\x02#!SILK") => "SILK",
        () if begins(b".RMF") || begins(b".ra\xfd") => "RealAudio",
        () if begins(b"MThd") => "MIDI (notes, not sound)",
        () if begins(b"RIFF") && head.get(8..12) == Some(b"AVI ") => "AVI video",
        () if begins(b"RIFF") && head.get(8..12) == Some(b"RMID") => "MIDI (notes, not sound)",
        () if is_transport_stream(head) => "an MPEG transport stream",
        () if begins(b"\x00\x00\x01\xba") => "an MPEG program stream",
        () if begins(b"RIFX") => "a WAV file with the bytes in reverse (RIFX)",
        () if begins(b"Creative Voice File") => "VOC",
        () if begins(b"FLV\x01") => "Flash video",
        () if begins(b"IMPM") || begins(b"Extended Module") => "a tracker module",
        () if begins(b"PK\x03\x04") => "a ZIP archive",
        () if begins(b"%PDF") => "PDF",
        () if begins(b"<!DOCTYPE") || begins(b"<html") => "a web page",
        () if begins(b"version https://git-lfs") => "a pointer of Git LFS",
        () if ending == "gsm" => "GSM",
        _ => return None,
    })
}

/// Packets of 188 bytes, on discs with four bytes in front of each, that begin with the letter G.
fn is_transport_stream(head: &[u8]) -> bool {
    [(0, 188), (4, 192)].iter().any(|(first, length)| {
        let mut packets = head.iter().skip(*first).step_by(*length);
        packets.len() >= 4 && packets.all(|byte| *byte == b'G')
    })
}

/// The name of a kind of file that is decoded: one that is refused is damaged.
pub(super) fn decoded(head: &[u8]) -> Option<&'static str> {
    let begins = |signature: &[u8]| head.starts_with(signature);
    let then = |at: usize, word: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(word));
    let holds = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    Some(match () {
        () if begins(b"RIFF") && head.get(8..12).is_none_or(|kind| kind == b"WAVE") => "WAV",
        () if begins(b"RF64") || begins(b"BW64") => "WAV",
        () if begins(b"fLaC") => "FLAC",
        () if begins(b"OggS") && holds(b"OpusHead") => "Opus",
        () if begins(b"OggS") => "Ogg",
        () if begins(b"FORM") && then(8, b"AIF") => "AIFF",
        () if begins(b"caff") => "CAF",
        () if begins(b".snd") => "AU",
        () if begins(b"\x1aE\xdf\xa3") && holds(b"webm") => "WebM",
        () if begins(b"\x1aE\xdf\xa3") => "Matroska",
        () if then(4, b"ftyp") => "M4A or MP4",
        _ => return None,
    })
}

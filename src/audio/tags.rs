//! Title, artist and other texts in a song's file.

use super::no_panic;
use std::io::Cursor;
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::{MetadataReader, MetadataRevision, StandardTag, Tag};
use symphonia::default::meta::Id3v2Reader;

/// What a song's file says about the song: title, artist, album and so on, as text.
///
/// Kept in the order in which a person reads them; a tag that is not in the file is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    entries: Vec<(&'static str, String)>,
}

/// Every name a [`Tags`] may hold, in reading order.
const NAMES: [&str; 13] = [
    "title",
    "artist",
    "album",
    "album artist",
    "composer",
    "performer",
    "genre",
    "date",
    "track",
    "comment",
    "copyright",
    "license",
    "encoder",
];

impl std::fmt::Display for Tags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.iter().map(|(name, value)| format!("{name:13} {value}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Tags {
    /// The piece's title.
    pub fn title(&self) -> Option<&str> {
        self.get("title")
    }

    /// Who plays or sings.
    pub fn artist(&self) -> Option<&str> {
        self.get("artist")
    }

    /// The album the piece is on.
    pub fn album(&self) -> Option<&str> {
        self.get("album")
    }

    /// Any tag by its name as [`Tags::iter`] gives it, for example `"composer"`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// Names and values, in reading order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Whether the file says nothing about the song.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes over what a metadata block says; a later block wins over an earlier one.
    pub(super) fn merge(&mut self, revision: &MetadataRevision) {
        let per_track = revision.per_track.iter().flat_map(|t| &t.metadata.tags);
        for tag in revision.media.tags.iter().chain(per_track) {
            if let Some((name, value)) = name_and_value(tag) {
                self.set(name, value);
            }
        }
    }

    /// Takes over the tags in the body of a WAV file's `LIST` chunk.
    pub(super) fn merge_riff_list(&mut self, list: &[u8]) {
        let Some(mut rest) = list.strip_prefix(b"INFO") else { return };
        while let Some((head, tail)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let text = text(&tail[..length.min(tail.len())]);
            match &head[..4] {
                b"INAM" => self.set("title", text),
                b"IART" => self.set("artist", text),
                b"IPRD" => self.set("album", text),
                b"IGNR" => self.set("genre", text),
                b"ICRD" => self.set("date", text),
                b"IPRT" | b"ITRK" => self.set("track", text),
                b"ICMT" => self.set("comment", text),
                b"ICOP" => self.set("copyright", text),
                b"ISFT" => self.set("encoder", text),
                _ => {}
            }
            // Each part begins at an even place.
            let next = length.saturating_add(length % 2);
            rest = tail.get(next..).unwrap_or_default();
        }
    }

    /// Takes over the tags of an ID3v2 block; a damaged one says nothing.
    pub(super) fn merge_id3(&mut self, block: &[u8]) {
        let source = Box::new(Cursor::new(block.to_vec()));
        let block = no_panic::catch(|| {
            let stream = MediaSourceStream::new(source, Default::default());
            Id3v2Reader::try_new(stream, Default::default())?.read_all()
        });
        if let Some(Ok(block)) = block {
            self.merge(&block.revision);
        }
    }

    fn set(&mut self, name: &'static str, value: String) {
        // Tags often end in a NUL or in padding blanks.
        let value = value.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        if value.is_empty() {
            return;
        }
        match self.entries.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value.to_owned(),
            None => {
                self.entries.push((name, value.to_owned()));
                self.entries.sort_by_key(|(name, _)| NAMES.iter().position(|n| n == name));
            }
        }
    }
}

/// Text of a program that did not say which characters it writes: UTF-8 or UTF-16 where it is that, else
/// those of Western Europe.
fn text(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.trim_end_matches('\0').contains('\0')
    {
        return text.to_owned();
    }
    let zeros =
        |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let half = bytes.len() / 4;
    let encoding = match bytes {
        [0xff, 0xfe, ..] => encoding_rs::UTF_16LE,
        [0xfe, 0xff, ..] => encoding_rs::UTF_16BE,
        _ if zeros(1) > half && zeros(1) > zeros(0) => encoding_rs::UTF_16LE,
        _ if zeros(0) > half => encoding_rs::UTF_16BE,
        _ => encoding_rs::WINDOWS_1252,
    };
    encoding.decode(bytes).0.into_owned()
}

fn name_and_value(tag: &Tag) -> Option<(&'static str, String)> {
    use StandardTag as T;
    let (name, value) = match tag.std.as_ref()? {
        T::TrackTitle(text) => ("title", text),
        T::Artist(text) => ("artist", text),
        T::Album(text) => ("album", text),
        T::AlbumArtist(text) => ("album artist", text),
        T::Composer(text) => ("composer", text),
        T::Performer(text) => ("performer", text),
        T::Genre(text) => ("genre", text),
        T::RecordingDate(text) | T::ReleaseDate(text) => ("date", text),
        T::RecordingYear(year) | T::ReleaseYear(year) => return Some(("date", year.to_string())),
        // ID3v1 has 0 where there is no number.
        T::TrackNumber(0) => return None,
        T::TrackNumber(number) => return Some(("track", number.to_string())),
        T::Comment(text) => ("comment", text),
        T::Copyright(text) => ("copyright", text),
        T::License(text) => ("license", text),
        T::Encoder(text) => ("encoder", text),
        _ => return None,
    };
    Some((name, value.to_string()))
}

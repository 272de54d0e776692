//! The judge's card: what is said of a piece, with the copied places to listen to.

use crate::Result;
use crate::audio::{Audio, Song};
use crate::display::{
    Bundle, Facts, Picture, Show, html, judgement_chart, short_audio, shown_in_notebooks,
};
use crate::evaluate::{self, CopiedPassage, Heard, Judgement};
use crate::generate::Piece;
use std::fmt::{self, Write as _};
use std::ops::Deref;

/// Copied places that can be listened to, the longest ones.
const PLAYED: usize = 6;
/// How much of each is played, and what it may take in the page.
const PLAYED_SECONDS: f64 = 6.0;
const PLAYED_BYTES: usize = 60_000;

/// A [`Judgement`] together with the sounds it is about, so that its card can play them.
#[derive(Clone, Debug)]
pub struct Verdict {
    judgement: Judgement,
    piece: Option<Audio>,
    songs: Vec<(String, Option<Audio>)>,
}

impl Verdict {
    /// Judges `piece` against `songs`, each with its title.
    ///
    /// # Errors
    /// What [`evaluate::judge`] reports.
    pub fn of(piece: &Audio, songs: &[(String, Audio)]) -> Result<Self> {
        Self::of_both(piece, Heard::of(piece)?, songs)
    }

    /// As [`of`](Self::of), `heard` being what is kept of the piece.
    fn of_both(piece: &Audio, heard: Heard, songs: &[(String, Audio)]) -> Result<Self> {
        let sounds = songs.iter().map(|(_, audio)| Heard::of(audio)).collect::<Result<_>>()?;
        let judgement = evaluate::judge_heard(&heard, sounds)?;
        let songs = songs.iter().map(|(title, audio)| (title.clone(), Some(audio.clone())));
        Ok(Self { judgement, piece: Some(piece.clone()), songs: songs.collect() })
    }

    /// Judges what was kept of a piece against what was kept of songs, each with its title; its card has
    /// nothing to listen to.
    ///
    /// # Errors
    /// What [`evaluate::judge_heard`] reports.
    pub fn of_heard(piece: &Heard, songs: Vec<(String, Heard)>) -> Result<Self> {
        let (titles, songs): (Vec<_>, Vec<_>) = songs.into_iter().unzip();
        let judgement = evaluate::judge_heard(piece, songs)?;
        let songs = titles.into_iter().map(|title| (title, None));
        Ok(Self { judgement, piece: None, songs: songs.collect() })
    }

    /// What was found.
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// The judgement drawn: style, copies and joins over time, form.
    ///
    /// # Errors
    /// [`Error::Picture`](crate::Error::Picture) when it cannot be drawn.
    pub fn picture(&self) -> Result<Picture> {
        judgement_chart(&self.judgement)
    }

    fn title(&self, song: usize) -> &str {
        self.songs.get(song).map_or("a song", |(title, _)| title)
    }

    /// The copied passages that are worth listening to, the longest first: what lies in a longer one
    /// for the most part is the same copy, found at another speed.
    fn listed(&self) -> Vec<&CopiedPassage> {
        let end = |passage: &CopiedPassage| passage.piece_seconds + passage.duration_seconds;
        let mut listed: Vec<&CopiedPassage> = Vec::new();
        for passage in &self.judgement.copies.passages {
            let shared = |longer: &&CopiedPassage| {
                end(longer).min(end(passage)) - longer.piece_seconds.max(passage.piece_seconds)
            };
            if listed.iter().all(|longer| shared(longer) < 0.5 * passage.duration_seconds) {
                listed.push(passage);
            }
        }
        listed
    }

    /// The copied places as a table, each beside where it comes from.
    fn places(&self) -> Result<String> {
        let passages = self.listed();
        if passages.is_empty() {
            return Ok(String::new());
        }
        let more = match passages.len().saturating_sub(PLAYED) {
            0 => String::new(),
            more => format!(" (the longest {PLAYED}; {more} more)"),
        };
        let mut table = format!(
            "<table class=\"nc-table\"><caption>Copied places{more}</caption><thead><tr>\
             <th scope=\"col\">in the piece</th><th scope=\"col\">in the song</th></tr></thead><tbody>"
        );
        for passage in passages.into_iter().take(PLAYED) {
            let place = Place { passage, song: self.title(passage.song) };
            let long = passage.duration_seconds.min(PLAYED_SECONDS);
            let excerpt = |audio: &Option<Audio>, from: f64, long: f64, label: &str| match audio {
                Some(audio) => short_audio(&audio.excerpt(from, from + long), label, PLAYED_BYTES),
                None => Ok(String::new()),
            };
            let (here, there) = (place.in_piece(), place.in_song());
            let own = excerpt(&self.piece, passage.piece_seconds, long, &here)?;
            let source = match self.songs.get(passage.song) {
                Some((_, song)) => {
                    excerpt(song, passage.song_seconds, long * passage.speed, &there)?
                }
                None => String::new(),
            };
            let _ = write!(
                table,
                "<tr><td>{}{own}</td><td>{}{source}</td></tr>",
                html::escape(&here),
                // A title turns nothing that is said after it.
                html::isolated(place.song) + &html::escape(&place.where_in_song())
            );
        }
        Ok(table + "</tbody></table>")
    }
}

impl Deref for Verdict {
    type Target = Judgement;

    fn deref(&self) -> &Judgement {
        &self.judgement
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.judgement)?;
        for passage in self.listed().into_iter().take(PLAYED) {
            let place = Place { passage, song: self.title(passage.song) };
            write!(f, "\n  copy: {} is {}", place.in_piece(), place.in_song())?;
        }
        Ok(())
    }
}

/// A copied passage in words.
struct Place<'a> {
    passage: &'a CopiedPassage,
    song: &'a str,
}

impl Place<'_> {
    fn in_piece(&self) -> String {
        let from = self.passage.piece_seconds;
        format!("{from:.1} to {:.1} s", from + self.passage.duration_seconds)
    }

    fn in_song(&self) -> String {
        format!("{}{}", self.song, self.where_in_song())
    }

    /// What is said after the song's title.
    fn where_in_song(&self) -> String {
        let CopiedPassage { song_seconds, semitones, speed, .. } = self.passage;
        let mut text = format!(" from {song_seconds:.1} s");
        if *semitones != 0 {
            let noun = if semitones.abs() == 1 { "semitone" } else { "semitones" };
            let _ = write!(text, ", {semitones:+} {noun}");
        }
        if (speed - 1.0).abs() > 0.005 {
            let _ = write!(text, ", at {speed:.2} times the speed");
        }
        text
    }
}

/// The judgement's numbers, each beside what the songs have.
fn facts(judgement: &Judgement) -> Facts {
    let Judgement { style, copies, joins, texture: piece, song_texture: songs, .. } = judgement;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let beside = |own: String, other: String| format!("{own} (songs: {other})");
    let (mel, seconds) = (&copies.mel, |seconds: f64| format!("{seconds:.1} s"));
    let decibels = |level: f64| format!("{level:.1} dB");
    let returns = |form: &evaluate::SelfSimilarity| {
        form.returns().map_or("too short to say".into(), |value| format!("{value:.2}"))
    };
    let joined = match joins.seconds.len() {
        0 => format!("none found ({} traced)", percent(joins.traced)),
        count => count.to_string(),
    };
    let steps = joins
        .loudness_step_db
        .zip(joins.natural_loudness_step_db)
        .map_or(String::new(), |(step, natural)| beside(decibels(step), decibels(natural)));
    let repeats = format!(
        "{}; longest {}",
        beside(percent(judgement.repeats.share), percent(mel.own_share)),
        beside(seconds(judgement.repeats.longest_run_seconds), seconds(mel.own_run_seconds))
    );
    let form = match judgement.song_forms.first() {
        Some(song) => beside(returns(&judgement.form), returns(song)),
        None => returns(&judgement.form),
    };
    Facts::default()
        .with(
            "distance of style",
            format!("{:.1} (real excerpts: {})", style.distance, style.excerpts),
        )
        .with(
            "distance of timbre",
            format!("{:.1} (real excerpts: {})", style.kernel, style.kernel_excerpts),
        )
        .with(
            "copied",
            format!(
                "{}; on mel bands {}",
                percent(copies.share),
                beside(percent(mel.share), percent(mel.own_share))
            ),
        )
        .with(
            "longest run",
            format!(
                "{}; on mel bands {}",
                seconds(copies.longest_run_seconds),
                beside(seconds(mel.longest_run_seconds), seconds(mel.own_run_seconds))
            ),
        )
        .with("joins", joined)
        .with(
            "spectrum at joins",
            joins
                .spectral_change
                .map_or(String::new(), |c| format!("{c:.1} times the natural change")),
        )
        .with("loudness step at joins", steps)
        .with("repeats of itself", repeats)
        .with("comes back to itself", form)
        .with("stands still", beside(percent(piece.stillness), percent(songs.stillness)))
        .with("noise", beside(decibels(piece.flatness_db), decibels(songs.flatness_db)))
        .with("silence", beside(percent(piece.silence), percent(songs.silence)))
        .with(
            "sharpest step",
            beside(format!("{:.1}", piece.sharpest_step), format!("{:.1}", songs.sharpest_step)),
        )
}

/// The judgement in one sentence.
fn sentence(judgement: &Judgement) -> String {
    match judgement.faults().as_slice() {
        [] => "No fault found.".into(),
        faults => format!("The piece {}.", faults.join("; it ")),
    }
}

/// The card; `places` is what follows the picture.
fn card(judgement: &Judgement, places: &str, text: &str) -> Result<Bundle> {
    let picture = judgement_chart(judgement)?;
    let kind = if judgement.faults().is_empty() { "" } else { " class=\"nc-mind\"" };
    let body = format!(
        "<section aria-label=\"Judgement\"><p{kind}><strong>{}</strong></p>{}{}{places}</section>",
        html::escape(&sentence(judgement)),
        facts(judgement).html(),
        html::figure(&picture, None)
    );
    Ok(Bundle::new(&body, Some(picture), text))
}

impl Show for Judgement {
    /// The card without anything to listen to.
    fn bundle(&self) -> Result<Bundle> {
        card(self, "", &self.to_string())
    }
}

impl Show for Verdict {
    fn bundle(&self) -> Result<Bundle> {
        card(&self.judgement, &self.places()?, &self.to_string())
    }
}

shown_in_notebooks!(Judgement, Verdict);

impl Piece {
    /// What the judge says of it: style, copies, joins, texture, form. A piece of grains says itself
    /// where its joins are.
    ///
    /// # Errors
    /// What [`evaluate::judge`] reports.
    pub fn judge(&self, songs: &[Song]) -> Result<Verdict> {
        let songs = named(songs);
        let titles: Vec<String> = songs.iter().map(|(title, _)| title.clone()).collect();
        Verdict::of_both(self.audio(), self.heard_among(&titles)?, &songs)
    }
}

impl Song {
    /// What the judge says of it as a piece made from `songs`.
    ///
    /// # Errors
    /// What [`evaluate::judge`] reports.
    pub fn judge(&self, songs: &[Self]) -> Result<Verdict> {
        Verdict::of(self.audio(), &named(songs))
    }
}

fn named(songs: &[Song]) -> Vec<(String, Audio)> {
    songs.iter().map(|song| (song.title().to_owned(), song.audio().clone())).collect()
}

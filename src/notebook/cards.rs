//! What is known of a song, a dataset and a model, at a glance.

use crate::audio::{Levels, Song};
use crate::corpus::{Corpus, frequencies};
use crate::dataset::Dataset;
use crate::display::{Bundle, Facts, Player, Show, html, plain, short_audio, thumbnail};
use crate::features::{Beats, Chroma, ChromaSettings, Key, LogMel, MelSettings};
use crate::model::Network;
use crate::words::{counted, shown};
use crate::{Error, Result};
use rayon::prelude::*;
use std::fmt::Write as _;

/// Beats and key are estimated from so much of a song, around its middle: which of two levels is the
/// beat, a minute alone does not always say.
const HEARD_FOR_BEATS_SECONDS: f64 = 120.0;
const HEARD_FOR_KEY_SECONDS: f64 = 60.0;

/// Below this no key fits better than others.
const LEAST_CORRELATION: f64 = 0.5;

/// Songs of a dataset that can be listened to in its table, the length of each excerpt, and what it
/// may take in the page.
const INLINE_PLAYERS: usize = 12;
const EXCERPT_SECONDS: f64 = 8.0;
const EXCERPT_BYTES: usize = 90_000;

/// What a song's samples and tags say; what cannot be told at its rate is left out.
fn song_facts(song: &Song) -> Result<Facts> {
    let audio = song.audio();
    let middle = audio.duration_seconds() / 2.0;
    let around =
        |seconds: f64| audio.excerpt((middle - seconds / 2.0).max(0.0), middle + seconds / 2.0);
    let (levels, (beats, key)) = rayon::join(
        || Levels::of(audio),
        || {
            rayon::join(
                || {
                    let heard = around(HEARD_FOR_BEATS_SECONDS);
                    Beats::of(&LogMel::of(&heard, MelSettings::default())?)
                },
                || {
                    let heard = around(HEARD_FOR_KEY_SECONDS);
                    Ok::<_, Error>(Key::of(&Chroma::of(&heard, ChromaSettings::default())?))
                },
            )
        },
    );
    let channels = match audio.channel_count() {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        count => format!("{count} channels"),
    };
    let rate = plain::count(audio.sample_rate_hz().into());
    let mut facts = Facts::default()
        .with("length", plain::clock(audio.duration_seconds()))
        .with("sound", format!("{channels}, {rate} Hz, {}", song.codec()));
    if let Ok(levels) = &levels {
        let loudness = levels.loudness_lufs.map_or(String::new(), |lufs| format!("{lufs:.1} LUFS"));
        facts = facts
            .with("loudness", loudness)
            .with("peak", format!("{:.1} dB", 20.0 * levels.peak.max(1e-6).log10()));
    }
    if let (Ok(beats), Ok(key)) = (&beats, key) {
        let tempo = match beats.is_clear() {
            true => {
                let bar = beats.beats_in_bar();
                format!("about {:.0} a minute, {bar} to the bar", beats.per_minute())
            }
            false => "no clear beat found".into(),
        };
        let key = key
            .filter(|key| key.correlation >= LEAST_CORRELATION)
            .map_or("no clear key".into(), |key| format!("{key} (estimate)"));
        facts = facts.with("beats", tempo).with("key", key);
    }
    if let Ok(levels) = &levels {
        let silence = match (levels.silence_before_seconds, levels.silence_after_seconds) {
            (before, after) if before.max(after) < 0.05 => String::new(),
            (before, after) => format!("{before:.1} s before, {after:.1} s after"),
        };
        facts = facts.with("silence", silence);
    }
    for (name, value) in song.tags().iter().filter(|(name, _)| *name != "title") {
        facts = facts.with(name, value);
    }
    match levels.map_or(0, |levels| levels.clipped_peaks) {
        0 => {}
        1 => facts = facts.note("One peak is cut off at full scale."),
        count => {
            let count = plain::count(count as u64);
            facts = facts.note(format!("{count} peaks are cut off at full scale."));
        }
    }
    if beats.is_err() {
        facts = facts.note("Beats and key cannot be told at this rate: resample it to 22,050 Hz.");
    }
    Ok(song.warnings().iter().fold(facts, |facts, warning| facts.note(warning)))
}

impl Show for Song {
    fn bundle(&self) -> Result<Bundle> {
        let artist = self.tags().artist().unwrap_or_default();
        let player = Player::new(self.title(), self.audio()).details(artist);
        player.bundle_with(|| song_facts(self))
    }
}

/// Problems, duplicates and warnings that a card lists, each; the others are counted.
const LISTED: usize = 20;

/// What a corpus holds, and what was wrong with the files it was made of.
fn corpus_facts(corpus: &Corpus) -> Facts {
    let summary = corpus.summary();
    let rates: Vec<_> = summary.rates.keys().map(|rate| plain::count((*rate).into())).collect();
    let mut facts = Facts::default()
        .with("songs", plain::count(summary.songs as u64))
        .with("length", summary.length())
        .with("size", plain::size(summary.bytes))
        .with("shards", plain::count(summary.shards as u64))
        .with("formats", frequencies(&summary.formats))
        .with("rates", if rates.is_empty() { String::new() } else { rates.join(", ") + " Hz" })
        .with("channels", frequencies(&summary.channels))
        .with("bits", frequencies(&summary.bits))
        .with("folder", shown(corpus.folder()).to_string());
    let of = |pairs: &[(String, String)], words: &str| -> Vec<String> {
        pairs.iter().map(|(path, what)| format!("{}{words}{}", shown(path), shown(what))).collect()
    };
    for notes in [
        of(&summary.problems, " is not stored: "),
        of(&summary.duplicates, " is the same recording as "),
        of(&summary.warnings, ": "),
    ] {
        facts = notes.iter().take(LISTED).fold(facts, |facts, note| facts.note(note));
        if notes.len() > LISTED {
            facts = facts.note(format!("… and {} more like these.", notes.len() - LISTED));
        }
    }
    facts
}

impl Show for Corpus {
    fn bundle(&self) -> Result<Bundle> {
        let facts = corpus_facts(self);
        Ok(Bundle::new(&facts.html(), None, &facts.plain()))
    }
}

impl Show for Dataset {
    /// A table of the songs, each with its waveform and (the first dozen) an excerpt to listen to, as
    /// the network takes it in; then what was skipped, and why.
    fn bundle(&self) -> Result<Bundle> {
        let rows: Result<Vec<String>> = (0..self.songs().len())
            .into_par_iter()
            .map(|index| {
                let song = &self.songs()[index];
                let audio = self.song_audio(index)?;
                let picture = thumbnail(&audio, &format!("waveform of {}", song.title))?;
                let listen = if index < INLINE_PLAYERS {
                    let from = (audio.duration_seconds() - EXCERPT_SECONDS).max(0.0) / 2.0;
                    let excerpt = audio.excerpt(from, from + EXCERPT_SECONDS);
                    let label = format!("excerpt of {}", song.title);
                    short_audio(&excerpt, &label, EXCERPT_BYTES)?
                } else {
                    String::new()
                };
                let notes: String = song
                    .warnings
                    .iter()
                    .map(|note| format!("<br><small>{}</small>", html::isolated(note)))
                    .collect();
                Ok(format!(
                    "<tr><th scope=\"row\">{}{notes}</th><td>{picture}</td><td>{}</td><td>{}</td>\
                     <td>{listen}</td></tr>",
                    html::isolated(&song.title),
                    plain::clock(song.duration_seconds),
                    song.sequences
                ))
            })
            .collect();
        let text = self.to_string();
        let head = text.lines().next().unwrap_or_default();
        let mut body = format!(
            "<table class=\"nc-table\"><caption>{}</caption><thead><tr><th scope=\"col\">song</th>\
             <th scope=\"col\">waveform</th><th scope=\"col\">length</th>\
             <th scope=\"col\">sequences</th><th scope=\"col\">listen</th></tr></thead>\
             <tbody>{}</tbody></table>",
            html::escape(head),
            rows?.concat()
        );
        if !self.skipped().is_empty() {
            body += "<p><strong>Skipped:</strong></p><ul>";
            for skipped in self.skipped() {
                let _ = write!(body, "<li>{}</li>", html::isolated(&skipped.reason));
            }
            body += "</ul>";
        }
        Ok(Bundle::new(&body, None, &text))
    }
}

/// What a network is and where its weights come from.
fn network_facts(network: &Network) -> Facts {
    let config = network.config();
    let blocks = network.dataset_settings().blocks;
    let parameters = config.parameter_count();
    let own = if config.recurrent_input { " and its own output" } else { "" };
    let provenance = network.provenance();
    let mut facts = Facts::default()
        .with(
            "layers",
            format!(
                "{}{own} → dense {} → {} → {}",
                config.width,
                config.dense_units,
                config.describe_layers(),
                config.width
            ),
        )
        .with("parameters", plain::count(parameters as u64))
        .with("memory", format!("{} of weights", plain::size(4 * parameters as u64)))
        .with(
            "hears",
            format!(
                "blocks of {:.0} ms at {} Hz",
                1e3 * blocks.block_seconds(),
                plain::count(blocks.sample_rate_hz.into())
            ),
        )
        .with("runs on", network.device().to_string())
        .with("updates", plain::count(network.updates() as u64))
        .with("weights' seed", provenance.weights_seed.map_or(String::new(), |s| s.to_string()));
    for training in &provenance.trainings {
        let took =
            training.seconds.map_or(String::new(), |s| format!(" in {}", plain::duration(s)));
        facts = facts.with(
            "trained",
            format!(
                "{} on {} of sound{took} on the {}, seed {}",
                counted(training.epochs, "epoch"),
                plain::clock(training.song_seconds),
                training.device,
                training.seed
            ),
        );
        // Names of their own: some are read from right to left.
        facts = facts.with("songs", training.songs.join(", "));
    }
    if provenance.trainings.is_empty() && network.updates() == 0 {
        facts = facts.note("Not trained yet: its weights are as drawn.");
    }
    facts
}

impl Show for Network {
    fn bundle(&self) -> Result<Bundle> {
        let facts = network_facts(self);
        let body = format!("<section aria-label=\"Network\">{}</section>", facts.html());
        Ok(Bundle::new(&body, None, &facts.plain()))
    }
}

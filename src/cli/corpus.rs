//! `corpus`: a folder of songs decoded once, its check and its description.

use super::report::{self, Report, tell};
use clap::{Args, Subcommand};
use neural_composer::corpus::{BuildProgress, BuildSettings, Built, Corpus as Store, Shares};
use neural_composer::display::plain::{count, duration};
use neural_composer::display::{Bundle, Live, Output, Progress};
use neural_composer::processes::{Membership, Processes};
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Decode a folder of songs once, into files that other tools open, too
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Corpus {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  neural-composer corpus build my-songs/ -o corpus/    again after a stop, and when songs have changed
  neural-composer corpus info corpus/
  neural-composer corpus check corpus/";

#[derive(Subcommand)]
enum Command {
    Build(Build),
    Check(Check),
    Info(Info),
}

/// Make a corpus of a folder of songs, or bring it up to date
#[derive(Args)]
struct Build {
    /// The folder of songs; its folders are looked into
    folder: PathBuf,
    /// The corpus: a new or empty folder, or a corpus
    #[arg(short, long, default_value = "corpus")]
    output: PathBuf,
    /// The largest size of a shard in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = 256.0)]
    shard_megabytes: f64,
}

/// Read every byte of a corpus and say what is damaged
#[derive(Args)]
struct Check {
    /// The corpus
    corpus: PathBuf,
}

/// Say what is in a corpus: hours, formats, rates, problems
#[derive(Args)]
struct Info {
    /// The corpus
    corpus: PathBuf,
}

impl Corpus {
    /// Whether several processes do it together.
    pub fn is_done_together(&self) -> bool {
        matches!(self.command, Command::Build(_))
    }

    pub fn run(self, membership: &Membership) -> Result<Report> {
        match self.command {
            Command::Build(command) => command.run(membership),
            Command::Check(command) => command.run(),
            Command::Info(command) => command.run(),
        }
    }
}

impl Build {
    /// With other processes, where there are any: the first one tells.
    fn run(self, membership: &Membership) -> Result<Report> {
        let processes = membership.processes();
        if let Some(words) = membership.words().filter(|_| processes.is_first()) {
            tell(&words);
        }
        let built = self.build(processes);
        let status = built.as_ref().map_or_else(report::status_of, |_| 0);
        let first = membership.agree(status)?;
        if !processes.is_first() {
            let status = first.map_or(0, |(_, status)| status);
            return Ok(Report::default().unsaid(true).ending_with(status));
        }
        Ok(report_of(&built?, &self.output))
    }

    fn build(&self, processes: &Processes) -> Result<Built> {
        let bytes = self.shard_megabytes * 1e6;
        let (least, most) = (BuildSettings::LEAST_SHARD_BYTES as f64, 1e15);
        // NaN is in no range.
        if !(least..=most).contains(&bytes) {
            let expected = format!("{} to {:.0}", least / 1e6, most / 1e6);
            return Err(Error::argument("shard_megabytes", expected, self.shard_megabytes));
        }
        let settings = BuildSettings { shard_bytes: bytes as u64 };
        let live = processes.is_first().then(|| Live::to(Output::for_progress()));
        let live = Mutex::new(live);
        let watch = |progress: &BuildProgress| {
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(live) = live.as_mut() {
                let (done, total) = (progress.done as u64, progress.total as u64);
                let line = line(progress);
                let bundle = Bundle::from_text(&line);
                live.update(&Progress { done, total, line }, || bundle);
            }
        };
        let built = Store::build_together(&self.folder, &self.output, settings, processes, &watch);
        let live = live.into_inner().unwrap_or_else(PoisonError::into_inner);
        let built = built?;
        if let Some(live) = live.filter(|_| built.decoded > 0) {
            let line = format!("{} decoded", counted(built.decoded, "song"));
            live.finish(&line, || Bundle::from_text(&line));
        }
        Ok(built)
    }
}

/// "12 of 100 songs, 214 times real time, 3 min 5 s left".
fn line(progress: &BuildProgress) -> String {
    let left = progress
        .left
        .map_or(String::new(), |left| format!(", {} left", duration(left.as_secs_f64())));
    format!(
        "{} of {}, {:.0} times real time{left}",
        count(progress.done as u64),
        counted(progress.total, "song"),
        progress.times_real_time()
    )
}

fn report_of(built: &Built, output: &Path) -> Report {
    let (corpus, changes) = (&built.corpus, &built.changes);
    let summary = corpus.summary();
    let size =
        format!("{:.1} MB in {}", summary.bytes as f64 / 1e6, counted(summary.shards, "shard"));
    let told = [
        (changes.added.len(), "added"),
        (changes.changed.len(), "changed"),
        (changes.removed.len(), "removed"),
        (changes.renamed.len(), "renamed"),
        (changes.unchanged, "unchanged"),
        (built.decoded, "decoded"),
    ];
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
    let mut report = Report::default()
        .line(format!(
            "{}: {}, {}, {size}",
            shown(output),
            counted(summary.songs, "song"),
            summary.length()
        ))
        .line(format!("files: {}", told.join(", ")));
    let lists = [("changed", &changes.changed), ("removed", &changes.removed)];
    for (what, paths) in lists {
        for path in paths {
            report = report.line(format!("  {what}: {}", shown(path)));
        }
    }
    for (old, new) in &changes.renamed {
        report = report.line(format!("  renamed: {} is {} now", shown(old), shown(new)));
    }
    for (path, of) in &summary.duplicates {
        report = report.line(format!(
            "  duplicate: {} is the same recording as {}, which is stored",
            shown(path),
            shown(of)
        ));
    }
    let renamed: Vec<Value> =
        changes.renamed.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
    facts(report, corpus)
        .fact("output", report::path(output))
        .fact("decoded", built.decoded)
        .fact("decoded_seconds", built.decoded_seconds)
        .fact("seconds_of_work", shares(&built.shares))
        .fact("added", changes.added.clone())
        .fact("changed", changes.changed.clone())
        .fact("removed", changes.removed.clone())
        .fact("renamed", renamed)
        .fact("unchanged", changes.unchanged)
        .warn(built.notes.iter().cloned())
}

fn shares(shares: &Shares) -> Value {
    json!({
        "decode": shares.decode.as_secs_f64(),
        "encode": shares.encode.as_secs_f64(),
        "hash": shares.hash.as_secs_f64(),
        "loudness": shares.loudness.as_secs_f64(),
        "fingerprint": shares.fingerprint.as_secs_f64(),
    })
}

/// What a corpus holds, for machines; its problems for people, too.
fn facts(report: Report, corpus: &Store) -> Report {
    let summary = corpus.summary();
    let pairs = |pairs: &[(String, String)], what: &str| -> Vec<Value> {
        pairs.iter().map(|(path, words)| json!({ "path": path, what: words })).collect()
    };
    let problems = summary.problems.iter();
    let problems =
        problems.map(|(path, problem)| format!("{}: not stored: {problem}", shown(path)));
    let warnings = summary.warnings.iter();
    let warnings = warnings.map(|(path, warning)| format!("{}: {warning}", shown(path)));
    report
        .fact("songs", summary.songs)
        .fact("hours", summary.hours)
        .fact("bytes", summary.bytes)
        .fact("shards", summary.shards)
        .fact("shard_bytes", corpus.shard_bytes())
        .fact("formats", json!(summary.formats))
        .fact("rates", json!(summary.rates))
        .fact("channels", json!(summary.channels))
        .fact("bits", json!(summary.bits))
        .fact("duplicates", pairs(&summary.duplicates, "duplicate_of"))
        .fact("problems", pairs(&summary.problems, "problem"))
        .warn(problems)
        .warn(warnings)
}

impl Info {
    fn run(self) -> Result<Report> {
        let corpus = Store::open(&self.corpus)?;
        let summary = corpus.summary();
        // Problems and warnings are told by all commands in the same way.
        let shown_here = neural_composer::corpus::Summary {
            problems: Vec::new(),
            warnings: Vec::new(),
            ..summary
        };
        let mut report = Report::default().line(format!("{}:", shown(&self.corpus)));
        for line in shown_here.to_string().lines() {
            report = report.line(format!("  {line}"));
        }
        let songs: Vec<Value> = corpus.songs().map(song).collect();
        Ok(facts(report, &corpus).fact("corpus", report::path(&self.corpus)).fact("entries", songs))
    }
}

fn song(entry: &neural_composer::corpus::Entry) -> Value {
    let facts = entry.facts.as_ref();
    let stored = entry.stored.as_ref();
    json!({
        "path": entry.path,
        "title": entry.title(),
        "facts": facts,
        "shard": stored.map(|stored| &stored.shard),
        "offset": stored.map(|stored| stored.offset),
        "size": stored.map(|stored| stored.size),
    })
}

impl Check {
    fn run(self) -> Result<Report> {
        let corpus = Store::open(&self.corpus)?;
        let live = Mutex::new(Live::to(Output::for_progress()));
        let checked = corpus.check_watched(&|done, all| {
            let (done, total) = (done as u64, all as u64);
            let line = format!("{} of {}", count(done), counted(all, "song"));
            let bundle = Bundle::from_text(&line);
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            live.update(&Progress { done, total, line }, || bundle);
        })?;
        let live = live.into_inner().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{} checked", counted(checked.songs, "song"));
        live.finish(&line, || Bundle::from_text(&line));
        let words =
            format!("{} in {}", counted(checked.songs, "song"), counted(checked.shards, "shard"));
        if checked.damage.is_empty() {
            return Ok(Report::default()
                .line(format!("{}: {words}, all as they were stored", shown(&self.corpus)))
                .fact("corpus", report::path(&self.corpus))
                .fact("songs", checked.songs)
                .fact("shards", checked.shards)
                .fact("damage", Vec::<String>::new()));
        }
        let problem = format!(
            "damaged, of {words}:\n  {}\nremove the damaged shards, and build the corpus again from the \
             same folder of songs",
            checked.damage.join("\n  ")
        );
        Err(Error::corpus(&self.corpus, problem))
    }
}

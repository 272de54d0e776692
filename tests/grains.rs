//! The grain composer: cutting, learning, walking and joining.

mod counted;
mod tunes;

use candle_core::{Device as Cpu, Tensor, Var};
use counted::counted;
use tunes::tune;

use neural_composer::Error;
use neural_composer::audio::Audio;
use neural_composer::dataset::SongSource;
use neural_composer::dataset::grains::{GrainPool, GrainSettings};
use neural_composer::evaluate::{Heard, copies, judge_heard};
use neural_composer::features::{Beats, LogMel, MelSettings, PitchBands, PrincipalComponents};
use neural_composer::generate::grains::Placed;
use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions, Opening, Piece};
use neural_composer::train::Silent;
use neural_composer::train::loss::{SoftTargets, soft_cross_entropy};
use neural_composer::train::optimizer::{AdamW, Rule};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::collections::HashMap;

const RATE: u32 = 22_050;

fn vectors() -> HashMap<String, Tensor> {
    let bytes = include_bytes!("vectors/soft_targets.safetensors");
    candle_core::safetensors::load_buffer(bytes, &Cpu::Cpu).unwrap()
}

fn soft_targets(vectors: &HashMap<String, Tensor>) -> SoftTargets {
    let candidates: Vec<i64> = vectors["candidates"].flatten_all().unwrap().to_vec1().unwrap();
    SoftTargets {
        candidates: candidates.into_iter().map(|candidate| candidate as u32).collect(),
        shares: vectors["shares"].flatten_all().unwrap().to_vec1().unwrap(),
        per_row: vectors["candidates"].dim(1).unwrap(),
    }
}

#[test]
fn soft_cross_entropy_and_its_gradient_are_pytorchs() {
    let vectors = vectors();
    let logits = Var::from_tensor(&vectors["logits"]).unwrap();
    let loss = soft_cross_entropy(logits.as_tensor(), soft_targets(&vectors)).unwrap();
    let theirs: Vec<f32> = vectors["loss"].to_vec1().unwrap();
    assert!((loss.to_scalar::<f32>().unwrap() - theirs[0]).abs() < 1e-5);
    let scaled = (loss * 1.5).unwrap();
    // The second walk back must find what the first one used up.
    for _ in 0..2 {
        let gradients = scaled.backward().unwrap();
        let slope = gradients.get(logits.as_tensor()).unwrap();
        let apart = (slope - &vectors["slope"]).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < 1e-6);
    }
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let vectors = vectors();
    let narrow = vectors["logits"].narrow(1, 0, 4).unwrap();
    let error = soft_cross_entropy(&narrow, soft_targets(&vectors)).unwrap_err();
    assert!(matches!(error, Error::Argument { name: "targets", .. }), "{error}");
}

#[test]
fn principal_components_find_the_directions_that_rows_were_made_of() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (deviations, rows) = ([5.0f32, 2.0, 0.5], 4_000);
    // Three directions at right angles in four dimensions.
    let axes = [[0.5f32, 0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5], [0.5, 0.5, -0.5, -0.5]];
    let mut data = Vec::new();
    for _ in 0..rows {
        let places = deviations
            .map(|deviation| -> f32 { deviation * random.sample::<f32, _>(StandardNormal) });
        let mut row = [7.0f32; 4];
        for (axis, place) in axes.iter().zip(places) {
            row.iter_mut().zip(axis).for_each(|(value, along)| *value += place * along);
        }
        data.extend(row);
    }
    let found = PrincipalComponents::fit(&data, 4, 3).unwrap();
    for (ours, made) in found.deviations().iter().zip(deviations) {
        assert!((ours / made - 1.0).abs() < 0.05, "{ours} {made}");
    }
    let places = found.project(&data).unwrap();
    for a in 0..3 {
        for b in 0..3 {
            let product: f32 = places.chunks_exact(3).map(|row| row[a] * row[b]).sum();
            let expected = if a == b { 1.0 } else { 0.0 };
            assert!((product / rows as f32 - expected).abs() < 0.02, "{a} {b} {product}");
        }
    }
}

fn noise(seconds: f64, level: f32) -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let samples = (0..(seconds * f64::from(RATE)) as usize)
        .map(|_| random.random_range(-level..=level))
        .collect();
    Audio::mono(samples, RATE).unwrap()
}

fn source(audio: Audio) -> SongSource {
    SongSource::Audio { title: "test".into(), audio }
}

fn quick() -> GrainLearning {
    let mut learning = GrainLearning::default();
    learning.training.descent.steps = 6;
    learning.training.descent.batch_size = 4;
    learning
}

#[test]
fn beats_fall_on_the_notes_of_a_steady_tune() {
    let beats = Beats::of(&LogMel::of(&tune(20.0, RATE), MelSettings::default()).unwrap()).unwrap();
    assert!(beats.confidence() > 0.35, "{}", beats.confidence());
    assert!((beats.per_minute() - 120.0).abs() < 4.0, "{}", beats.per_minute());
    assert!(beats.times_seconds().len() > 30);
    for time in &beats.times_seconds()[1..] {
        let off = (time * 2.0).round() / 2.0 - time;
        assert!(off.abs() < 0.05, "{time}");
    }
    let of_noise =
        Beats::of(&LogMel::of(&noise(20.0, 0.3), MelSettings::default()).unwrap()).unwrap();
    assert!(of_noise.confidence() < 0.2, "{}", of_noise.confidence());
}

#[test]
fn grains_of_a_tune_cover_it_and_keep_the_beat() {
    let pool = GrainPool::of(&[source(tune(20.0, RATE))], GrainSettings::default(), &mut |_, _| ());
    let pool = pool.unwrap();
    let song = &pool.songs()[0];
    assert!((song.beats_per_minute.unwrap() - 120.0).abs() < 4.0);
    for pair in pool.grains().windows(2) {
        assert!((0.1..0.4).contains(&pair[0].seconds()), "{pair:?}");
        assert!(!pair[1].follows || (pair[1].start_seconds - pair[0].end_seconds).abs() < 1e-6);
    }
    let sum: f64 = pool.grains().iter().map(|grain| grain.seconds()).sum();
    assert!(sum > 18.5, "{sum}");
    assert_eq!(pool.candidates(), 5 * pool.grains().len());
    // Where the song goes on by itself there is nothing rough; elsewhere there is.
    let mut rough = Vec::new();
    let next = pool.next_of(0).unwrap();
    pool.roughness(0, &mut rough);
    assert_eq!(rough[next], 0.0);
    let others = rough.iter().enumerate().filter(|(candidate, _)| *candidate != next);
    assert!(others.map(|(_, rough)| *rough).fold(f32::INFINITY, f32::min) > 0.0);
}

#[test]
fn grains_know_where_in_the_bar_they_stand() {
    for (beats_in_bar, per_minute) in [(3, 120.0), (4, 110.0)] {
        let audio = source(counted(24.0, per_minute, beats_in_bar));
        let pool = GrainPool::of(&[audio], GrainSettings::default(), &mut |_, _| ()).unwrap();
        assert_eq!(pool.songs()[0].beats_in_bar, Some(beats_in_bar));
        let told = format!("{beats_in_bar} to the bar");
        assert!(pool.to_string().contains(&told), "{pool}");
        let bar = 60.0 / per_minute * beats_in_bar as f64;
        let first = pool.grains().iter().filter(|grain| grain.phase.index() == 0);
        let starts: Vec<f64> = first.map(|grain| grain.start_seconds).collect();
        assert!(starts.len() as f64 >= 20.0 / bar, "{starts:?}");
        for start in starts {
            let off = (start / bar).round() * bar - start;
            assert!(off.abs() < 0.07, "{beats_in_bar} in a bar: {start}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_piece_and_another_seed_another() {
    let composer =
        GrainComposer::learn(&[source(tune(20.0, RATE))], &quick(), &mut Silent).unwrap();
    let options = GrainOptions::default();
    let piece = |seed| composer.compose(8.0, seed, &options, &mut |_, _| ()).unwrap();
    let (first, again, other) = (piece(1), piece(1), piece(2));
    assert!(first.audio() == again.audio());
    assert!(first.audio() != other.audio());
    assert_eq!(first.audio().frames(), 8 * RATE as usize);
    assert!(!first.joins_seconds().is_empty());
    let twin = GrainComposer::learn(&[source(tune(20.0, RATE))], &quick(), &mut Silent).unwrap();
    let twin = twin.compose(8.0, 1, &options, &mut |_, _| ()).unwrap();
    assert!(first.audio() == twin.audio());
}

/// How far apart two sounds are at these times, in decibels a semitone.
fn apart_db(sound: &PitchBands, at: f64, other: &PitchBands, there: f64) -> f64 {
    let row = |bands: &PitchBands, seconds: f64| -> Vec<f32> {
        let frame = (seconds / PitchBands::HOP_SECONDS).round() as usize;
        bands.rows().nth(frame.min(bands.frames() - 1)).unwrap().to_vec()
    };
    let pairs = row(sound, at).into_iter().zip(row(other, there));
    pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / PitchBands::BANDS as f64
}

#[test]
fn a_piece_says_where_its_joins_are_and_the_judge_believes_it() {
    let song = tune(30.0, RATE);
    let composer = GrainComposer::learn(&[source(song.clone())], &quick(), &mut Silent).unwrap();
    let piece = composer.compose(20.0, 1, &GrainOptions::default(), &mut |_, _| ()).unwrap();
    let title = composer.pool().own_songs()[0].title.clone();
    let joins = piece.joins_among(&["another".into(), title.clone()]).unwrap();
    assert_eq!(joins.iter().map(|join| join.seconds).collect::<Vec<_>>(), piece.joins_seconds());
    assert!(joins.len() > 5, "{}", joins.len());
    assert!(joins.iter().all(|join| join.before.song == 1 && join.after.song == 1));

    // On both sides of a join is what the song has there, not what it has a little later. (A crossfade
    // takes a quarter of a second before the join at most.)
    let (heard, own) = (PitchBands::of(piece.audio()).unwrap(), PitchBands::of(&song).unwrap());
    let (mut here, mut elsewhere) = (0.0, 0.0);
    for (index, join) in joins.iter().enumerate() {
        let begun = index.checked_sub(1).map_or(0.0, |before| joins[before].seconds);
        let ends = joins.get(index + 1).map_or(20.0, |next| next.seconds);
        let sides =
            [(join.before, -0.35, join.seconds - begun), (join.after, 0.1, ends - join.seconds)];
        for (origin, by, lasts) in sides {
            if lasts > 0.5 {
                let (at, there) = (join.seconds + by, origin.seconds + by);
                here += apart_db(&heard, at, &own, there);
                elsewhere += apart_db(&heard, at, &own, there + 0.4);
            }
        }
    }
    assert!(here > 0.0 && here < 0.6 * elsewhere, "{here} here, {elsewhere} elsewhere");

    let judged = |titles: &[String]| {
        let heard = piece.heard_among(titles).unwrap();
        judge_heard(&heard, vec![Heard::of(&song).unwrap()]).unwrap().joins
    };
    let known = judged(std::slice::from_ref(&title));
    assert_eq!(known.seconds, piece.joins_seconds());
    assert!(known.traced == 1.0 && known.spectral_change.is_some());
    // Songs of other titles, or two of one, say nothing of where it is from.
    for titles in [vec!["another".to_owned()], vec![title.clone(), title]] {
        assert!(piece.joins_among(&titles).is_none());
    }
    assert!(judged(&["another".to_owned()]).traced < 1.0);
}

#[test]
fn runs_in_the_original_order_keep_their_limit() {
    let composer =
        GrainComposer::learn(&[source(tune(30.0, RATE))], &quick(), &mut Silent).unwrap();
    let options = GrainOptions::default();
    let placed = composer.walk(20.0, 3, &options, &mut |_, _| ()).unwrap();
    let pool = composer.pool();
    let offset = |index: usize| {
        let grain = &pool.grains()[pool.grain_of(placed[index].candidate)];
        grain.start_seconds - placed[index].at_seconds
    };
    let mut began = 0;
    let ending = placed.partition_point(|place| place.at_seconds < 18.0);
    for index in 1..ending {
        if (offset(index) - offset(index - 1)).abs() > 0.3 {
            began = index;
        }
        let run = placed[index + 1].at_seconds - placed[began].at_seconds;
        assert!(run < options.longest_run_seconds + 0.3, "{run} at {}", placed[index].at_seconds);
    }
}

/// Struck notes of a theme without a beat, when they begin and what they are drawn from a seed.
fn theme(seconds: f64) -> (Vec<f32>, Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut samples = vec![0.0f32; (seconds * f64::from(RATE)) as usize];
    let (mut begins, mut at) = (Vec::new(), 0.1);
    while at < seconds - 0.5 {
        begins.push(at);
        let hz = 220.0 * 2f32.powf(random.random_range(0..24) as f32 / 12.0);
        let first = (at * f64::from(RATE)) as usize;
        // After five seconds nothing is left of a note.
        let sounding = 5 * RATE as usize;
        for (index, sample) in samples[first..].iter_mut().take(sounding).enumerate() {
            let within = index as f32 / RATE as f32;
            let turn = std::f32::consts::TAU * hz * within;
            *sample += 0.25 * (turn.sin() + 0.5 * (2.0 * turn).sin()) * (-4.0 * within).exp();
        }
        at += random.random_range(0.3..0.9);
    }
    (samples, begins)
}

#[test]
fn what_repeats_in_a_song_is_not_followed_from_one_time_to_the_next() {
    let (theme, _) = theme(9.0);
    let song: Vec<f32> = theme.iter().cycle().take(4 * theme.len()).copied().collect();
    let song = Audio::mono(song, RATE).unwrap();
    let composer = GrainComposer::learn(&[source(song.clone())], &quick(), &mut Silent).unwrap();
    // Any two seconds may be a copy here, so that only following is forbidden.
    let options = GrainOptions { pieces: 1, copy_limit: 0.999, ..GrainOptions::default() };
    let piece = composer.compose(16.0, 1, &options, &mut |_, _| ()).unwrap();
    let found = copies(piece.audio(), &[&song]).unwrap();
    assert!(found.longest_run_seconds < 2.0, "{found}");
}

#[test]
fn grains_of_a_song_without_a_beat_begin_where_its_notes_do() {
    let (song, begins) = theme(20.0);
    let song = source(Audio::mono(song, RATE).unwrap());
    // No beat is sure enough, whatever is heard into notes that come at random.
    let settings = GrainSettings { least_beat_confidence: 1.0, ..GrainSettings::default() };
    let pool = GrainPool::of(&[song], settings, &mut |_, _| ()).unwrap();
    assert_eq!(pool.songs()[0].beats_per_minute, None);
    let is_cut = |time: &&f64| {
        let before = pool.grains().iter().map(|grain| **time - grain.start_seconds);
        before.into_iter().any(|before| (-0.02..0.05).contains(&before))
    };
    let cut = begins.iter().filter(is_cut).count();
    assert!(cut as f64 > 0.9 * begins.len() as f64, "{cut} of {}", begins.len());
    for grain in pool.grains() {
        assert!((0.05..0.4).contains(&grain.seconds()), "{grain:?}");
    }
}

/// So many seconds of a wave, told by its time.
fn sampled(seconds: f64, at: impl Fn(f64) -> f32) -> Audio {
    let frames = (seconds * f64::from(RATE)) as usize;
    let samples = (0..frames).map(|frame| at(frame as f64 / f64::from(RATE)));
    Audio::mono(samples.collect(), RATE).unwrap()
}

/// Chords of four seconds each, by turns two of them, until `seconds`.
fn chords(seconds: f64) -> Audio {
    let at = |time: f64| -> f32 {
        let root = if time % 8.0 < 4.0 { 220.0 } else { 311.0 };
        let partials = [1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0];
        let wave = |ratio: &f64| (std::f64::consts::TAU * root * ratio * time).sin() / ratio;
        0.08 * partials.iter().map(wave).sum::<f64>() as f32
    };
    sampled(seconds, at)
}

#[test]
fn a_chord_that_is_held_leads_into_no_other_one_though_that_one_begins_there() {
    let settings = GrainSettings { least_beat_confidence: 1.0, ..GrainSettings::default() };
    let pool = GrainPool::of(&[source(chords(32.0))], settings, &mut |_, _| ()).unwrap();
    assert_eq!(pool.songs()[0].beats_per_minute, None);
    let grain_at = |seconds: f64| {
        let away = |grain: &usize| (pool.grains()[*grain].start_seconds - seconds).abs();
        (0..pool.grains().len()).min_by(|a, b| away(a).total_cmp(&away(b))).unwrap()
    };
    let mut to = Vec::new();
    pool.roughness(pool.candidate(grain_at(10.0), 0), &mut to);
    let to = |seconds: f64| to[pool.candidate(grain_at(seconds), 0)];
    let (held, begins, same) = (to(22.0), to(20.0), to(18.0));
    assert!(same < 1.0, "{same}");
    assert!(held > 5.0 * same.max(0.5), "{held}, {same}");
    // The other chord is as far away where it begins.
    assert!(begins > 0.7 * held, "{begins}, {held}");
}

#[test]
fn pieces_of_other_seeds_differ_within_three_seconds() {
    let song = source(Audio::mono(theme(30.0).0, RATE).unwrap());
    let composer = GrainComposer::learn(&[song], &quick(), &mut Silent).unwrap();
    let options = GrainOptions { pieces: 1, ..GrainOptions::default() };
    let beginnings: Vec<Vec<f32>> = (1..=5)
        .map(|seed| {
            let piece = composer.compose(10.0, seed, &options, &mut |_, _| ()).unwrap();
            piece.audio().channels()[0][..3 * RATE as usize].to_vec()
        })
        .collect();
    for (index, one) in beginnings.iter().enumerate() {
        assert!(beginnings[..index].iter().all(|other| other != one), "seed {}", index + 1);
    }
}

#[test]
fn what_other_seeds_compose_differs_within_three_seconds_wherever_it_begins() {
    let song = |seconds: f64| source(Audio::mono(theme(seconds).0, RATE).unwrap());
    let composer = GrainComposer::learn(&[song(30.0)], &quick(), &mut Silent).unwrap();
    let options = GrainOptions { pieces: 1, ..GrainOptions::default() };
    let in_three_seconds = |piece: &Piece, from: f64| -> Vec<usize> {
        let composed =
            piece.placed().iter().filter(|at| (from..from + 3.0).contains(&at.at_seconds));
        composed.map(|place| place.candidate).collect()
    };
    let all_differ = |ways: &[Vec<usize>]| {
        ways.iter().enumerate().all(|(index, way)| !ways[..index].contains(way) && !way.is_empty())
    };
    let piece = composer.compose(20.0, 1, &options, &mut |_, _| ()).unwrap();
    let anew: Vec<Vec<usize>> = (11..21)
        .map(|seed| {
            let anew = composer.recompose(&piece, 8.0..14.0, seed, &options, &mut |_, _| ());
            in_three_seconds(&anew.unwrap(), 8.0)
        })
        .collect();
    assert!(all_differ(&anew), "{anew:?}");
    let with_guest = composer.with_guest(&song(5.0)).unwrap();
    let options = GrainOptions { opening: Opening::Continue, ..options };
    let gone_on: Vec<Vec<usize>> = (11..21)
        .map(|seed| {
            let piece = with_guest.compose(6.0, seed, &options, &mut |_, _| ()).unwrap();
            in_three_seconds(&piece, piece.joins_seconds()[0])
        })
        .collect();
    assert!(all_differ(&gone_on), "{gone_on:?}");
}

#[test]
fn a_stereo_song_gives_a_stereo_piece_without_clicks() {
    let left = tune(20.0, RATE);
    let samples = left.channels()[0].clone();
    let right: Vec<f32> = samples.iter().map(|sample| -0.5 * sample).collect();
    let largest_step = |samples: &[f32]| {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    };
    let limit = 1.5 * largest_step(&samples);
    let song = Audio::new(vec![samples, right], RATE).unwrap();
    let composer = GrainComposer::learn(&[source(song)], &quick(), &mut Silent).unwrap();
    let piece = composer.compose(10.0, 5, &GrainOptions::default(), &mut |_, _| ()).unwrap();
    assert_eq!(piece.audio().channel_count(), 2);
    let [left, right] = [0, 1].map(|channel| &piece.audio().channels()[channel]);
    assert!(largest_step(left) < limit, "{} {limit}", largest_step(left));
    // The two sides stay what they are to each other, transposed or not.
    for (l, r) in left.iter().zip(right) {
        assert!((r + 0.5 * l).abs() < 1e-3, "{l} {r}");
    }
}

#[test]
fn channels_that_nearly_cancel_each_other_are_heard_in_the_piece() {
    let left = tune(20.0, RATE);
    let left = left.channels()[0].clone();
    let right: Vec<f32> = left.iter().map(|sample| -0.9 * sample).collect();
    let song = Audio::new(vec![left.clone(), right], RATE).unwrap();
    let composer = GrainComposer::learn(&[source(song)], &quick(), &mut Silent).unwrap();
    let piece = composer.compose(12.0, 1, &GrainOptions::default(), &mut |_, _| ()).unwrap();
    let level = |samples: &[f32]| {
        (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).sqrt()
    };
    let (ours, own) = (level(&piece.audio().channels()[0]), level(&left));
    assert!(ours > 0.5 * own, "{ours} of {own}");
}

#[test]
fn songs_that_are_hardly_songs_give_a_piece_or_a_reason() {
    let one_note = (0..6 * RATE).map(|i| (i as f32 * 0.06).sin() * 0.3).collect();
    let playable = [
        ("noise", noise(8.0, 0.3)),
        ("one note", Audio::mono(one_note, RATE).unwrap()),
        ("a second and a half", tune(1.5, RATE)),
        ("two seconds", tune(2.0, RATE)),
        ("two and a half", tune(2.5, RATE)),
    ];
    for (name, audio) in playable {
        let composer = GrainComposer::learn(&[source(audio)], &quick(), &mut Silent)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let options = GrainOptions::default();
        let placed = composer.walk(6.0, 1, &options, &mut |_, _| ()).unwrap();
        let loops = placed
            .windows(4)
            .any(|four| four.iter().all(|place| place.candidate == four[0].candidate));
        assert!(!loops, "{name}: one grain again and again");
        let piece = composer.compose(6.0, 1, &options, &mut |_, _| ()).unwrap();
        assert_eq!(piece.audio().frames(), 6 * RATE as usize, "{name}");
    }
    let refused = |audio: Audio| {
        GrainComposer::learn(&[source(audio)], &quick(), &mut Silent).unwrap_err().to_string()
    };
    assert!(refused(Audio::mono(vec![0.0; 100_000], RATE).unwrap()).contains("silent"));
    assert!(refused(tune(0.5, RATE)).contains("at least 6"));
    assert!(refused(Audio::mono(vec![f32::NAN; 100_000], RATE).unwrap()).contains("not numbers"));
    assert!(GrainComposer::learn(&[], &quick(), &mut Silent).is_err());
}

#[test]
fn impossible_options_are_refused_by_name() {
    assert!(GrainOptions::adventurous(1.5).unwrap_err().to_string().contains("adventurous"));
    let composer = GrainComposer::learn(&[source(tune(8.0, RATE))], &quick(), &mut Silent).unwrap();
    let refused = |options: GrainOptions| {
        composer.walk(5.0, 1, &options, &mut |_, _| ()).unwrap_err().to_string()
    };
    let usual = GrainOptions::default;
    assert!(refused(GrainOptions { temperature: 0.0, ..usual() }).contains("temperature"));
    assert!(refused(GrainOptions { top_k: 0, ..usual() }).contains("top_k"));
    assert!(refused(GrainOptions { copy_limit: 2.0, ..usual() }).contains("copy_limit"));
}

#[test]
fn impossible_trainings_are_refused_by_name() {
    let refused = |change: fn(&mut GrainLearning)| {
        let mut learning = quick();
        change(&mut learning);
        let learned = GrainComposer::learn(&[source(tune(8.0, RATE))], &learning, &mut Silent);
        learned.unwrap_err().to_string()
    };
    assert!(refused(|l| l.training.descent.steps = 0).contains("steps"));
    assert!(refused(|l| l.training.descent.batch_size = 0).contains("batch_size"));
    assert!(refused(|l| l.training.descent.learning_rate = f64::NAN).contains("learning_rate"));
    assert!(
        refused(|l| {
            let rule = AdamW { weight_decay: -1.0, ..AdamW::default() };
            l.training.descent.rule = Rule::AdamW(rule)
        })
        .contains("weight_decay")
    );
    assert!(refused(|l| l.training.descent.dropout = 1.0).contains("dropout"));
}

/// The longest row of grains that `placed` has twice, in seconds.
fn longest_repeat(pool: &GrainPool, placed: &[Placed]) -> f64 {
    let grains: Vec<usize> = placed.iter().map(|place| pool.grain_of(place.candidate)).collect();
    let mut longest = 0.0f64;
    for one in 0..grains.len() {
        for other in one + 1..grains.len() {
            let pairs = grains[one..].iter().zip(&grains[other..]);
            let same = pairs.take_while(|(a, b)| a == b);
            longest = longest.max(same.map(|(a, _)| pool.grains()[*a].seconds()).sum());
        }
    }
    longest
}

/// A note that is held for `seconds`, its partials wavering slowly, each at its own pace.
fn drone(seconds: f64) -> Audio {
    let at = |time: f64| -> f32 {
        let partial = |number: i32| {
            let (ratio, period) = (f64::from(number), 2.0 + 0.7 * f64::from(number));
            let level = (1.0 + 0.6 * (std::f64::consts::TAU * time / period).sin()) / ratio;
            level * (std::f64::consts::TAU * 110.0 * ratio * time).sin()
        };
        0.1 * (1..16).map(partial).sum::<f64>() as f32
    };
    sampled(seconds, at)
}

#[test]
fn a_piece_of_a_song_that_sounds_alike_everywhere_goes_round_in_no_circle() {
    let mut learning = quick();
    learning.grains.least_beat_confidence = 1.0;
    let composer = GrainComposer::learn(&[source(drone(60.0))], &learning, &mut Silent).unwrap();
    let options = GrainOptions { pieces: 1, drafts: 2, ..GrainOptions::default() };
    for seed in 1..=3 {
        let placed = composer.walk(20.0, seed, &options, &mut |_, _| ()).unwrap();
        let repeated = longest_repeat(composer.pool(), &placed);
        assert!(repeated < 1.0, "{repeated}");
    }
}

#[test]
fn a_piece_of_minutes_has_parts_that_return_and_repeats_nothing_at_length() {
    // Three themes, so that there is something to contrast.
    let themes = [(0.0, 20.0), (60.0, 20.0), (120.0, 20.0)];
    let long = theme(150.0).0;
    let at = |seconds: f64| (seconds * f64::from(RATE)) as usize;
    let song: Vec<f32> = themes
        .iter()
        .flat_map(|(from, length)| long[at(*from)..at(from + length)].to_vec())
        .collect();
    let song = source(Audio::mono(song, RATE).unwrap());
    let composer = GrainComposer::learn(&[song], &quick(), &mut Silent).unwrap();
    let options = GrainOptions { pieces: 1, drafts: 2, ..GrainOptions::default() };
    let compose =
        |seconds, seed| composer.compose(seconds, seed, &options, &mut |_, _| ()).unwrap();
    assert!(compose(20.0, 1).parts().is_empty(), "a short piece has no room for parts");
    for seed in 1..=3 {
        let piece = compose(120.0, seed);
        let letters: String = piece.parts().iter().map(|part| part.letter).collect();
        assert!(
            letters.len() >= 3 && letters.starts_with("AB") && letters.ends_with('A'),
            "{letters}"
        );
        assert!(!letters.as_bytes().windows(2).any(|pair| pair[0] == pair[1]), "{letters}");
        assert!(piece.to_string().contains(", in parts A B"), "{piece}");
        let starts: Vec<f64> = piece.parts().iter().map(|part| part.start_seconds).collect();
        assert!(starts[0] == 0.0 && starts.is_sorted() && starts[starts.len() - 1] < 120.0);
        // The song's own ending comes last, and may have been heard.
        let pool = composer.pool();
        let before_end = piece.placed().partition_point(|place| place.at_seconds < 118.0);
        let repeated = longest_repeat(pool, &piece.placed()[..before_end]);
        assert!(repeated < 2.3, "{repeated} of {letters}");
    }
    // A part that is made anew keeps its letter.
    let piece = compose(70.0, 1);
    let anew = composer.recompose(&piece, 20.0..30.0, 5, &options, &mut |_, _| ()).unwrap();
    assert_eq!(anew.parts(), piece.parts());
}

/// How much each part of `piece` has of each four seconds of its song: shares of the part.
fn shares_of_parts(pool: &GrainPool, piece: &Piece) -> Vec<Vec<f64>> {
    let seconds = piece.audio().duration_seconds();
    let starts: Vec<f64> = piece.parts().iter().map(|part| part.start_seconds).collect();
    let ends = starts.iter().skip(1).copied().chain([seconds]);
    let share = |(start, end): (f64, f64)| {
        let mut share = vec![0.0; (pool.songs()[0].duration_seconds / 4.0) as usize + 1];
        for place in piece.placed().iter().filter(|p| (start..end).contains(&p.at_seconds)) {
            let grain = &pool.grains()[pool.grain_of(place.candidate)];
            share[(grain.start_seconds / 4.0) as usize] += grain.seconds() / (end - start);
        }
        share
    };
    starts.iter().copied().zip(ends).map(share).collect()
}

#[test]
fn parts_of_a_letter_are_made_of_the_same_sections() {
    let song = source(Audio::mono(theme(100.0).0, RATE).unwrap());
    let composer = GrainComposer::learn(&[song], &quick(), &mut Silent).unwrap();
    let options = GrainOptions { pieces: 1, drafts: 2, ..GrainOptions::default() };
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for seed in 1..=2 {
        let piece = composer.compose(180.0, seed, &options, &mut |_, _| ()).unwrap();
        let shares = shares_of_parts(composer.pool(), &piece);
        for (two, of_two) in shares.iter().enumerate() {
            for (one, of_one) in shares[..two].iter().enumerate() {
                let common: f64 = of_one.iter().zip(of_two).map(|(a, b)| a.min(*b)).sum();
                let is_same = piece.parts()[one].letter == piece.parts()[two].letter;
                if is_same { &mut same } else { &mut other }.push(common);
            }
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (same, other) = (mean(&same), mean(&other));
    assert!(same > other + 0.1, "{same} in common with the same, {other} with others");
}

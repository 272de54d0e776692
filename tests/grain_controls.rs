//! What people ask of the grain composer: go on from here, follow this tune, mix these two, faster,
//! higher, this part again, and again tomorrow from a file.

use neural_composer::Error;
use neural_composer::audio::Audio;
use neural_composer::dataset::SongSource;
use neural_composer::features::{Beats, LogMel, MelSettings};
use neural_composer::generate::grains::Placed;
use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions, Opening, Piece};
use neural_composer::model::{Device, ModelKind, Network};
use neural_composer::train::Silent;
use std::path::Path;

const RATE: u32 = 22_050;

/// Notes, two a second, struck and dying away; `timbre` is how strong the second harmonic is.
fn notes(semitones: &[i32], seconds: f64, timbre: f32) -> Audio {
    let note_frames = RATE as usize / 2;
    let sample = |i: usize| {
        let (note, within) = (i / note_frames, (i % note_frames) as f32 / RATE as f32);
        let hz = 220.0 * 2f32.powf(semitones[note % semitones.len()] as f32 / 12.0);
        let turn = std::f32::consts::TAU * hz * within;
        0.4 * (turn.sin() + timbre * (2.0 * turn).sin()) * (-4.0 * within).exp()
    };
    Audio::mono((0..(seconds * f64::from(RATE)) as usize).map(sample).collect(), RATE).unwrap()
}

const SCALE: [i32; 14] = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2];

fn source(audio: Audio) -> SongSource {
    SongSource::Audio { title: "test".into(), audio }
}

fn quick() -> GrainLearning {
    let mut learning = GrainLearning::default();
    learning.training.descent.steps = 6;
    learning.training.descent.batch_size = 4;
    learning
}

fn composer(songs: &[SongSource]) -> GrainComposer {
    GrainComposer::learn(songs, &quick(), &mut Silent).unwrap()
}

fn usual() -> GrainOptions {
    GrainOptions { drafts: 2, ..GrainOptions::default() }
}

fn compose(composer: &GrainComposer, seconds: f64, options: &GrainOptions) -> Piece {
    composer.compose(seconds, 1, options, &mut |_, _| ()).unwrap()
}

#[test]
fn a_recording_is_gone_on_from_and_nothing_more_is_taken_from_it() {
    let composer = composer(&[source(notes(&SCALE, 20.0, 0.4))]);
    let recording = notes(&[3, 6, 10], 4.0, 0.1);
    let with_guest = composer.with_guest(&source(recording.clone())).unwrap();
    let options = GrainOptions { opening: Opening::Continue, ..usual() };
    let piece = compose(&with_guest, 6.0, &options);
    assert!((piece.audio().duration_seconds() - 10.0).abs() < 0.3);
    // Up to the first join's crossfade, a quarter of a second, it is the recording, sample by sample.
    let joined = piece.joins_seconds()[0];
    assert!((3.4..4.1).contains(&joined), "{joined}");
    let kept = ((joined - 0.26) * f64::from(RATE)) as usize;
    let (ours, theirs) = (&piece.audio().channels()[0], &recording.channels()[0]);
    assert!(ours[..kept].iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-4));
    let after = piece.placed().iter().filter(|place| place.at_seconds > joined - 0.01);
    let pool = with_guest.pool();
    assert!(after.clone().count() > 10);
    assert!(after.clone().all(|place| place.candidate < pool.candidates()));
    // The composer itself has no guest, and another guest takes the first one's place.
    assert!(composer.pool().guest().is_none());
    let again = with_guest.with_guest(&source(notes(&[0], 3.0, 0.1))).unwrap();
    assert_eq!(again.pool().songs().len(), 2);
    assert_eq!(again.pool().candidates(), composer.pool().candidates());
}

#[test]
fn a_tune_is_followed_in_the_sounds_of_the_song() {
    let composer = composer(&[source(notes(&SCALE, 30.0, 0.4))]);
    let tune = notes(&[0, 0, 7, 7, 4, 4, 11, 11], 4.0, 0.0);
    let with_guest = composer.with_guest(&source(tune)).unwrap();
    let pool = with_guest.pool();
    let guest = pool.guest().unwrap().grains.clone();
    // How well the notes of a piece are those of the tune, while it lasts.
    let agreement = |piece: &Piece| {
        let alike = |place: &Placed| {
            let at = place.at_seconds + 0.1;
            let sounding = guest.clone().find(|grain| pool.grains()[*grain].end_seconds > at)?;
            let ours = pool.notes(place.candidate);
            let theirs = pool.notes(pool.candidate(sounding, 0));
            Some(ours.iter().zip(theirs).map(|(a, b)| a * b).sum::<f32>())
        };
        let pairs: Vec<f32> = piece.placed().iter().filter_map(alike).collect();
        pairs.iter().sum::<f32>() / pairs.len() as f32
    };
    let follows = compose(&with_guest, 6.0, &GrainOptions { opening: Opening::Tune, ..usual() });
    let does_not = compose(&with_guest, 6.0, &usual());
    let (with, without) = (agreement(&follows), agreement(&does_not));
    assert!(with > 0.75 && with > without + 0.2, "{with} {without}");
    assert!(follows.placed().iter().all(|place| place.candidate < pool.candidates()));
}

#[test]
fn two_songs_are_blended_by_their_weights() {
    let songs = [source(notes(&SCALE, 20.0, 0.4)), source(notes(&[0, 3, 7, 10], 20.0, 0.1))];
    let composer = composer(&songs);
    let share_of_first = |blend: &[f64]| {
        let options = GrainOptions { blend: blend.into(), ..usual() };
        // The beginning and the end are of one song, whatever the weights.
        let placed: Vec<Placed> = (1..=3)
            .flat_map(|seed| composer.walk(20.0, seed, &options, &mut |_, _| ()).unwrap())
            .collect();
        let pool = composer.pool();
        let of_first =
            placed.iter().filter(|place| pool.grains()[pool.grain_of(place.candidate)].song == 0);
        of_first.count() as f64 / placed.len() as f64
    };
    let shares = [[3.0, 1.0], [1.0, 1.0], [1.0, 3.0]].map(|blend| share_of_first(&blend));
    for (share, expected) in shares.into_iter().zip([0.75, 0.5, 0.25]) {
        assert!((share - expected).abs() < 0.15, "{shares:?}");
    }
    assert_eq!(share_of_first(&[0.0, 1.0]), 0.0);
}

#[test]
fn tempo_and_key_move_as_they_are_told() {
    let composer = composer(&[source(notes(&SCALE, 20.0, 0.4))]);
    let beats = |piece: &Piece| {
        let mel = LogMel::of(piece.audio(), MelSettings::default()).unwrap();
        Beats::of(&mel).unwrap().per_minute()
    };
    // Where copies are shunned, so simple a song is left between its beats.
    let free = GrainOptions { copy_limit: 1.0, ..usual() };
    let plain = compose(&composer, 12.0, &free);
    let faster = compose(&composer, 12.0, &GrainOptions { tempo: 1.25, ..free });
    assert_eq!(faster.audio().frames(), plain.audio().frames());
    // One may tap to every note or to every second one.
    let octaves = (beats(&faster) / beats(&plain) / 1.25).log2();
    assert!((octaves - octaves.round()).abs() < 0.06, "{octaves}");
    // The same walk a fifth higher: every pitch is 1.498 times as high, and the length stays.
    let options = GrainOptions { keep_key: true, pieces: 1, ..usual() };
    let kept = compose(&composer, 6.0, &options);
    assert!(kept.placed().iter().all(|place| composer.pool().shift_of(place.candidate) == 0));
    let moved = compose(&composer, 6.0, &GrainOptions { transpose_semitones: 7, ..options });
    assert_eq!(moved.audio().frames(), kept.audio().frames());
    let bands = |piece: &Piece| {
        let bands = neural_composer::features::PitchBands::of(piece.audio()).unwrap();
        let mut mean = vec![0.0f32; neural_composer::features::PitchBands::BANDS];
        for row in bands.rows() {
            mean.iter_mut().zip(row).for_each(|(sum, db)| *sum += 10f32.powf(db / 10.0));
        }
        mean
    };
    let (low, high) = (bands(&kept), bands(&moved));
    let fit = |shift: usize| -> f32 { low.iter().zip(&high[shift..]).map(|(a, b)| a * b).sum() };
    let best = (0..13).max_by(|a, b| fit(*a).total_cmp(&fit(*b))).unwrap();
    assert_eq!(best, 7);
}

#[test]
fn a_part_is_made_anew_and_the_rest_stays() {
    let composer = composer(&[source(notes(&SCALE, 30.0, 0.4))]);
    let (options, rate) = (usual(), f64::from(RATE));
    let piece = compose(&composer, 15.0, &options);
    let again =
        |seed| composer.recompose(&piece, 5.0..10.0, seed, &options, &mut |_, _| ()).unwrap();
    let (first, repeated, other) = (again(7), again(7), again(8));
    assert!(first.audio() == repeated.audio());
    assert!(first.audio() != other.audio());
    assert_eq!(first.audio().frames(), piece.audio().frames());
    let samples = |piece: &Piece, from: f64, to: f64| {
        piece.audio().channels()[0][(from * rate) as usize..(to * rate) as usize].to_vec()
    };
    assert!(samples(&first, 0.0, 4.9) == samples(&piece, 0.0, 4.9));
    assert!(samples(&first, 5.5, 9.5) != samples(&piece, 5.5, 9.5));
    // Behind the part every grain is in its old place.
    let behind = |piece: &Piece| -> Vec<_> {
        piece.placed().iter().filter(|place| place.at_seconds >= 10.0).copied().collect()
    };
    assert_eq!(behind(&first), behind(&piece));
    assert!(behind(&piece).len() > 10);
    for part in [-1.0..3.0, 3.0..99.0, 6.0..6.0] {
        let error = composer.recompose(&piece, part, 1, &options, &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, Error::Argument { name: "part_seconds", .. }), "{error}");
    }
}

fn saved_song(folder: &Path) -> SongSource {
    let path = folder.join("scale.wav");
    notes(&SCALE, 12.0, 0.4).save(&path).unwrap();
    SongSource::File(path)
}

#[test]
fn a_composer_comes_back_from_its_file_and_composes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let composer = composer(&[saved_song(folder.path())]);
    let model = folder.path().join("model.safetensors");
    composer.save(&model).unwrap();
    assert_eq!(ModelKind::of(&model).unwrap(), ModelKind::Grains);
    let loaded = GrainComposer::load(&model).unwrap();
    let (before, after) = (compose(&composer, 6.0, &usual()), compose(&loaded, 6.0, &usual()));
    assert!(before.audio() == after.audio());
    let bytes = std::fs::read(&model).unwrap();
    loaded.save(&model).unwrap();
    assert!(bytes == std::fs::read(&model).unwrap());
    // The two kinds of models are not taken for each other.
    let error = Network::load(&model, &Device::cpu()).unwrap_err().to_string();
    assert!(error.contains("GrainComposer::load"), "{error}");
    // Moved together, they find each other.
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "scale.wav"] {
        std::fs::rename(folder.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let model = elsewhere.path().join("model.safetensors");
    assert!(
        compose(&GrainComposer::load(&model).unwrap(), 6.0, &usual()).audio() == before.audio()
    );
    // Another recording under the same name is no substitute, and without one there is nothing.
    notes(&[0, 1], 12.0, 0.4).save(elsewhere.path().join("scale.wav")).unwrap();
    let error = GrainComposer::load(&model).unwrap_err().to_string();
    assert!(error.contains("another recording") && error.contains("scale"), "{error}");
    std::fs::remove_file(elsewhere.path().join("scale.wav")).unwrap();
    let error = GrainComposer::load(&model).unwrap_err().to_string();
    assert!(error.contains("scale.wav") && error.contains("put it there"), "{error}");
    std::fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    let error = GrainComposer::load(&model).unwrap_err();
    assert!(matches!(error, Error::Model { .. }), "{error}");
}

#[test]
fn a_song_is_read_once_for_all_pieces_of_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let composer = composer(&[saved_song(folder.path())]);
    let options = GrainOptions { pieces: 3, ..usual() };
    // The song goes away when the second piece is begun.
    let mut has_gone = false;
    let mut progress = |done: f64, all: f64| {
        if done > all / 3.0 && !has_gone {
            std::fs::remove_file(folder.path().join("scale.wav")).unwrap();
            has_gone = true;
        }
    };
    composer.compose(6.0, 1, &options, &mut progress).unwrap();
    assert!(has_gone);
    // Another call reads it again.
    let error = composer.compose(6.0, 1, &options, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let composer = composer(&[source(notes(&SCALE, 8.0, 0.4))]);
    let refused = |options: GrainOptions| {
        composer.walk(5.0, 1, &options, &mut |_, _| ()).unwrap_err().to_string()
    };
    assert!(refused(GrainOptions { opening: Opening::Tune, ..usual() }).contains("guest"));
    assert!(refused(GrainOptions { blend: vec![1.0, 1.0], ..usual() }).contains("1 number,"));
    assert!(refused(GrainOptions { blend: vec![-1.0], ..usual() }).contains("blend"));
    assert!(refused(GrainOptions { tempo: 3.0, ..usual() }).contains("tempo"));
    assert!(refused(GrainOptions { transpose_semitones: 13, ..usual() }).contains("transpose"));
    let silence = source(Audio::mono(vec![0.0; 60_000], RATE).unwrap());
    assert!(composer.with_guest(&silence).unwrap_err().to_string().contains("silent"));
    let in_memory = composer.save(tempfile::tempdir().unwrap().path().join("m")).unwrap_err();
    assert!(in_memory.to_string().contains("in memory"), "{in_memory}");
}

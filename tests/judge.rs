//! The judge: copies are found however they are disguised, styles are told apart, and faults named.

use neural_composer::audio::{Audio, Song};
use neural_composer::display::Show;
use neural_composer::evaluate::{
    SelfSimilarity, Taken, copies, joins, judge, mel_copies, repeats, style_distance, taken,
    texture,
};
use neural_composer::features::PitchBands;
use neural_composer::notebook::Verdict;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RATE: u32 = 22_050;

fn song(name: &str) -> Audio {
    let path = format!("{}/datasets/songs/{name}", env!("CARGO_MANIFEST_DIR"));
    Song::open(path).unwrap().audio().to_mono().resample(RATE).unwrap()
}

fn noise(seconds: f64) -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let samples = (0..(seconds * f64::from(RATE)) as usize).map(|_| random.random_range(-0.3..0.3));
    Audio::mono(samples.collect(), RATE).unwrap()
}

/// The tape: another speed and with it another pitch.
fn tape(audio: &Audio, speed: f64) -> Audio {
    let rate = (f64::from(RATE) / speed).round() as u32;
    let samples = audio.resample(rate).unwrap().channels()[0].clone();
    Audio::mono(samples, RATE).unwrap()
}

#[test]
fn a_verbatim_excerpt_is_all_copied_and_placed() {
    let song = song("prelude.mp3");
    let found = copies(&song.excerpt(30.0, 40.0), &[&song]).unwrap();
    assert_eq!(found.share, 1.0);
    assert!((found.longest_run_seconds - 10.0).abs() < 0.1, "{found}");
    let passage = found.passages[0];
    assert!((passage.song_seconds - 30.0).abs() < 0.05, "{passage:?}");
    assert!(passage.duration_seconds > 9.5 && passage.semitones == 0 && passage.speed == 1.0);
}

#[test]
fn a_transposed_excerpt_is_caught() {
    let song = song("prelude.mp3");
    // A semitone up on the tape is caught as both at once.
    let found = copies(&tape(&song.excerpt(10.0, 20.0), 2f64.powf(1.0 / 12.0)), &[&song]).unwrap();
    assert!(found.share > 0.8, "{found}");
    assert_eq!(found.passages[0].semitones, 1, "{:?}", found.passages);
    assert!((found.passages[0].speed - 1.06).abs() < 0.02);
}

#[test]
fn another_song_is_no_copy() {
    let (piece, song) = (song("canon.ogg"), song("prelude.mp3"));
    let found = copies(&piece.excerpt(10.0, 30.0), &[&song]).unwrap();
    assert!(found.share < 0.03 && found.longest_run_seconds < 2.5, "{found}");
}

#[test]
fn a_copy_among_several_songs_names_the_right_one() {
    let (a, b) = (song("canon.ogg"), song("greensleeves.flac"));
    let found = copies(&b.excerpt(5.0, 12.0), &[&a, &b]).unwrap();
    assert_eq!((found.share, found.passages[0].song), (1.0, 1));
}

/// `host` with three seconds of `passage` laid over it from `seconds` on.
fn implanted(host: &Audio, passage: &Audio, seconds: f64) -> Audio {
    let mut samples = host.channels()[0].clone();
    let start = (seconds * f64::from(RATE)) as usize;
    samples[start..start + 3 * RATE as usize]
        .copy_from_slice(&passage.channels()[0][..3 * RATE as usize]);
    Audio::mono(samples, RATE).unwrap()
}

#[test]
fn three_seconds_of_another_song_are_found_in_a_piece() {
    let song_and_host = (song("prelude.mp3"), song("greensleeves.flac"));
    let (song, host) = (song_and_host.0.excerpt(10.0, 50.0), song_and_host.1.excerpt(5.0, 20.0));
    let clean = taken(&host, &[&song]).unwrap();
    assert!(!clean.is_found(), "{clean:?}");
    // As they are, and a tone higher as a tape does it.
    let piece = implanted(&host, &song.excerpt(21.0, 24.0), 6.0);
    let plain = taken(&piece, &[&song]).unwrap();
    assert!(plain.is_found() && plain.semitones == 0, "{plain:?}");
    let mel = mel_copies(&piece, &[&song]).unwrap();
    assert!(mel.longest_run_seconds > 2.8 && (0.02..0.2).contains(&mel.share), "{mel:?}");
    assert!(judge(&piece, &[&song]).unwrap().faults().join(" ").contains("nowhere else"));
    let higher = tape(&song.excerpt(21.0, 25.0), 2f64.powf(2.0 / 12.0));
    let higher = taken(&implanted(&host, &higher, 6.0), &[&song]).unwrap();
    assert!(higher.is_found() && higher.semitones == 2, "{higher:?}");
}

#[test]
fn lost_samples_click_and_a_louder_hit_does_not() {
    let song = song("lantern-street.mp3");
    let clicks = |samples: &[f32]| {
        let piece = Audio::mono(samples.to_vec(), RATE).unwrap();
        judge(&piece, &[&song]).unwrap().faults().join(" ").contains("clicks")
    };
    let piece = song.excerpt(5.0, 17.0).channels()[0].clone();
    assert!(!clicks(&piece));
    let mut lost = piece.clone();
    for part in lost.chunks_mut(RATE as usize / 2) {
        *part.iter_mut().max_by(|a, b| a.total_cmp(b)).unwrap() = 0.0;
    }
    assert!(clicks(&lost));
    // Twice as loud for half a second, as where two hits come together.
    let loudest = (0..piece.len()).max_by(|a, b| piece[*a].total_cmp(&piece[*b])).unwrap();
    let (middle, wide) = (loudest as f64, 0.25 * f64::from(RATE));
    let gain = |at: usize| 1.0 + (1.0 - (at as f64 - middle).abs() / wide).max(0.0) as f32;
    let louder: Vec<f32> = piece.iter().enumerate().map(|(at, s)| s * gain(at)).collect();
    assert!(!clicks(&louder));
}

/// Held notes, so many semitones higher, that swell as `swells` says, under noise of its own: nothing is
/// struck, and no two seconds are much alike.
fn pad(swells: u64, noise: u64, semitones: f64, seconds: std::ops::Range<f64>) -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(swells);
    let voices: Vec<[f64; 4]> = (0..12)
        .map(|voice| {
            let hz = 220.0 * 2f64.powf((5.0 * f64::from(voice) + semitones) / 12.0);
            let mut from = |range: std::ops::Range<f64>| random.random_range(range);
            [hz, from(0.3..0.9), from(0.0..7.0), from(1.1..1.9)]
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(noise);
    let sample = |i: usize| {
        let t = seconds.start + i as f64 / f64::from(RATE);
        let swell = |[_, slow, start, quick]: &[f64; 4]| {
            let turn = |hz: f64| (std::f64::consts::TAU * hz * t + start).sin();
            0.04 * (1.4 * turn(*slow) + 0.9 * turn(*quick)).exp() / 4.0
        };
        let voice = |voice: &[f64; 4]| swell(voice) * (std::f64::consts::TAU * voice[0] * t).sin();
        let sum: f64 = voices.iter().map(voice).sum();
        (sum + random.random_range(-0.08..0.08)) as f32
    };
    let count = ((seconds.end - seconds.start) * f64::from(RATE)) as usize;
    Audio::mono((0..count).map(sample).collect(), RATE).unwrap()
}

#[test]
fn held_notes_taken_from_a_song_are_found_transposed_by_their_lead() {
    let (song, host) = (pad(1, 2, 0.0, 0.0..30.0), pad(3, 4, 0.0, 0.0..20.0));
    let clean = taken(&host, &[&song]).unwrap();
    assert!(!clean.is_found() && clean.lead < 0.5 * Taken::LEAD_LIMIT, "{clean:?}");
    for semitones in [-5, 3] {
        let passage = pad(1, 5, f64::from(semitones), 11.0..14.0);
        let found = taken(&implanted(&host, &passage, 6.0), &[&song]).unwrap();
        // Less alike than music often is to itself; but nowhere else.
        assert!(found.excess < Taken::LIMIT, "{found:?}");
        assert!(found.is_found() && found.semitones == semitones, "{found:?}");
        assert_eq!(found.speed, 1.0);
    }
}

#[test]
fn a_real_second_half_is_not_taken_from_the_first() {
    for name in ["prelude.mp3", "canon.ogg"] {
        let song = song(name);
        let half = song.duration_seconds() / 2.0;
        let (first, second) = (song.excerpt(0.0, half), song.excerpt(half, 2.0 * half));
        let found = taken(&second, &[&first]).unwrap();
        assert!(!found.is_found(), "{name}: {found:?}");
    }
}

#[test]
fn a_run_with_short_dips_is_one_run_to_the_second_detector() {
    let song = song("prelude.mp3");
    let mut samples = song.excerpt(20.0, 30.0).channels()[0].clone();
    // Every second a tenth of another place.
    let other = song.excerpt(50.0, 60.0).channels()[0].clone();
    for second in 1..10 {
        let place = second * RATE as usize..second * RATE as usize + RATE as usize / 10;
        samples[place.clone()].copy_from_slice(&other[place]);
    }
    let found = copies(&Audio::mono(samples, RATE).unwrap(), &[&song]).unwrap();
    assert!(found.mel.longest_run_seconds > 9.0, "{found:?}");
}

#[test]
fn real_excerpts_tell_what_a_piece_can_be_held_against() {
    let (prelude, lantern) = (song("prelude.mp3"), song("lantern-street.mp3"));
    let own = style_distance(&prelude.excerpt(20.0, 30.0), &[&prelude]).unwrap();
    assert!(own.excerpts.count >= 10 && own.kernel_excerpts.count >= 10, "{own:?}");
    assert!(own.excerpts.least <= own.excerpts.median && own.excerpts.median <= own.excerpts.most);
    assert!(own.is_within(), "{own:?}");
    let other = style_distance(&lantern.excerpt(20.0, 30.0), &[&prelude]).unwrap();
    assert!(other.kernel > own.kernel_excerpts.most && !other.is_within(), "{other:?}");
    // A piece nearly as long as the song leaves nothing but the song's halves.
    let long = style_distance(&prelude.excerpt(0.0, 60.0), &[&prelude]).unwrap();
    assert_eq!(long.excerpts.count, 2);
    // The same sound on both sides: no bias keeps the estimate away from nothing.
    assert!(style_distance(&prelude, &[&prelude]).unwrap().kernel.abs() < 1.0);
}

#[test]
fn a_song_is_nearer_to_itself_than_to_another_and_noise_is_far() {
    let (prelude, lantern) = (song("prelude.mp3"), song("lantern-street.mp3"));
    let distance = |piece: &Audio| style_distance(piece, &[&prelude]).unwrap();
    let own = distance(&prelude.excerpt(20.0, 40.0));
    let other = distance(&lantern.excerpt(20.0, 40.0));
    let hiss = distance(&noise(20.0));
    assert!(own.distance < 0.5 * other.distance, "{own}, {other}");
    assert!(hiss.distance > 1.5 * other.distance, "{hiss}, {other}");
    assert!(distance(&prelude).distance < 1e-6);
}

/// A piece that plays the part of `song` between two times again, at another place.
fn repeating(song: &Audio, (from, to): (f64, f64)) -> Audio {
    let parts = [song.excerpt(0.0, 20.0), song.excerpt(from, to), song.excerpt(30.0, 34.0)];
    let samples = parts.iter().flat_map(|part| part.channels()[0].clone()).collect();
    Audio::mono(samples, RATE).unwrap()
}

#[test]
fn what_a_piece_plays_twice_is_measured() {
    let song = song("prelude.mp3");
    let once = repeats(&song.excerpt(0.0, 30.0)).unwrap();
    for seconds in [4.0, 7.0] {
        let again = repeats(&repeating(&song, (3.0, 3.0 + seconds))).unwrap();
        let run = again.longest_run_seconds;
        assert!((seconds - 0.2..seconds + 1.2).contains(&run), "{run} of {seconds}");
        assert!(run > once.longest_run_seconds, "{once:?}");
        assert!(again.share > 0.1, "{again:?}");
    }
}

#[test]
fn what_comes_again_soon_and_in_a_short_piece_is_measured_too() {
    let song = song("prelude.mp3");
    let joined = |parts: &[(f64, f64)]| {
        let parts = parts.iter().map(|(from, to)| song.excerpt(*from, *to));
        let samples = parts.flat_map(|part| part.channels()[0].clone()).collect();
        repeats(&Audio::mono(samples, RATE).unwrap()).unwrap()
    };
    let (bar, long) = ((20.0, 24.5), (20.0, 28.0));
    let pieces: [(&[(f64, f64)], f64); 4] = [
        (&[bar, bar], 4.5),
        (&[bar, (40.0, 41.0), bar], 4.5),
        (&[long, long], 8.0),
        // Once, five seconds later, in the middle of half a minute of something else.
        (&[(0.0, 12.0), bar, (40.0, 41.0), bar, (50.0, 60.0)], 4.5),
    ];
    for (parts, seconds) in pieces {
        let found = joined(parts);
        let run = found.longest_run_seconds;
        assert!((seconds - 0.3..seconds + 1.5).contains(&run), "{parts:?}: {found}");
        assert!(found.share > 0.05, "{parts:?}: {found}");
    }
}

#[test]
fn a_piece_that_repeats_itself_more_than_its_songs_do_is_told() {
    let prelude = song("prelude.mp3");
    let told = |judgement: &str| judgement.contains("of itself, where the songs repeat");
    let faults = |piece: &Audio| judge(piece, &[&prelude]).unwrap().faults().join("; ");
    let twice = faults(&repeating(&prelude, (3.0, 10.0)));
    let seconds = ["repeats 6.", "repeats 7."].iter().any(|seconds| twice.contains(seconds));
    assert!(told(&twice) && seconds, "{twice}");
    // What it plays once is no repetition, however much of it is a copy.
    let once = faults(&prelude.excerpt(10.0, 40.0));
    assert!(!told(&once) && once.contains("copies"), "{once}");
    // A song that plays all of it twice may have pieces that do.
    let half = prelude.excerpt(0.0, 30.0).channels()[0].clone();
    let doubled = [half.clone(), half].concat();
    let doubled = Audio::mono(doubled, RATE).unwrap();
    let piece = repeating(&prelude, (3.0, 10.0));
    let same = judge(&piece, &[&doubled]).unwrap().faults().join("; ");
    assert!(!told(&same), "{same}");
}

#[test]
fn cuts_are_found_where_they_are() {
    let song = song("prelude.mp3");
    let parts = [(10.0, 14.0), (30.0, 33.0), (50.0, 55.0)];
    let samples = parts.map(|(from, to)| song.excerpt(from, to).channels()[0].clone()).concat();
    let found = joins(&Audio::mono(samples, RATE).unwrap(), &[&song]).unwrap();
    assert!(found.traced > 0.9, "{found:?}");
    for cut in [4.0, 7.0] {
        let near = found.seconds.iter().any(|seconds| (seconds - cut).abs() < 0.2);
        assert!(near, "{found:?} has no join at {cut}");
    }
    // Another level behind each cut is a step that the song does not have there.
    let levels = [1.0, 0.25, 1.0];
    let parts = parts.iter().zip(levels).map(|((from, to), level)| {
        song.excerpt(*from, *to).channels()[0].iter().map(|v| v * level).collect::<Vec<_>>()
    });
    let uneven = Audio::mono(parts.collect::<Vec<_>>().concat(), RATE).unwrap();
    let found = joins(&uneven, &[&song]).unwrap();
    let steps = found.loudness_step_db.zip(found.natural_loudness_step_db);
    assert!(steps.is_some_and(|(step, natural)| step > natural + 4.0), "{found:?}");
    let uncut = joins(&song.excerpt(10.0, 20.0), &[&song]).unwrap();
    assert!(uncut.seconds.is_empty(), "{uncut:?}");
}

#[test]
fn drones_noise_silence_and_clicks_are_faults() {
    let song = song("prelude.mp3");
    let faults = |piece: &Audio| judge(piece, &[&song]).unwrap().faults().join("; ");
    let hum = |n: usize| (n as f32 * 0.06).sin() * 0.2 + (n as f32 * 0.09).sin() * 0.1;
    let drone = Audio::mono((0..10 * RATE as usize).map(hum).collect(), RATE).unwrap();
    assert!(faults(&drone).contains("stands still"), "{}", faults(&drone));
    assert!(faults(&noise(10.0)).contains("hisses"), "{}", faults(&noise(10.0)));
    let mut samples = song.excerpt(20.0, 30.0).channels()[0].clone();
    samples[100_000] = 0.9;
    samples[100_001] = -0.9;
    let clicking = Audio::mono(samples, RATE).unwrap();
    assert!(faults(&clicking).contains("clicks"), "{}", faults(&clicking));
    assert!(texture(&drone).unwrap().stillness > 0.9);
}

#[test]
fn what_cannot_be_judged_says_why() {
    let song = song("prelude.mp3");
    let short = Audio::mono(vec![0.1; 1_000], RATE).unwrap();
    assert!(judge(&short, &[&song]).unwrap_err().to_string().contains("three seconds"));
    let silent = Audio::mono(vec![0.0; 200_000], RATE).unwrap();
    assert!(judge(&silent, &[&song]).unwrap_err().to_string().contains("silent"));
    assert!(judge(&song, &[]).unwrap_err().to_string().contains("at least one"));
}

#[test]
fn a_semitone_is_a_band() {
    let tone = |hz: f64| {
        let sample =
            |n: u32| (f64::from(n) / f64::from(RATE) * hz * std::f64::consts::TAU).sin() as f32;
        let bands =
            PitchBands::of(&Audio::mono((0..RATE).map(sample).collect(), RATE).unwrap()).unwrap();
        let row = bands.rows().nth(30).unwrap().to_vec();
        (0..PitchBands::BANDS).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap()
    };
    for band in [24, 36, 50, 71] {
        assert_eq!(tone(PitchBands::center_hz(band)), band);
    }
}

/// A tone a second, one after the other.
fn tones(hertz: &[f64]) -> Audio {
    let tone = |hz: &f64| {
        let hz = *hz;
        (0..RATE).map(move |n| {
            let turn = std::f64::consts::TAU * hz * f64::from(n) / f64::from(RATE);
            (0.3 * turn.sin() + 0.1 * (3.0 * turn).sin()) as f32
        })
    };
    Audio::mono(hertz.iter().flat_map(tone).collect(), RATE).unwrap()
}

#[test]
fn form_is_what_comes_back() {
    let (a, b) = ([220.0; 6], [392.0; 6]);
    let form = SelfSimilarity::of(&tones(&[a, b, a].concat())).unwrap();
    let rows: Vec<&[f32]> = form.rows().collect();
    assert_eq!(rows.len(), form.steps());
    assert!((form.steps() as f64 * form.step_seconds() - 18.0).abs() < form.step_seconds());
    let step = |seconds: f64| (seconds / form.step_seconds()) as usize;
    for (i, row) in rows.iter().enumerate() {
        assert!((row[i] - 1.0).abs() < 1e-4, "a moment is itself");
        assert!(row.iter().enumerate().all(|(j, value)| (value - rows[j][i]).abs() < 1e-5));
    }
    // The first section comes back as the third, the second is another.
    assert!(rows[step(3.0)][step(15.0)] > 0.95);
    assert!(rows[step(3.0)][step(9.0)] < 0.0);
    let through = SelfSimilarity::of(&tones(&std::array::from_fn::<f64, 18, _>(|n| {
        110.0 * 2f64.powf(n as f64 / 6.0)
    })));
    let back = SelfSimilarity::of(&tones(&[a, b, a, b].concat())).unwrap();
    let (through, back) = (through.unwrap().returns().unwrap(), back.returns().unwrap());
    assert!(back > 0.95 && through < back - 0.05, "{through}, {back}");
    assert_eq!(SelfSimilarity::of(&tones(&[220.0])).unwrap().returns(), None);
    // Where one section of three comes back and the other does not, so much is said.
    assert!((0.2..0.7).contains(&form.returns().unwrap()));
    // Long sounds have longer moments, not more of them.
    let hour = SelfSimilarity::of(&tones(&[330.0; 600])).unwrap();
    assert!(hour.steps() <= 240 && hour.step_seconds() > 2.0);
}

#[test]
fn a_drone_has_the_form_of_a_drone_beside_music() {
    let song = song("prelude.mp3");
    let drone = tones(&[196.0; 20]);
    let judgement = judge(&drone, &[&song]).unwrap();
    assert!(judgement.form.rows().flatten().all(|value| *value > 0.9));
    assert!(judgement.song_forms[0].rows().flatten().any(|value| *value < 0.2));
}

#[test]
fn the_card_plays_copied_places_beside_their_origin() {
    let song = song("prelude.mp3");
    let piece = [song.excerpt(10.0, 14.0), noise(4.0), song.excerpt(40.0, 43.0)]
        .map(|part| part.channels()[0].clone())
        .concat();
    let piece = Audio::mono(piece, RATE).unwrap();
    let title = "<b>Prelude</b> & \"fugue\"";
    let verdict = Verdict::of(&piece, &[(title.to_owned(), song)]).unwrap();
    let bundle = verdict.bundle().unwrap();
    let html = bundle.html();
    // Two places, each twice, and no more than may be in a page.
    assert_eq!(verdict.copies.passages.len(), 2);
    assert_eq!(html.matches("<audio").count(), 4);
    assert!(html.len() < 900_000, "{}", html.len());
    assert!(html.contains("&lt;b&gt;Prelude&lt;/b&gt; &amp; &quot;fugue&quot;"));
    assert!(!html.contains("<b>") && !html.contains("http://") && !html.contains("https://"));
    // Read by people who cannot see or hear it.
    assert!(bundle.plain().contains("copy: 0.0 to 4.0 s is <b>Prelude</b>"), "{}", bundle.plain());
    let picture = bundle.picture().unwrap();
    assert!(picture.description().contains("distance of style"));
    assert!(picture.png().starts_with(b"\x89PNG") && picture.svg().starts_with("<svg"));
}

#[test]
fn a_card_with_many_copies_stays_small() {
    let song = song("lantern-street.mp3");
    let parts = (0..12).map(|n| song.excerpt(4.0 * f64::from(n), 4.0 * f64::from(n) + 2.5));
    let quiet = vec![0.0; RATE as usize];
    let samples = parts.flat_map(|part| [part.channels()[0].clone(), quiet.clone()].concat());
    let piece = Audio::mono(samples.collect(), RATE).unwrap();
    let verdict = Verdict::of(&piece, &[("song".into(), song)]).unwrap();
    let html = verdict.bundle().unwrap().html().to_owned();
    assert!(verdict.copies.passages.len() > 6, "{}", verdict.copies.passages.len());
    assert_eq!(html.matches("<audio").count(), 12);
    assert!(html.len() < 1_500_000, "{}", html.len());
}

#[test]
fn a_piece_at_half_the_rate_of_its_song_does_not_click() {
    let path = format!("{}/datasets/songs/lantern-street.mp3", env!("CARGO_MANIFEST_DIR"));
    let song = Song::open(path).unwrap().audio().clone();
    let piece = song.excerpt(20.0, 30.0).to_mono().resample(song.sample_rate_hz() / 2).unwrap();
    let judgement = judge(&piece, &[&song]).unwrap();
    assert!(!judgement.faults().iter().any(|f| f.contains("clicks")), "{judgement}");
}

//! What a notebook shows of the library's own types.

use crate::written::Written;
use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::display::protocol::{Event, Operation};
use neural_composer::display::{self, Candidate, ChoiceStep, Choices, Destination, Output, Show};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm};
use neural_composer::notebook::{Listening, LiveTraining, Verdict};
use neural_composer::train::{self, EpochRecord, History, Silent, Stop, Training};

const HOSTILE: &str = "<img src=x onerror=alert(1)></script>\"'& \u{202e}שלום 🎹 EVCXR_END_CONTENT";

fn tone(hz: f32, seconds: f32) -> Audio {
    let rate = 22_050;
    let sample = |i: usize| (std::f32::consts::TAU * hz * i as f32 / rate as f32).sin() * 0.5;
    Audio::mono((0..(seconds * rate as f32) as usize).map(sample).collect(), rate).unwrap()
}

fn history(epochs: usize) -> History {
    let record = |epoch: usize| EpochRecord {
        epoch,
        train_loss: 1.0 / epoch as f64,
        validation_loss: Some(1.5 / epoch as f64),
        learning_rate: 1e-3,
        seconds: 0.5,
        waited_seconds: 0.0,
    };
    History {
        epochs: (1..=epochs).map(record).collect(),
        stop: Stop::Finished,
        device: "CPU".into(),
        ..History::default()
    }
}

fn hostile_song(folder: &std::path::Path) -> Song {
    let path = folder.join("<b>x & y <img src=q onerror=1>🎹.wav");
    tone(440.0, 2.0).save(&path).unwrap();
    Song::open(&path).unwrap()
}

fn dataset(song: &Song) -> Dataset {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 100, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 4, stride_blocks: 4 };
    Dataset::from_songs(std::slice::from_ref(song), settings).unwrap()
}

#[test]
fn the_judges_card_shows_names_as_text_and_plays_what_is_copied() {
    // Chirps, so that no two places are alike.
    let rate = 22_050;
    let sample = |i: usize| {
        let seconds = i as f32 / rate as f32;
        0.4 * (900.0 * seconds + 300.0 * seconds * seconds).sin() * (1.0 - seconds % 0.5)
    };
    let song = Audio::mono((0..12 * rate as usize).map(sample).collect(), rate).unwrap();
    let copy = song.excerpt(2.0, 8.0);
    let bundle = Verdict::of(&copy, &[(HOSTILE.into(), song)]).unwrap().bundle().unwrap();
    let html = bundle.html();
    assert!(html.contains("Copied places") && html.matches("<audio").count() >= 2);
    for (text, form) in [(html, "HTML"), (bundle.plain(), "plain text")] {
        assert!(text.contains("שלום"), "{form} names the song");
        assert!(!text.contains('\u{202e}'), "{form} obeys a direction");
    }
    assert!(!html.contains("<img src=x") && !html.contains("alert(1)></script>"));
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert!(html.contains("</bdi> from 2.0 s"), "a title turns nothing that is said after it");
    assert!(bundle.picture().is_some_and(|picture| !picture.description().is_empty()));
}

#[test]
fn every_display_has_html_plain_text_and_where_it_is_a_picture_a_png() {
    let folder = tempfile::tempdir().unwrap();
    let song = hostile_song(folder.path());
    let spectrogram = song.spectrogram().unwrap();
    let data = dataset(&song);
    let shown: [(&dyn Show, bool); 5] = [
        (&song, true),
        (song.audio(), true),
        (&spectrogram, true),
        (&history(10), true),
        (&data, false),
    ];
    for (value, is_picture) in shown {
        let bundle = value.bundle().unwrap();
        let data = bundle.data();
        assert!(!data["text/plain"].trim().is_empty());
        assert!(data["text/html"].contains('<'));
        assert_eq!(data.contains_key("image/png"), is_picture);
        if let Some(picture) = bundle.picture() {
            assert!(!picture.description().is_empty());
            assert!(picture.png().starts_with(b"\x89PNG"));
        }
        for fetched in ["src=\"http", "href=\"http", "src=\"//", "@import", "url(http"] {
            assert!(!bundle.html().contains(fetched), "{fetched}");
        }
    }
}

#[test]
fn titles_and_file_names_are_text_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let song = hostile_song(folder.path());
    let data = dataset(&song);
    let player = display::Player::new(HOSTILE, song.audio())
        .details(HOSTILE)
        .compared_with(HOSTILE, song.audio());
    let bundles = [song.bundle().unwrap(), data.bundle().unwrap(), player.bundle().unwrap()];
    for bundle in &bundles {
        let html = bundle.html().to_lowercase();
        assert!(!html.contains("<img src=x") && !html.contains("<img src=q"), "{html}");
        assert!(!html.contains("<b>x"), "an element from a file name");
        assert!(html.contains("&lt;"), "the text itself is still there");
        assert!(!bundle.data().values().any(|form| form.contains("EVCXR_")));
    }
}

/// A network for a tone of so many seconds.
fn small(seconds: f32, units: usize) -> (Dataset, Network) {
    let song = [("A tone".to_owned(), tone(440.0, seconds))];
    let settings = DatasetSettings { sequence_blocks: 8, ..DatasetSettings::fast() };
    let data = Dataset::from_audio(&song, settings).unwrap();
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(units)]);
    let network = Network::new(config, &data, 1, &Device::cpu()).unwrap();
    (data, network)
}

#[test]
fn a_training_can_be_heard_while_it_is_drawn() {
    let (data, mut network) = small(3.0, 8);
    let written = Written::default();
    let output = written.output(Destination::OwnKernel);
    let listening = Listening { every_epochs: 2, seconds: 1.0, sequence: 0 };
    let mut live = LiveTraining::to(output).listening(&data, listening).unwrap();
    let training = Training::epochs(6);
    let history = train::run(&mut network, &data, &training, &mut live).unwrap();
    live.finish(&history);
    let (heard, charts): (Vec<Event>, Vec<Event>) = written
        .events()
        .into_iter()
        .filter(|event| event.data.contains_key("text/html"))
        .partition(|event| event.data["text/html"].contains("<audio"));
    let words = |event: &Event| event.data["text/html"].clone();
    let (first, last) = (words(&charts[0]), words(&charts[charts.len() - 1]));
    assert!(first.contains("batches/s") && first.contains(" left"), "how fast, and how long still");
    assert!(!last.contains(" left"), "in the end there is nothing left");
    // Each of its own, so that redrawing the chart leaves alone what plays.
    assert_eq!(heard.len(), 3);
    for (event, epoch) in heard.iter().zip([2, 4, 6]) {
        assert!(words(event).contains(&format!("after epoch {epoch}<")), "epoch {epoch}");
        assert_eq!((event.op, &event.id), (Operation::Display, &None));
    }
    // Hearing it changes nothing about it.
    let mut silent = Network::new(network.config().clone(), &data, 1, &Device::cpu()).unwrap();
    let unheard = train::run(&mut silent, &data, &training, &mut Silent).unwrap();
    assert_eq!(
        history.epochs.last().unwrap().train_loss,
        unheard.epochs.last().unwrap().train_loss
    );
    let never = Listening { every_epochs: 0, ..Listening::default() };
    assert!(LiveTraining::to(Output::new()).listening(&data, never).is_err());
}

#[test]
fn a_kernel_that_cannot_show_samples_at_once_shows_them_in_the_end_and_never_too_many() {
    let (data, mut network) = small(2.0, 4);
    let written = Written::default();
    let output = written.output(Destination::Evcxr);
    let listening = Listening { every_epochs: 1, seconds: 0.5, sequence: 0 };
    let mut live = LiveTraining::to(output).listening(&data, listening).unwrap();
    let history = train::run(&mut network, &data, &Training::epochs(40), &mut live).unwrap();
    live.finish(&history);
    let text = written.text();
    let pieces = text.split("after epoch ").skip(1).filter(|rest| rest.contains("<audio"));
    let epochs: Vec<usize> =
        pieces.filter_map(|rest| rest.split_once('<')?.0.parse().ok()).collect();
    assert_eq!(epochs, (1..=16).chain((18..=40).step_by(2)).collect::<Vec<_>>());
    assert_eq!(text.matches("EVCXR_BEGIN_CONTENT text/html").count(), 1, "one result");
}

/// Red, green, blue of a picture at a place in CSS pixels; these pictures have one pixel for each.
fn pixel(picture: &display::Picture, x: usize, y: usize) -> [u8; 3] {
    let mut decoder = png::Decoder::new(picture.png());
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let at = (y * info.width as usize + x) * 3;
    [bytes[at], bytes[at + 1], bytes[at + 2]]
}

#[test]
fn hidden_states_are_what_the_layers_give_block_after_block() {
    let sound = tone(440.0, 3.0);
    let songs = [("A tone".to_owned(), sound.clone())];
    let settings = DatasetSettings { sequence_blocks: 8, ..DatasetSettings::fast() };
    let data = Dataset::from_audio(&songs, settings).unwrap();
    let mut config = NetworkConfig::stack(data.blocks().width(), [lstm(12), gru(5)]);
    config.layers[1].norm = true;
    let network = Network::new(config, &data, 3, &Device::cpu()).unwrap();
    let states = network.hidden_states(&sound).unwrap();
    assert_eq!(states.steps(), (3.0 / states.step_seconds()).ceil() as usize);
    let layers = states.layers();
    assert_eq!([layers[0].units, layers[1].units], [12, 5]);
    assert_eq!(layers[0].values().len(), 12 * states.steps());
    // What is held after the last block is the state that the network goes on with.
    let mut rows = data.blocks().spectra(&sound).unwrap();
    data.normaliser().apply(&mut rows).unwrap();
    let shape = (1, states.steps(), data.blocks().width());
    let input = candle_core::Tensor::from_vec(rows, shape, &candle_core::Device::Cpu).unwrap();
    let (_, after) = network.predict(&input, None).unwrap();
    for (layer, state) in layers.iter().zip(&after) {
        let expected = state.hidden.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let last = &layer.values()[layer.values().len() - layer.units..];
        assert!(expected.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    let bundle = states.bundle().unwrap();
    assert!(bundle.plain().contains("layer 2: gru 5"), "{}", bundle.plain());
    assert!(bundle.picture().unwrap().description().contains("2 recurrent layers"));
    assert!(network.hidden_states(&Audio::mono(vec![], 22_050).unwrap()).is_err());
}

#[test]
fn choices_are_bright_where_they_were_likely() {
    let candidate = |song_seconds, probability| Candidate { song: 0, song_seconds, probability };
    let step = |index: usize| ChoiceStep {
        piece_seconds: index as f64,
        length_seconds: 1.0,
        candidates: vec![candidate(10.0, 0.9), candidate(50.0, 0.1)],
        chosen: candidate(90.0, 0.0),
    };
    let songs = vec![(HOSTILE.to_owned(), 100.0)];
    let choices = Choices::new(songs.clone(), (0..20).map(step).collect()).unwrap();
    let picture = choices.picture().unwrap();
    // The frame's rows are 12 to 272 for 100 s to 0 s.
    let brightness = |seconds: f64| {
        let row = 272.0 - (seconds + 0.5) * 2.6;
        pixel(&picture, 400, row as usize).iter().map(|c| u32::from(*c)).sum::<u32>()
    };
    assert!(brightness(10.0) > brightness(50.0) && brightness(50.0) > 3 * brightness(70.0) + 60);
    let bundle = choices.bundle().unwrap();
    assert!(!bundle.html().contains("<img src=x"));
    // e to the entropy of 0.9 and 0.1.
    assert!(bundle.plain().contains("1.4 candidates"), "{}", bundle.plain());
    assert!(bundle.plain().contains("19 jumps"));
    assert!(Choices::new(vec![], vec![step(0)]).is_err());
    assert!(Choices::new(songs.clone(), vec![]).is_err());
    let mut wrong = step(0);
    wrong.chosen.song = 1;
    assert!(Choices::new(songs, vec![wrong]).is_err());
}

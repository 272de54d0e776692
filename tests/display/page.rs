//! What displays carry, whoever reads them: pictures, text, escaping, the protocol, live updates.

use crate::written::Written;
use neural_composer::audio::Audio;
use neural_composer::display::protocol::{Event, LONGEST_LINE, Operation, PREFIX};
use neural_composer::display::{
    Bundle, Destination, Live, LossChart, LossRun, Picture, Player, Progress, Show,
    SpectrogramView, html, plain, spectrogram, waveform,
};
use neural_composer::train::EpochRecord;
use std::time::{Duration, Instant};

const HOSTILE: &str =
    "<img src=x onerror=\"alert('1')\"> & \u{202e}שלום 🎹 \u{1b}[31m EVCXR_END_CONTENT";

fn sine(hz: f32, seconds: f32, amplitude: f32) -> Audio {
    let samples = (0..(seconds * 22_050.0) as usize)
        .map(|n| (n as f32 * hz * std::f32::consts::TAU / 22_050.0).sin() * amplitude)
        .collect();
    Audio::mono(samples, 22_050).unwrap()
}

fn run(name: &str, losses: &[f64]) -> LossRun {
    let point = |(index, loss): (usize, &f64)| EpochRecord {
        epoch: index + 1,
        train_loss: *loss,
        validation_loss: Some(loss * 1.5),
        learning_rate: 1e-3 / (index + 1) as f64,
        seconds: 0.1,
        waited_seconds: 0.0,
    };
    LossRun { name: name.into(), points: losses.iter().enumerate().map(point).collect() }
}

/// Red, green, blue of every pixel, row by row, and the width.
fn pixels(picture: &Picture) -> (Vec<[u8; 3]>, usize) {
    let mut decoder = png::Decoder::new(picture.png());
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (bytes.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(), info.width as usize)
}

/// Far from every grey.
fn is_colored(pixel: &[u8; 3]) -> bool {
    pixel.iter().max().unwrap() - pixel.iter().min().unwrap() > 40
}

#[test]
fn text_from_files_is_text_everywhere() {
    let tone = sine(440.0, 0.5, 0.5);
    let bundles = [
        Player::new(HOSTILE, &tone).details(HOSTILE).bundle().unwrap(),
        Player::new(HOSTILE, &tone).compared_with(HOSTILE, &tone).bundle().unwrap(),
        Bundle::from_picture(HOSTILE, waveform(&tone).unwrap(), HOSTILE),
        Bundle::from_text(HOSTILE),
        LossChart::new(vec![run(HOSTILE, &[1.0, 0.5])]).bundle().unwrap(),
        LossChart::new(vec![run(HOSTILE, &[1.0, 0.5]), run("b", &[1.0, 0.4])]).bundle().unwrap(),
    ];
    for bundle in &bundles {
        assert!(!bundle.html().contains("<img src=x"), "{}", bundle.html());
        assert!(!bundle.html().contains("\"alert"), "a quote ends an attribute");
        assert!(
            bundle
                .html()
                .contains("&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt; &amp;")
        );
        assert!(bundle.html().contains("שלום 🎹"));
        assert!(!bundle.plain().contains('\u{1b}'), "a terminal obeys escape sequences");
        let everything = bundle.data().into_values().collect::<String>();
        assert!(!everything.contains("EVCXR_"), "evcxr obeys its marker words");
    }
    assert!(bundles[0].html().contains("<bdi>&lt;img"), "a direction stays within its element");
    assert!(!everything_of(&bundles).contains('\u{202e}'), "an override would turn what follows");
}

fn everything_of(bundles: &[Bundle]) -> String {
    bundles.iter().flat_map(|bundle| bundle.data().into_values()).collect()
}

#[test]
fn a_bundle_has_every_form_and_needs_nothing_from_outside() {
    let tone = sine(440.0, 0.5, 0.5);
    for bundle in [
        Player::new("Tone", &tone).bundle().unwrap(),
        LossChart::new(vec![run("a", &[1.0, 0.5])]).bundle().unwrap(),
        waveform(&tone).unwrap().bundle().unwrap(),
    ] {
        let data = bundle.data();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["image/png", "text/html", "text/plain"]);
        assert!(data["image/png"].starts_with("iVBORw0KGgo"));
        assert!(!data["text/plain"].is_empty());
        assert!(bundle.metadata()["image/png"]["width"].as_u64().unwrap() > 400);
        let html = bundle.html();
        for (at, _) in html.match_indices("src=\"").chain(html.match_indices("href=\"")) {
            let target = &html[html[at..].find('"').unwrap() + at + 1..];
            assert!(target.starts_with("data:"), "{}", &target[..40.min(target.len())]);
        }
        let outside = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains("://") && !outside.contains("url("), "something is fetched");
        for image in html.split("<img").skip(1) {
            let tag = &image[..image.find('>').unwrap()];
            assert!(tag.contains("alt=\"") && !tag.contains("alt=\"\""), "no alternative text");
        }
    }
}

#[test]
fn a_sine_is_brightest_at_its_frequency() {
    // Geometry of the picture: 256 rows from row 12, columns 66 to 775, mel-like spacing.
    for hz in [300.0, 1000.0, 5000.0] {
        let levels = sine(hz, 1.0, 0.8).spectrogram().unwrap();
        let picture = spectrogram(&SpectrogramView {
            power_db: levels.power_db(),
            bins: levels.bins(),
            hop_seconds: levels.hop_seconds(),
            bin_hz: levels.bin_hz(),
            start_seconds: 0.0,
        })
        .unwrap();
        let (pixels, width) = pixels(&picture);
        let brightness = |row: usize| -> u32 {
            (300..600)
                .map(|x| pixels[row * width + x].iter().map(|c| u32::from(*c)).sum::<u32>())
                .sum()
        };
        let brightest = (12..268).max_by_key(|row| brightness(*row)).unwrap() as f32;
        let mel = |hz: f32| (hz / 700.0).ln_1p();
        let expected = 268.0 - 256.0 * mel(hz) / mel(11_025.0);
        assert!((brightest - expected).abs() < 3.0, "{hz} Hz at row {brightest}, not {expected}");
    }
}

#[test]
fn silence_is_a_flat_line() {
    let silence = Audio::mono(vec![0.0; 22_050], 22_050).unwrap();
    let (pixels, width) = pixels(&waveform(&silence).unwrap());
    let rows: Vec<_> =
        (0..pixels.len()).filter(|i| is_colored(&pixels[*i])).map(|i| i / width).collect();
    let (first, last) = (rows.iter().min().unwrap(), rows.iter().max().unwrap());
    assert!(last - first <= 4, "rows {first} to {last}");
    assert!(rows.len() > width, "the line crosses the picture");
}

#[test]
fn a_waveform_shows_how_loud_it_is() {
    let height = |amplitude: f32| {
        let (pixels, width) = pixels(&waveform(&sine(440.0, 1.0, amplitude)).unwrap());
        let middle = width / 2;
        (0..pixels.len() / width).filter(|row| is_colored(&pixels[row * width + middle])).count()
    };
    // Both are drawn against an axis that ends at 1.
    let (loud, soft) = (height(0.9), height(0.6));
    let ratio = loud as f64 / soft as f64;
    assert!((ratio - 1.5).abs() < 0.1, "{loud} to {soft} pixels");
}

#[test]
fn strange_audio_is_drawn() {
    for samples in [
        vec![f32::NAN; 100],
        vec![f32::INFINITY, f32::NEG_INFINITY, 0.5],
        vec![0.5],
        vec![7.0, -9.0, 0.0, 1.0],
    ] {
        let audio = Audio::new(vec![samples; 3], 8_000).unwrap();
        assert!(waveform(&audio).unwrap().description().contains("3 channels"));
        Player::new("strange", &audio).bundle().unwrap();
    }
    let empty = Audio::mono(vec![], 8_000).unwrap();
    waveform(&empty).unwrap();
    let error = Player::new("nothing", &empty).bundle().unwrap_err().to_string();
    assert!(error.contains("nothing") && error.contains("empty"), "{error}");
}

#[test]
fn a_spectrogram_of_wrong_size_is_refused() {
    let view = SpectrogramView {
        power_db: &[0.0; 10],
        bins: 4,
        hop_seconds: 0.1,
        bin_hz: 10.0,
        start_seconds: 0.0,
    };
    assert!(spectrogram(&view).unwrap_err().to_string().contains("whole frames of 4 bins"));
    let zero = SpectrogramView { bins: 0, ..view };
    assert!(spectrogram(&zero).is_err());
    let no_hop = SpectrogramView { bins: 5, hop_seconds: 0.0, ..view };
    assert!(spectrogram(&no_hop).unwrap_err().to_string().contains("hop_seconds"));
    // One frame, one bin, all silent: still a picture.
    let least = SpectrogramView { power_db: &[f32::NEG_INFINITY], bins: 1, ..view };
    spectrogram(&least).unwrap();
}

#[test]
fn losses_stay_inside_their_frame() {
    let losses: Vec<f64> = (1..400).map(|e| 3.0 / f64::from(e) + 0.1 * f64::from(e % 7)).collect();
    for chart in [
        LossChart::new(vec![run("a", &losses)]),
        LossChart::new(vec![run("a", &losses), run("b", &losses[..50])]).linear().total_epochs(900),
    ] {
        let picture = chart.picture().unwrap();
        let (pixels, width) = pixels(&picture);
        let last_row = pixels.len() / width;
        for (index, _) in pixels.iter().enumerate().filter(|(_, p)| is_colored(p)) {
            let (x, y) = (index % width, index / width);
            // The frame is 66..842 wide and ends 44 above the edge, with room for half a dot or line.
            assert!(
                x > 2 * 58 && x < 2 * 850 && y < last_row - 2 * 44 + 2 * 8,
                "colour at {x}, {y}"
            );
        }
    }
}

#[test]
fn losses_that_are_no_numbers_are_gaps() {
    let bad = [f64::NAN, f64::INFINITY, -1.0, 0.0, 2.0, f64::NAN, 1.0];
    for losses in [&bad[..], &bad[..1], &[][..], &[0.0, 0.0][..], &[5.0][..]] {
        for chart in [
            LossChart::new(vec![run("a", losses)]),
            LossChart::new(vec![run("a", losses)]).linear(),
        ] {
            chart.picture().unwrap();
        }
    }
    LossChart::new(vec![]).picture().unwrap();
    let best = run("a", &bad[4..]);
    assert_eq!(best.best().unwrap().epoch, 3);
}

#[test]
fn a_million_epochs_make_a_small_picture() {
    let losses: Vec<f64> = (1..1_000_000).map(|e| 1.0 / f64::from(e)).collect();
    let picture = LossChart::new(vec![run("long", &losses)]).picture().unwrap();
    assert!(picture.svg().len() < 300_000, "{} bytes", picture.svg().len());
}

#[test]
fn an_event_is_one_line_and_comes_back() {
    let mut event = Bundle::from_text("two\nlines \u{2028} \"quoted\" 🎹")
        .event(Operation::Update, Some("id".into()));
    event.metadata.insert("isolated".into(), true.into());
    let line = event.to_line();
    assert!(line.starts_with(PREFIX) && line.ends_with('\n'));
    assert_eq!(line.matches('\n').count(), 1);
    assert_eq!(Event::from_line(&line).unwrap(), event);
    assert_eq!(Event::from_line(line.trim_end()).unwrap(), event);
    for bad in [
        "",
        "plain text",
        "\u{1e}neural-composer/1 ",
        "\u{1e}neural-composer/1 {",
        "\u{1e}neural-composer/2 {\"op\":\"display\"}",
        "\u{1e}neural-composer/1 {\"op\":\"erase\"}",
        "\u{1e}neural-composer/1 {\"op\":\"update\"}",
    ] {
        assert_eq!(Event::from_line(bad), None, "{bad}");
    }
}

#[test]
fn a_line_has_a_longest_length() {
    let long = "x".repeat(LONGEST_LINE);
    let mut event = Bundle::from_text("small").event(Operation::Display, None);
    event.data.insert("text/html".into(), long.clone());
    let line = event.to_line();
    assert!(line.len() <= LONGEST_LINE);
    let kept = Event::from_line(&line).unwrap();
    assert!(!kept.data.contains_key("text/html"));
    assert!(
        kept.data["text/plain"].contains("small") && kept.data["text/plain"].contains("text/html")
    );
    event.data.insert("text/plain".into(), long);
    assert!(event.to_line().len() <= LONGEST_LINE);
}

fn live_output(destination: Destination, updates: u64, pause: Duration) -> Written {
    let written = Written::default();
    let mut live = Live::to(written.output(destination));
    for done in 1..=updates {
        let progress = Progress { done, total: updates, line: format!("step {done}") };
        live.update(&progress, || Bundle::from_text(&format!("state {done}")));
        std::thread::sleep(pause);
    }
    live.finish("finished", || Bundle::from_text("the end"));
    written
}

#[test]
fn live_updates_come_at_most_four_times_a_second_and_the_last_always() {
    let start = Instant::now();
    let events = live_output(Destination::OwnKernel, 60, Duration::from_millis(15)).events();
    let seconds = start.elapsed().as_secs_f64();
    assert!(events.len() >= 3, "{} events", events.len());
    assert!(events.len() as f64 <= seconds * 4.0 + 2.0, "{} events in {seconds} s", events.len());
    assert_eq!(events[0].op, Operation::Display);
    assert!(events[1..].iter().all(|e| e.op == Operation::Update && e.id == events[0].id));
    assert_eq!(events.last().unwrap().data["text/plain"], "the end");
}

#[test]
fn on_stock_evcxr_the_end_comes_as_content_after_a_few_lines() {
    let text = live_output(Destination::Evcxr, 60, Duration::ZERO).text();
    let (lines, content) = text.split_at(text.find("EVCXR_BEGIN_CONTENT").unwrap());
    assert_eq!(lines, "step 1\nfinished\n");
    assert!(content.contains("EVCXR_BEGIN_CONTENT text/plain\nthe end\nEVCXR_END_CONTENT\n"));
    assert_eq!(
        content.matches("EVCXR_BEGIN_CONTENT").count(),
        content.matches("EVCXR_END_CONTENT").count()
    );
    assert!(!text.contains('\u{1e}'));
}

#[test]
fn into_a_file_go_plain_lines() {
    assert_eq!(live_output(Destination::File, 60, Duration::ZERO).text(), "step 1\nfinished\n");
    let written = Written::default();
    let bundle = Player::new("Tone", &sine(440.0, 1.0, 0.5)).bundle().unwrap();
    bundle.emit_to(&mut written.output(Destination::File));
    let text = written.text();
    assert!(text.starts_with("Tone") && text.contains('█') && text.len() < 400, "{text}");
}

#[test]
fn words_for_numbers() {
    assert_eq!(plain::clock(3725.0), "1:02:05");
    assert_eq!(plain::clock(f64::NAN), "0:00");
    assert_eq!(plain::duration(4.23), "4.2 s");
    assert_eq!(plain::duration(59.96), "1 min 0 s");
    assert_eq!(plain::duration(7260.0), "2 h 1 min");
    assert_eq!(plain::size(1_400_000), "1.4 MB");
    assert_eq!(plain::count(1_234_567), "1\u{202f}234\u{202f}567");
    assert_eq!(plain::sparkline(&[0.0, 0.5, 1.0, f32::NAN], 0.0, 1.0), " ▄█ ");
    assert_eq!(html::escape("a\u{0}b"), "a\u{fffd}b");
}

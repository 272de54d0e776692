//! Charts, progress and displays of the user's own.

use crate::written::Written;
use neural_composer::Result;
use neural_composer::display::protocol::Operation;
use neural_composer::display::{Destination, LiveChart, ShowInCell, Watched, chart};
use neural_composer::prelude::{Bundle, Html, Picture, Show};
use std::time::{Duration, Instant};

#[test]
fn any_series_of_numbers_is_a_chart() {
    let floats = vec![0.5f32, 0.25, 0.125];
    let charts = [
        chart(&floats),
        chart(floats.clone()),
        chart(floats.as_slice()),
        chart([0.5f64, 0.25, 0.125]),
        chart([1usize, 2, 3].iter()),
        chart(1..=3),
        chart((0..3).map(|i| i as f32 * 0.1)),
        chart(std::collections::VecDeque::from([3i64, -2, 1])),
        chart(floats.iter().zip(&floats).map(|(a, b)| a - b)),
    ];
    for chart in charts {
        assert_eq!(chart.values(0).unwrap().len(), 3);
        let bundle = chart.bundle().unwrap();
        assert!(bundle.picture().unwrap().png().starts_with(b"\x89PNG"));
        assert!(bundle.plain().starts_with("3 values, last "), "{}", bundle.plain());
        assert!(bundle.html().contains("alt=\"Chart. 3 values"));
    }
}

#[test]
fn a_chart_says_what_it_shows_and_draws_every_series() {
    let chart = chart([4.0, 2.0, 1.0, 3.0]).named("training").with("validation <b>", [5u8, 6]);
    let words = chart.to_string();
    assert_eq!(
        words,
        "training: 4 values, last 3, lowest 1 at 3, highest 4 at 1\n\
         validation <b>: 2 values, last 6, lowest 5 at 1, highest 6 at 2"
    );
    let bundle = chart.titled("Losses & <i>more</i>").bundle().unwrap();
    assert!(bundle.html().contains("Losses &amp; &lt;i&gt;more&lt;/i&gt;"));
    assert!(bundle.plain().starts_with("Losses & <i>more</i>\n"));
    let svg = bundle.picture().unwrap().svg();
    assert!(svg.contains("#0072B2") && svg.contains("#D55E00"), "a colour for each");
    assert!(
        svg.contains("training") && svg.contains("validation &lt;b&gt;"),
        "names in the legend"
    );
}

#[test]
fn numbers_that_are_none_leave_gaps_and_no_trace_in_the_drawing() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, f64::MAX, f64::MIN, 5e-324];
    let mut series: Vec<Vec<f64>> = odd.iter().map(|v| vec![1.0, *v, 2.0]).collect();
    series.extend([vec![], vec![f64::NAN; 5], odd.to_vec(), vec![0.0; 4], vec![-3.0], vec![7.0]]);
    series.push(vec![1e30, 1.00001e30]);
    for values in series {
        for chart in [chart(&values), chart(&values).log(), chart(&values).with("b", &values)] {
            let bundle = chart.bundle().unwrap();
            let picture = bundle.picture().unwrap();
            for text in [picture.svg(), picture.description(), bundle.plain()] {
                let words = text.split(|c: char| !c.is_ascii_alphanumeric());
                for word in words {
                    assert!(!matches!(word, "NaN" | "inf" | "infinity"), "{values:?}: {text}");
                }
                assert!(text.len() < 60_000, "{values:?}: {} bytes", text.len());
            }
        }
    }
    assert!(chart([1.0, f64::NAN, 2.0]).to_string().contains("1 cannot be drawn"));
    assert!(chart([1.0, -1.0]).log().to_string().contains("1 cannot be drawn"));
    assert!(chart(Vec::<f32>::new()).to_string().contains("no values yet"));
    assert!(chart([f32::NAN]).to_string().contains("1 value, which is not a number"));
}

#[test]
fn a_gap_is_white_between_two_lines() {
    let picture = chart([1.0, 1.0, f64::NAN, f64::NAN, 1.0, 1.0]).picture().unwrap();
    assert_eq!(picture.svg().matches("<polyline").count(), {
        let whole = chart([1.0; 6]).picture().unwrap();
        whole.svg().matches("<polyline").count() + 1
    });
}

#[test]
fn a_chart_of_a_million_numbers_is_no_larger_than_one_of_thousands() {
    let begun = Instant::now();
    let many = chart((0..1_000_000).map(|i| (i as f64 * 0.37).sin())).bundle().unwrap();
    assert!(many.html().len() < 300_000, "{}", many.html().len());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_live_chart_grows_and_ends_with_every_number() {
    let written = Written::default();
    let mut losses = LiveChart::to(written.output(Destination::OwnKernel), "loss");
    for step in 1..=2_000 {
        losses.push(1.0 / step as f32);
    }
    assert_eq!(losses.values().len(), 2_000);
    assert_eq!(losses.finish()[1_999], f64::from(1.0f32 / 2_000.0));
    let events = written.events();
    assert_eq!(events[0].op, Operation::Display);
    assert!(events[1..].iter().all(|event| event.op == Operation::Update));
    assert!(events.len() < 40, "redrawn {} times", events.len());
    assert!(events.last().unwrap().data["text/plain"].contains("2000 values"));

    // One that goes out of scope draws its last state as well; one without numbers draws nothing.
    let (dropped, empty) = (Written::default(), Written::default());
    LiveChart::to(dropped.output(Destination::OwnKernel), "x").push(1u8);
    drop(LiveChart::to(empty.output(Destination::OwnKernel), "x"));
    assert_eq!((dropped.events().len(), empty.text().as_str()), (2, ""));
}

#[test]
fn progress_hands_on_everything_and_says_how_far_it_is() {
    let written = Written::default();
    let items =
        Watched::to(written.output(Destination::OwnKernel), vec!["a", "b", "c"].into_iter());
    assert_eq!(items.collect::<String>(), "abc");
    let events = written.events();
    let first = &events[0].data;
    assert!(first["text/plain"].starts_with("0 of 3, 0 %"), "{first:?}");
    assert!(first["text/html"].contains("<progress max=\"3\" value=\"0\">"));
    let last = &events.last().unwrap().data;
    assert!(last["text/plain"].starts_with("3 of 3 done in "), "{last:?}");
    assert!(last["text/html"].contains("value=\"3\""));
    assert!(events.iter().skip(1).all(|event| event.id == events[0].id));
    assert!(!last["text/html"].contains("<script"));
}

#[test]
fn progress_tells_the_time_left_and_is_rarely_redrawn() {
    let written = Written::default();
    let mut sum = 0;
    for number in Watched::to(written.output(Destination::OwnKernel), 0..30) {
        std::thread::sleep(Duration::from_millis(30));
        sum += number;
    }
    assert_eq!(sum, 435);
    let events = written.events();
    assert!((3..8).contains(&events.len()), "redrawn {} times", events.len());
    assert!(events[2].data["text/plain"].ends_with(" s left"), "{:?}", events[2].data);
}

#[test]
fn progress_knows_loops_of_unknown_length_and_loops_that_are_left() {
    let written = Written::default();
    let odd = (0..1_000).filter(|n| n % 2 == 1);
    assert_eq!(Watched::to(written.output(Destination::File), odd).count(), 500);
    assert!(written.text().ends_with("s\n") && written.text().contains("500 done in "));

    let written = Written::default();
    for number in Watched::to(written.output(Destination::File), 0..1_000) {
        if number == 12 {
            break;
        }
    }
    assert!(written.text().contains("left after 12 of 1\u{202f}000"), "{}", written.text());

    // None of these has anything to say, and none may divide by nothing.
    let written = Written::default();
    assert_eq!(Watched::to(written.output(Destination::File), 0..0).count(), 0);
    assert!(written.text().contains("0 of 0 done"), "{}", written.text());
    let written = Written::default();
    drop(Watched::to(written.output(Destination::File), 0..5));
    assert_eq!(written.text(), "");
    let (least, most) = Watched::to(Written::default().output(Destination::File), 0..5).size_hint();
    assert_eq!((least, most), (0, Some(5)));
}

#[test]
fn progress_costs_next_to_nothing_a_step() {
    let begun = Instant::now();
    let output = Written::default().output(Destination::OwnKernel);
    assert_eq!(Watched::to(output, 0..2_000_000u64).sum::<u64>(), 1_999_999_000_000);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// A user's type, as a cell would have it.
struct Chord(Vec<f32>);

impl Show for Chord {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::from_text(&format!("a chord of {} notes", self.0.len())))
    }
}

#[test]
fn what_a_user_shows_is_shown_as_the_librarys_own_types_are() {
    // A cell calls this method on its last value, found as any method is.
    Chord(vec![440.0, 550.0]).evcxr_display();
    let borrowed = &Chord(vec![]);
    borrowed.evcxr_display();
    let boxed: Box<dyn Show> = Box::new(Chord(vec![1.0]));
    boxed.evcxr_display();
    // The library's own method comes first, so there is no doubt which is meant.
    chart([1.0]).evcxr_display();
    Html::new("<b>x</b>").evcxr_display();
    Picture::draw(20, 20, |_| Ok(())).unwrap().evcxr_display();
    assert_eq!(Chord(vec![1.0, 2.0]).bundle().unwrap().plain(), "a chord of 2 notes");
}

#[test]
fn the_prelude_alone_is_enough_for_a_cell() {
    use neural_composer::prelude::*;
    struct Mine;
    impl Show for Mine {
        fn bundle(&self) -> neural_composer::Result<Bundle> {
            chart([1.0, 2.0]).bundle()
        }
    }
    Mine.evcxr_display();
    let mut numbers = live_chart("n");
    progress(0..3u32).for_each(|n| numbers.push(n));
    assert_eq!(numbers.finish(), [0.0, 1.0, 2.0]);
}

//! Pictures, charts, HTML and progress of the user's own.

use neural_composer::display::protocol::{Event, Operation};
use neural_composer::display::{Destination, LiveChart, Output, ShowInCell, Watched, chart};
use neural_composer::plotters::prelude::*;
use neural_composer::prelude::{Bundle, Html, Picture, Show};
use neural_composer::{Error, Result};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A stream whose text can be looked at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn output(&self, destination: Destination) -> Output {
        Output::to(destination, Box::new(self.clone()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn events(&self) -> Vec<Event> {
        self.text().lines().map(|line| Event::from_line(line).unwrap()).collect()
    }
}

fn size_of_png(bytes: &[u8]) -> (u32, u32) {
    let reader = png::Decoder::new(bytes).read_info().unwrap();
    (reader.info().width, reader.info().height)
}

/// No script of the crate's own, no script of anybody's, nothing from elsewhere.
fn assert_harmless(html: &str) {
    let lower = html.to_lowercase();
    for word in ["<script", "onerror", "onload", "javascript:", "<iframe", "<form", "<object"] {
        assert!(!lower.contains(word), "{word} in {html}");
    }
    for (at, _) in html.match_indices(" src=\"") {
        assert!(html[at + 6..].starts_with("data:"), "{}", &html[at..]);
    }
}

#[test]
fn any_series_of_numbers_is_a_chart() {
    let floats = vec![0.5f32, 0.25, 0.125];
    let charts = [
        chart(&floats),
        chart(floats.clone()),
        chart(floats.as_slice()),
        chart([0.5f64, 0.25, 0.125]),
        chart(&[1usize, 2, 3]),
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
    assert!(chart([f32::NAN]).to_string().contains("none of them a number"));
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
    assert_harmless(&last["text/html"]);
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

/// A user's own drawing, with everything that plotters can put down.
fn drawing() -> Result<Picture> {
    Picture::draw(300, 200, |paper| {
        paper.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(paper)
            .caption("Ähnlich", ("serif", 16).into_font().style(FontStyle::Bold))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(32)
            .build_cartesian_2d(0.0..10.0, -1.0..1.0)?;
        chart.configure_mesh().x_desc("time").draw()?;
        let wave = (0..=100).map(|i| (f64::from(i) / 10.0, (f64::from(i) / 10.0).sin()));
        chart.draw_series(LineSeries::new(wave.clone(), RED.stroke_width(3)))?.label("sine");
        chart.draw_series(wave.step_by(10).map(|at| Circle::new(at, 3, BLUE.filled())))?;
        chart.draw_series([Rectangle::new([(1.0, 0.0), (2.0, 0.5)], GREEN.mix(0.4).filled())])?;
        chart.configure_series_labels().border_style(BLACK).draw()?;
        Ok(())
    })
}

#[test]
fn a_plotters_drawing_is_a_picture_in_both_forms() {
    let picture = drawing().unwrap();
    assert_eq!((picture.width_px(), picture.height_px()), (300, 200));
    assert_eq!(size_of_png(picture.png()), (600, 400));
    assert!(picture.svg().starts_with("<svg") && picture.svg().contains("Ähnlich"));
    let bundle = picture.described("A sine & <its> samples").bundle().unwrap();
    assert!(bundle.html().contains("alt=\"A sine &amp; &lt;its&gt; samples\""));
    assert_harmless(bundle.html());
    let data = bundle.data();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["image/png", "text/html", "text/plain"]);
    assert_eq!(bundle.metadata()["image/png"]["width"], 300);
}

#[test]
fn the_bitmap_of_a_drawing_has_everything_where_it_belongs() {
    let picture = Picture::draw(100, 60, |paper| {
        paper.fill(&BLUE)?;
        paper.draw(&Rectangle::new([(10, 10), (30, 20)], RED.filled()))?;
        paper.draw(&Rectangle::new([(50, 10), (70, 30)], GREEN.stroke_width(2)))?;
        paper.draw_pixel((80, 50), &WHITE)?;
        Ok(())
    });
    let picture = picture.unwrap();
    let mut decoder = png::Decoder::new(picture.png());
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size()];
    reader.next_frame(&mut bytes).unwrap();
    let at = |x: usize, y: usize| &bytes[(y * 200 + x) * 3..][..3];
    // Two device pixels for each CSS pixel.
    assert_eq!(at(2, 2), [0, 0, 255]);
    assert_eq!(
        (at(22, 22), at(58, 38), at(62, 30)),
        (&[255, 0, 0][..], &[255, 0, 0][..], at(2, 2))
    );
    assert_eq!((at(100, 40), at(120, 40)), (&[0, 255, 0][..], at(2, 2)));
    assert_eq!(
        (at(160, 100), at(161, 101), at(162, 100)),
        (&[255; 3][..], &[255; 3][..], at(2, 2))
    );
}

#[test]
fn a_drawing_that_fails_says_why() {
    let failed = Picture::draw(100, 50, |_| Err("the data is missing".into())).unwrap_err();
    assert_eq!(failed.to_string(), "the picture could not be drawn: the data is missing");
    let font = Picture::draw(100, 50, |paper| {
        paper.draw_text("x", &("Nowhere Sans", 12).into_text_style(paper), (1, 1))?;
        Ok(())
    });
    assert!(matches!(font, Err(Error::Picture(_))));
    for (width, height) in [(0, 10), (10, 0), (10, 9_000), (u32::MAX, u32::MAX)] {
        let refused = Picture::draw(width, height, |_| Ok(())).unwrap_err().to_string();
        assert!(refused.contains("expected 1 to 8192 pixels"), "{refused}");
    }
}

#[test]
fn a_png_file_is_a_picture_from_bytes_and_from_its_path() {
    let drawn = drawing().unwrap();
    let from_bytes = Picture::from_png(drawn.png()).unwrap();
    assert_eq!((from_bytes.width_px(), from_bytes.height_px()), (600, 400));
    assert_eq!(from_bytes.png(), drawn.png());
    assert!(from_bytes.svg().contains("data:image/png;base64,"));
    assert_harmless(from_bytes.bundle().unwrap().html());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a \"nice\" picture.svg");
    std::fs::write(&path, drawn.png()).unwrap();
    let opened = Picture::open(&path).unwrap();
    assert_eq!(opened.png(), drawn.png());
    let html = opened.bundle().unwrap().html().to_owned();
    assert!(html.contains("alt=\"a &quot;nice&quot; picture.svg\""), "{html}");

    for damaged in [&drawn.png()[..drawn.png().len() / 2], b"\x89PNG\r\n\x1a\n", b"", b"GIF89a"] {
        let refused = Picture::from_png(damaged).unwrap_err().to_string();
        assert!(refused.contains("expected the bytes of a PNG file"), "{refused}");
    }
    std::fs::write(&path, "hello").unwrap();
    let refused = Picture::open(&path).unwrap_err().to_string();
    assert!(
        refused.contains("expected a PNG or SVG file") && refused.contains("nice"),
        "{refused}"
    );
    assert!(matches!(Picture::open(folder.path().join("none.png")), Err(Error::Io { .. })));
}

#[test]
fn an_svg_drawing_is_shown_as_an_image() {
    let svg = "<?xml version=\"1.0\"?><!-- mine --><svg width=\"120px\" height=\"80\">\
               <circle cx=\"60\" cy=\"40\" r=\"30\" fill=\"#c00\"/></svg>\n";
    let picture = Picture::from_svg(svg).unwrap();
    assert_eq!((picture.width_px(), picture.height_px()), (120, 80));
    // An image needs the namespace, which people forget.
    assert!(picture.svg().starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width"));
    let bundle = picture.described("A red dot").bundle().unwrap();
    assert_harmless(bundle.html());
    assert!(bundle.html().contains("alt=\"A red dot\" width=\"120\" height=\"80\""));
    let data = bundle.data();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["image/svg+xml", "text/html", "text/plain"]);
    assert_eq!(data["text/plain"], "A red dot");

    let sizes = [
        ("<svg viewBox='0 0 64 32'></svg>", (64, 32)),
        ("<svg viewBox=\"-5,-5, 10.4 20\"/>", (10, 20)),
        ("<svg stroke-width=\"3\" width=\"100%\" height=\"9\"/>", (860, 400)),
        ("<svg data-x='a>b' width='7' height='8'><g/></svg>", (7, 8)),
        ("<svg width=\"1e9\" height=\"NaN\"/>", (860, 400)),
    ];
    for (svg, size) in sizes {
        let picture = Picture::from_svg(svg).unwrap_or_else(|error| panic!("{svg}: {error}"));
        assert_eq!((picture.width_px(), picture.height_px()), size, "{svg}");
    }
    for none in
        ["", "hello", "<p>no</p>", "words <svg></svg>", "<svg", "<svg><g>", "<svg width='1>"]
    {
        let refused = Picture::from_svg(none).unwrap_err().to_string();
        assert!(refused.contains("expected an SVG drawing"), "{none}: {refused}");
    }
}

#[test]
fn an_svg_that_could_run_is_an_image_and_nothing_else() {
    let hostile = [
        "<svg><script>alert(1)</script></svg>",
        "<svg onload=\"alert(1)\"></svg>",
        "<svg><g\nonclick = 'alert(1)'/></svg>",
        "<svg><rect/onmouseover=alert(1) /></svg>",
        "<svg><a href=\"java\nscript:alert(1)\"><text>x</text></a></svg>",
        "<svg><image href=\"https://elsewhere.example/x.png\"/></svg>",
        "<svg><use xlink:href='//elsewhere.example/x'/></svg>",
        "<svg><style>@import 'https://elsewhere.example';</style></svg>",
        "<svg><rect style=\"fill:url(https://elsewhere.example/x)\"/></svg>",
        "<svg><foreignObject><iframe src=x /></foreignObject></svg>",
        "<svg><set attributeName=\"href\" to=\"x\"/></svg>",
        "<svg><a href=\"&#106;avascript:alert(1)\"/></svg>",
    ];
    for svg in hostile {
        let data = Picture::from_svg(svg).unwrap().bundle().unwrap().data();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["text/html", "text/plain"], "{svg}");
        assert!(data["text/html"].contains("src=\"data:image/svg+xml;base64,"));
        assert_harmless(&data["text/html"]);
    }
    let still = "<svg><defs><linearGradient id='g'/></defs><rect fill='url(#g)'/>\
                 <use href='#g'/><text>on = off, based on</text></svg>";
    assert!(
        Picture::from_svg(still).unwrap().bundle().unwrap().data().contains_key("image/svg+xml")
    );
}

#[test]
fn html_of_the_users_own_keeps_what_is_harmless() {
    let table = "<h2 class=x>Songs &amp; more</h2>\r\n<table><tr><th scope=col>title<td>caf\u{e9}</tr>\
                 </table><p style='color: red'>1 &lt; 2 &#233; <a href=\"https://example.org\">link</a>\
                 <br><img alt=\"dot\" src=\"data:image/png;base64,AAAA\">";
    let html = Html::new(table);
    assert_eq!(
        html.html(),
        "<h2>Songs &amp; more</h2>\n<table><tr><th scope=\"col\">title<td>caf\u{e9}</td></th></tr>\
         </table><p style=\"color: red\">1 &lt; 2 é <a href=\"https://example.org\" target=\"_blank\" \
         rel=\"noopener noreferrer\">link</a><br><img alt=\"dot\" \
         src=\"data:image/png;base64,AAAA\"></p>"
    );
    assert_eq!(html.text(), "Songs & more\ntitle\tcaf\u{e9}\n1 < 2 é link\ndot");
    let bundle = html.bundle().unwrap();
    assert_harmless(bundle.html());
    assert_eq!(bundle.plain(), html.text());
}

#[test]
fn html_of_anybodys_runs_nothing_and_loads_nothing() {
    let hostile = [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=//x.example/a.js></SCRIPT >",
        "<script>alert(1)",
        "<scr<script>ipt>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<img src=\"data:image/png;base64,A\" onerror=\"alert(1)\">",
        "<img/src=x/onerror=alert(1)>",
        "<img src='https://x.example/pixel.png'>",
        "<img src=data:image/svg+xml;base64,AAAA>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript&colon;alert(1)\">x</a>",
        "<a href=' \tjava\nscript:alert(1)'>x</a>",
        "<a href=data:text/html,x>x</a>",
        "<iframe src=//x.example></iframe>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
        "<form action=//x.example><input name=q></form>",
        "<style>*{background:url(//x.example)}</style>",
        "<p style=\"background:url(//x.example)\">x</p>",
        "<p style=\"position:fixed;inset:0\">x</p>",
        "<p style=\"background-image:image-set('//x.example' 1x)\">x</p>",
        "<p style=\"a:\\75rl(//x.example)\">x</p>",
        "<object data=//x.example></object><embed src=//x.example>",
        "<link rel=stylesheet href=//x.example><meta http-equiv=refresh content=0>",
        "<base href=//x.example><body onload=alert(1)>",
        "<audio src=//x.example/a.mp3 autoplay></audio>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!-- --!><img src=x onerror=alert(1)>",
        "<p title='\"><img src=x onerror=alert(1)>'>x</p>",
        "<p title=\"a\" \"onmouseover=alert(1)\">x</p>",
        "</div></div><script>alert(1)</script>",
        "<title><img src=x onerror=alert(1)></title>",
        "<textarea></textarea><img src=x onerror=alert(1)>",
        "<\u{0}script>alert(1)</script>",
        "<img src=\"x` `<script>alert(1)</script>\"` `>",
    ];
    for given in hostile {
        let html = Html::new(given);
        // Within quotes such words are only words.
        let mut outside = String::new();
        for (index, part) in html.html().split('"').enumerate() {
            if index % 2 == 0 {
                outside += part;
            }
        }
        let tags: Vec<&str> = outside.split('<').skip(1).collect();
        for tag in tags {
            let tag = tag.split('>').next().unwrap().to_lowercase();
            let name = tag.trim_start_matches('/').split(' ').next().unwrap();
            let known = ["p", "a", "img", "audio", "div", "br"];
            assert!(known.contains(&name), "{given}: <{tag}> in {}", html.html());
            for attribute in tag.split(' ').skip(1) {
                let attribute = attribute.split('=').next().unwrap();
                let known = ["title", "alt", "href", "src", "target", "rel", "style", ""];
                assert!(known.contains(&attribute), "{given}: {attribute} in {}", html.html());
            }
        }
        let lower = html.html().to_lowercase();
        for word in ["src=\"x", "src=\"//", "src=\"http", "url(", "fixed", "href=\"java", "script:"]
        {
            assert!(!lower.contains(word), "{given}: {word} in {}", html.html());
        }
        assert!(!html.text().contains("alert(1)</script>") || given.contains("&"), "{given}");
        assert!(html.html().matches('"').count() % 2 == 0, "{given}: an open quote");
    }
}

#[test]
fn html_closes_what_was_left_open_and_nothing_else() {
    let cases = [
        ("<b>a", "<b>a</b>"),
        ("a</div></b>b", "ab"),
        ("<ul><li>a<li>b</ul>c", "<ul><li>a<li>b</li></li></ul>c"),
        ("<b><i>a</b>b</i>", "<b><i>a</i></b>b"),
        ("1 < 2 and 3 > 2", "1 &lt; 2 and 3 &gt; 2"),
        ("<", "&lt;"),
        ("<b", "<b></b>"),
        ("</", "&lt;/"),
        ("a<!-- gone", "a"),
        (
            "a &unknown; &amp; &#x1F3B5; &#0; &#xD800;",
            "a &amp;unknown; &amp; 🎵 \u{fffd} &amp;#xD800;",
        ),
        ("<p>EVCXR_END_CONTENT", "<p>EVCXR&#95;END_CONTENT</p>"),
    ];
    for (given, expected) in cases {
        assert_eq!(Html::new(given).html(), expected, "{given}");
    }
    let deep = "<div>".repeat(5_000);
    let html = Html::new(&deep);
    assert_eq!(html.html().matches("<div>").count(), html.html().matches("</div>").count());
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
    (&Chord(vec![])).evcxr_display();
    let boxed: Box<dyn Show> = Box::new(Chord(vec![1.0]));
    boxed.evcxr_display();
    // The library's own method comes first, so there is no doubt which is meant.
    chart([1.0]).evcxr_display();
    Html::new("<b>x</b>").evcxr_display();
    drawing().unwrap().evcxr_display();
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

//! Pictures and HTML of the user's own.

use neural_composer::plotters::prelude::*;
use neural_composer::prelude::{Html, Picture, Show};
use neural_composer::{Error, Result};

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
        assert!(html.html().matches('"').count().is_multiple_of(2), "{given}: an open quote");
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
        ("a <img src=x alt='a &lt;dot&gt;'> b", "a a &lt;dot&gt; b"),
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

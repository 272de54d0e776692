//! What the kernel says about itself.

use crate::publisher::PROTOCOL_VERSION;
use serde_json::{Value, json};

/// The content of a `kernel_info_reply`.
pub fn reply() -> Value {
    json!({
        "status": "ok",
        "protocol_version": PROTOCOL_VERSION,
        "implementation": env!("CARGO_PKG_NAME"),
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": rust_version(),
            "mimetype": "text/x-rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
            "nbconvert_exporter": "script",
        },
        "banner": format!(
            "NeuralComposer's Rust kernel {}: cells draw while they run, and stop when asked to.",
            env!("CARGO_PKG_VERSION")
        ),
        "help_links": [
            { "text": "The Rust standard library", "url": "https://doc.rust-lang.org/stable/std/" },
            { "text": "The Rust book", "url": "https://doc.rust-lang.org/stable/book/" },
            { "text": "Candle", "url": "https://docs.rs/candle-core" },
        ],
        "debugger": false,
        "supported_features": [],
    })
}

/// The compiler's version, asked once.
fn rust_version() -> &'static str {
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| {
        std::process::Command::new("rustc")
            .arg("--version")
            .output()
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok())
            .and_then(|line| line.split(' ').nth(1).map(str::to_owned))
            .unwrap_or_default()
    })
}

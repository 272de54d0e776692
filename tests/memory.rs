//! The estimate of a training's memory against what it takes, and what is said when it does not fit.

use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::model::{Device, Network, NetworkConfig, Precision, gru, lstm, simple_rnn};
use neural_composer::train::loss::Loss;
use neural_composer::train::memory::{self, Alternative, MemoryEstimate, alternatives};
use neural_composer::train::optimizer::{AdamW, Rule, Sgd};
use neural_composer::train::{self, Recompute, Silent, Training};
use neural_composer::{Error, Result};

/// A training that is mostly parameters, mostly layers, or mostly blocks.
struct Case {
    name: &'static str,
    config: NetworkConfig,
    steps: usize,
    settings: Training,
}

fn cases() -> Vec<Case> {
    let training = |batch| Training::epochs(1).batch(batch);
    let adam = Rule::AdamW(AdamW::default());
    let wide = NetworkConfig::stack(1024, [lstm(1024), gru(768)]);
    let long = NetworkConfig::stack(64, [lstm(192); 5]);
    let deep = NetworkConfig::stack(64, [lstm(160).norm().residual(); 6]);
    let broad = NetworkConfig::stack(8192, [simple_rnn(96), gru(64)]);
    let case = |name, config: &NetworkConfig, steps, settings| Case {
        name,
        config: config.clone(),
        steps,
        settings,
    };
    let runs = |steps| Recompute { layers: false, steps: Some(steps) };
    vec![
        case("wide", &wide, 4, training(2)),
        case("wide, fewer bits", &wide, 4, training(2).precision(Precision::Bf16)),
        case("wide, many sequences", &wide, 2, training(24).rule(adam)),
        case("wide, plain", &wide, 4, training(1).rule(Rule::Sgd(Sgd::default()))),
        case("long", &long, 200, training(32)),
        case("long, one layer at a time", &long, 200, training(32).recompute(Recompute::LAYERS)),
        case("long, in runs", &long, 200, training(32).recompute(runs(40))),
        case("long, truncated", &long, 200, training(32).truncate(50)),
        case("deep", &deep, 200, training(32).dropout(0.2)),
        case("deep, fewer bits", &deep, 200, training(32).precision(Precision::Tf32)),
        case("broad", &broad, 40, training(20)),
        case("broad, fewer bits", &broad, 40, training(20).precision(Precision::Bf16)),
        case("broad, heard", &broad, 40, training(20).loss(Loss::Spectral { weight: 1. })),
        case("broad, own output", &broad, 40, training(20).scheduled_sampling(0.5)),
    ]
}

fn data(width: usize, steps: usize, sequences: usize) -> Result<Dataset> {
    let blocks =
        Blocks { sample_rate_hz: 8_000, block_samples: width, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: steps, stride_blocks: 1 };
    let samples = (0..width * (steps + sequences - 1)).map(|i| (i as f32 * 0.37).sin()).collect();
    Dataset::from_audio(&[("hum".into(), Audio::mono(samples, 8_000)?)], settings)
}

#[cfg(target_os = "linux")]
mod measured {
    use super::*;
    use std::process::Command;

    /// Names the case that a child of this test trains.
    const CHILD: &str = "NEURAL_COMPOSER_MEMORY_CASE";

    /// A figure of `/proc/self/status`, in bytes.
    fn status(name: &str) -> u64 {
        let text = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        let kibibytes = line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB");
        kibibytes.trim().parse::<u64>().expect("a number") * 1024
    }

    fn train_case(case: &Case) -> Result<()> {
        let batch = case.settings.batch_size;
        // A second batch, of one sequence, would show what the first one left behind; the first does
        // not hear itself yet.
        let second = if case.settings.scheduled_sampling > 0. { batch } else { 1 };
        let data = data(case.config.width, case.steps, batch + second)?;
        let before = status("VmRSS");
        let mut network = Network::new(case.config.clone(), &data, 1, &Device::cpu())?;
        train::run(&mut network, &data, &case.settings, &mut Silent)?;
        println!("peak={}", status("VmHWM").saturating_sub(before));
        Ok(())
    }

    /// Every case in a process of its own: what one leaves behind would hide what the next takes.
    #[test]
    fn the_estimate_is_what_training_takes() -> Result<()> {
        if let Ok(name) = std::env::var(CHILD) {
            let case = cases().into_iter().find(|case| case.name == name).expect("a case");
            return train_case(&case);
        }
        let mut wrong = Vec::new();
        for case in cases() {
            let output = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "measured::the_estimate_is_what_training_takes", "--nocapture"])
                .env(CHILD, case.name)
                .output()
                .expect("a child");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let peak =
                text.lines().find_map(|line| line.split_once("peak=")).unwrap_or_else(|| {
                    panic!("{}: {text}{}", case.name, String::from_utf8_lossy(&output.stderr))
                });
            let peak = peak.1.trim().parse::<u64>().expect("a number") as f64;
            let estimate = MemoryEstimate::new(&case.config, case.steps, &case.settings);
            let ratio = estimate.with_copies() as f64 / peak;
            let line = format!("{}: {ratio:.2} of {:.0} MB ({estimate})", case.name, peak / 1e6);
            println!("{line}");
            if !(0.9..1.35).contains(&ratio) {
                wrong.push(line);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }

    #[test]
    fn what_is_free_is_known() {
        let free = memory::available_bytes().expect("a figure");
        assert!(free > 1 << 20 && free < 1 << 50, "{free}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() -> Result<()> {
    for case in cases() {
        let needed = MemoryEstimate::new(&case.config, case.steps, &case.settings).total();
        memory::check(&case.config, case.steps, &case.settings, 0, needed)?;
        // What is there already counts as free.
        memory::check(&case.config, case.steps, &case.settings, needed / 2, needed - needed / 2)?;
        let limit = needed - needed / 4;
        let error = memory::check(&case.config, case.steps, &case.settings, 0, limit).unwrap_err();
        assert!(matches!(error, Error::Memory(_)));
        let text = error.to_string();
        assert!(text.contains("too little") && text.contains("What would fit"), "{text}");
        let found = alternatives(&case.config, case.steps, &case.settings, limit);
        for alternative in &found {
            assert!(text.contains(&alternative.to_string()), "{text}");
            let Alternative { config, settings, .. } = alternative;
            memory::check(config, case.steps, settings, 0, limit)?;
        }
        // Something that is not the network itself can be changed where the rest weighs enough.
        assert!(!found.is_empty(), "{}", case.name);
    }
    // Next to nothing free: said without advice that would not help.
    let case = &cases()[0];
    let error = memory::check(&case.config, case.steps, &case.settings, 0, 1_000).unwrap_err();
    assert!(error.to_string().contains("Nothing smaller"), "{error}");
    Ok(())
}

#[test]
fn a_training_far_beyond_the_machine_is_refused_before_it_starts() -> Result<()> {
    let data = data(64, 4, 2)?;
    let mut network = Network::new(NetworkConfig::stack(64, [lstm(8)]), &data, 1, &Device::cpu())?;
    // A batch of this size would be all songs of the world.
    let settings = Training::epochs(1).batch(1 << 45);
    let error = train::run(&mut network, &data, &settings, &mut Silent).unwrap_err();
    if memory::available_bytes().is_some() {
        assert!(matches!(error, Error::Memory(_)), "{error}");
        assert!(error.to_string().contains("batches of"), "{error}");
    }
    Ok(())
}

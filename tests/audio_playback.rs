//! What is played is the file: through ALSA's `file` plug-in, which writes what a sound device
//! would have been given.
//!
//! ALSA reads its configuration once in a process, so that every case runs in a process of its
//! own: the test starts itself again with another environment.

#[cfg(all(target_os = "linux", feature = "playback"))]
mod audio_fixtures;

#[cfg(all(target_os = "linux", feature = "playback"))]
mod linux {
    use super::audio_fixtures;
    use neural_composer::Error;
    use neural_composer::audio::{Audio, Song, stop_all};
    use std::process::Command;
    use std::time::Duration;

    /// Says which part a process that this test started has to play.
    const ROLE: &str = "NEURAL_COMPOSER_TEST_PLAYBACK";

    /// The rate and channels of the device that the configuration below makes.
    const DEVICE_HZ: u32 = 48_000;

    /// A device that swallows everything at once, behind one that writes it to a file.
    const FILE_DEVICE: &str = "
        pcm.!default { type file  slave.pcm { type null }  file \"PLAYED\"  format raw }
        ctl.!default { type null }
    ";

    /// Runs this test again as `role`; what was played, as left and right.
    fn run(test: &str, role: &str, configuration: &str) -> [Vec<f32>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let played = folder.path().join("played.raw");
        let file = folder.path().join("asound.conf");
        let configuration = configuration.replace("PLAYED", &played.display().to_string());
        std::fs::write(&file, configuration).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("linux::{test}"), "--nocapture"])
            .env("ALSA_CONFIG_PATH", &file)
            .env("HOME", folder.path())
            .env(ROLE, role)
            .output()
            .unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{role}: {said}");
        assert!(said.contains("1 passed"), "{role}: {said}");
        let bytes = std::fs::read(&played).unwrap_or_default();
        let samples: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        [0, 1].map(|c| samples.iter().skip(c).step_by(2).copied().collect())
    }

    fn role() -> Option<String> {
        std::env::var(ROLE).ok()
    }

    /// A tone at the device's own rate whose first and last samples are not 0.
    fn tone(seconds: f64) -> Audio {
        let frames = (seconds * f64::from(DEVICE_HZ)) as usize;
        let wave = |step: f32| (0..frames).map(|n| 0.8 * (1.0 + n as f32 * step).sin()).collect();
        Audio::new(vec![wave(0.01), wave(0.023)], DEVICE_HZ).unwrap()
    }

    fn source(role: &str) -> Audio {
        match role {
            "tone" => tone(1.0),
            name => Song::open(audio_fixtures::path(name)).unwrap().audio().clone(),
        }
    }

    /// Asserts that `played` is `wanted` with silence around it.
    fn assert_played(played: &[f32], wanted: &[f32], what: &str) {
        let loud = |s: &&f32| **s != 0.0;
        let lead = wanted.iter().position(|s| *s != 0.0).unwrap();
        let first = played.iter().position(|s| *s != 0.0).expect("something was played");
        let start = first.checked_sub(lead).unwrap();
        let end = start + wanted.len();
        assert!(end <= played.len(), "{what}: only {} of {}", played.len() - start, wanted.len());
        assert!(played[start..end] == *wanted, "{what} differs");
        assert_eq!(played[end..].iter().filter(loud).count(), 0, "{what}: sound after the end");
    }

    #[test]
    fn what_is_played_is_the_source() {
        const TEST: &str = "what_is_played_is_the_source";
        if let Some(role) = role() {
            let playback = source(&role).play().unwrap();
            playback.wait().unwrap();
            assert!(!playback.is_playing());
            return;
        }
        let [left, right] = run(TEST, "tone", FILE_DEVICE);
        assert_played(&left, &tone(1.0).channels()[0], "left");
        assert_played(&right, &tone(1.0).channels()[1], "right");
        // A file of the device's rate in mono, and one of another rate in stereo.
        let mono = source("flac_24.flac");
        assert_eq!((mono.sample_rate_hz(), mono.channel_count()), (DEVICE_HZ, 1));
        let [left, right] = run(TEST, "flac_24.flac", FILE_DEVICE);
        assert_played(&left, &mono.channels()[0], "left of mono");
        assert_played(&right, &mono.channels()[0], "right of mono");
        let stereo = source("vorbis_stereo.ogg").resample(DEVICE_HZ).unwrap();
        let [left, right] = run(TEST, "vorbis_stereo.ogg", FILE_DEVICE);
        assert_played(&left, &stereo.channels()[0], "left, resampled");
        assert_played(&right, &stereo.channels()[1], "right, resampled");
    }

    #[test]
    fn volume_pause_seek_and_stop_do_what_they_say() {
        if role().is_none() {
            let [left, _] =
                run("volume_pause_seek_and_stop_do_what_they_say", "controls", FILE_DEVICE);
            let loudest = left.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
            assert!((0.79..=0.8).contains(&loudest), "{loudest}");
            // After the volume was set to a quarter, up to the seek, and nothing after the stop.
            let quarter = left.iter().filter(|s| (0.195..0.201).contains(&s.abs())).count();
            assert!(quarter > 1000, "{quarter}");
            let sounding = left.iter().rposition(|s| *s != 0.0).unwrap();
            assert!(sounding < left.len() - 1, "played to the very end");
            return;
        }
        let long = Audio::mono(vec![0.8; DEVICE_HZ as usize * 600], DEVICE_HZ).unwrap();
        let playback = long.play().unwrap();
        assert!(playback.is_playing() && !playback.is_paused());
        assert_eq!(playback.volume(), 1.0);
        std::thread::sleep(Duration::from_millis(100));
        playback.pause();
        std::thread::sleep(Duration::from_millis(100));
        assert!(playback.is_playing() && playback.is_paused());
        let held = playback.position_seconds();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(playback.position_seconds(), held);
        assert!(format!("{playback:?}").starts_with("Playback(paused, "), "{playback:?}");
        playback.set_volume(0.25).unwrap();
        assert_eq!(playback.volume(), 0.25);
        playback.resume();
        std::thread::sleep(Duration::from_millis(100));
        assert!(playback.position_seconds() > held);
        playback.seek(590.0).unwrap();
        assert!(playback.position_seconds() >= 590.0);
        playback.seek(10.0).unwrap();
        assert!(playback.position_seconds() < 590.0);
        for wrong in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(playback.seek(wrong), Err(Error::Argument { .. })));
            assert!(matches!(playback.set_volume(wrong as f32), Err(Error::Argument { .. })));
        }
        // The handle may go; the sound does not stop, except when everything is stopped.
        let second = playback.clone();
        drop(playback);
        assert!(second.is_playing());
        stop_all();
        second.wait().unwrap();
        assert!(!second.is_playing());
    }

    #[test]
    fn a_request_to_stop_ends_the_wait() {
        if role().is_none() {
            run("a_request_to_stop_ends_the_wait", "interrupt", FILE_DEVICE);
            return;
        }
        let endless = Audio::mono(vec![0.1; DEVICE_HZ as usize * 3600], DEVICE_HZ).unwrap();
        let playback = endless.play().unwrap();
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            neural_composer::interrupt::request();
        });
        playback.wait().unwrap();
        assert!(!playback.is_playing());
    }

    #[test]
    fn a_machine_without_sound_device_is_told_what_else_there_is() {
        const TEST: &str = "a_machine_without_sound_device_is_told_what_else_there_is";
        if role().is_some() {
            let error = tone(0.1).play().unwrap_err();
            assert!(matches!(error, Error::Playback(_)), "{error:?}");
            let message = error.to_string();
            assert!(message.contains("no sound device") && message.contains("notebook cell"));
            return;
        }
        let [left, _] = run(TEST, "nothing", "ctl.nothing { type null }");
        assert!(left.is_empty());
    }
}

#[cfg(not(feature = "playback"))]
#[test]
fn a_build_without_speakers_says_so() {
    use neural_composer::{Error, audio::Audio};
    let error = Audio::mono(vec![0.0; 10], 8000).unwrap().play().unwrap_err();
    assert!(matches!(error, Error::Playback(_)));
    let message = error.to_string();
    assert!(message.contains("feature \"playback\"") && message.contains("notebook cell"));
}

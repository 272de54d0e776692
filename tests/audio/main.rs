//! Files of sound: read, written, converted; damaged, crafted and odd ones.

#[path = "../audio_fixtures/mod.rs"]
mod audio_fixtures;

mod crafted_headers;
mod damage;
mod decode;
mod odd_headers;
mod odd_sound;
mod other_containers;
mod resample;
mod songs;
mod wav;

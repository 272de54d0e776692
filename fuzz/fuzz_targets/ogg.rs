#![no_main]

neural_composer_fuzz::target!(|data| neural_composer_fuzz::sound::decode("ogg", data));

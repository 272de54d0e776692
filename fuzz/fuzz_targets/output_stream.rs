#![no_main]

neural_composer_fuzz::target!(neural_composer_fuzz::hostile_output_stream::read);

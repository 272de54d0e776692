#![no_main]

neural_composer_fuzz::target!(neural_composer_fuzz::corpus_table::read);

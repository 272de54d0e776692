#![no_main]

neural_composer_fuzz::target!(neural_composer_fuzz::model_file::read);

#![no_main]

neural_composer_fuzz::target!(neural_composer_fuzz::sweep_plan::read);

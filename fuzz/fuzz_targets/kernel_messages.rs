#![no_main]

neural_composer_fuzz::target!(neural_composer_fuzz::hostile_kernel_messages::read);

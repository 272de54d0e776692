//! What a cell shows: charts, players, users' own displays and pictures.

#[path = "../written/mod.rs"]
mod written;

mod notebook;
mod own_displays;
mod own_pictures;
mod page;
mod player;

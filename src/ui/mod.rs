//! The parts of the page, by what a visitor sees. Each reads the state and asks the engine.

mod about;
mod alike;
mod announcer;
mod controls;
mod deck;
mod frame;
mod hero;
mod icons;
mod library;
mod player;
mod settings;
mod sheet;
mod tags;
mod teach;
mod votes;
mod why;

pub use about::AboutSheet;
pub use alike::AlikeSheet;
pub use announcer::Announcer;
pub use deck::Deck;
pub use frame::{Footer, Masthead};
pub use hero::Hero;
pub use library::{Crate, Shelf};
pub use player::Player;
pub use settings::SettingsSheet;
pub use tags::TagsSheet;
pub use teach::TeachSheet;
pub use votes::Votes;
pub use why::Why;

//! The crate of genres, and the table of all songs.

mod crates;
mod row;
mod shelf;

pub use self::crates::Crate;
pub use self::shelf::Shelf;

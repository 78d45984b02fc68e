//! The parts of the page. Each reads the state and asks the engine; none knows another.

mod about;
mod announcer;
mod chart;
mod devices;
mod drop_zone;
mod networks;
mod progress;
mod result;

pub use about::About;
pub use announcer::Announcer;
pub use chart::Chart;
pub use devices::Devices;
pub use drop_zone::DropZone;
pub use networks::Networks;
pub use progress::Progress;
pub use result::Result;

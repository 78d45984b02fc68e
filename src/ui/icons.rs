//! The paths of the icons, on a grid of 24 × 24.

pub const FILE: &str = "M12 3v12m0-12 4.500 4.500M12 3 7.500 7.500M4 15v4a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-4";
pub const FOLDER: &str = "M3 7a2 2 0 0 1 2-2h4l2 2.500h8a2 2 0 0 1 2 2V18a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z";
pub const MICROPHONE: &str =
    "M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3";
pub const TAB: &str =
    "M3 6a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM9 21h6M10 8.500v5l4-2.500z";
pub const RECORD: &str =
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z";
pub const PLAY: &str = "M8 5.500v13l10.500-6.500z";
pub const PAUSE: &str = "M8.500 5.500v13M15.500 5.500v13";
pub const STOP: &str = "M7 7h10v10H7z";
pub const CLOSE: &str = "m6 6 12 12M18 6 6 18";
pub const RETRY: &str = "M4.500 12a7.500 7.500 0 1 1 2.200 5.300M4.500 18v-5h5";
pub const PLUS: &str = "M12 6v12M6 12h12";
pub const MINUS: &str = "M6 12h12";
pub const WIDE: &str = "M4 6v12M20 6v12M7.500 12h9m-9 0 2.500-2.500M7.500 12l2.500 2.500M16.500 12 14 9.500m2.500 2.500L14 14.500";
pub const UP: &str = "M12 19V5m0 0-6 6m6-6 6 6";
pub const SCREEN: &str =
    "M4 9V5a1 1 0 0 1 1-1h4M15 4h4a1 1 0 0 1 1 1v4M20 15v4a1 1 0 0 1-1 1h-4M9 20H5a1 1 0 0 1-1-1v-4";
pub const SETTINGS: &str = "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5";
pub const ABOUT: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5.500M12 7.200v.6";
pub const WARNING: &str = "M12 4.500 21 19.500H3zM12 10v4.500M12 16.800v.6";
pub const SAVE: &str = "M12 4v11m0 0 4.500-4.500M12 15l-4.500-4.500M4 19.500h16";
pub const COPY: &str = "M9 8V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1h-3M5 8h10a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z";
pub const TEACH: &str =
    "M3 9.500 12 5l9 4.500-9 4.500zM7 11.800V16c2.800 2.300 7.200 2.300 10 0v-4.200M21 9.500V15";
pub const MAP: &str = "M6 8.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 11.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM9 19.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4z";
pub const TAG: &str = "M4 4h7.500l8.500 8.500-7.500 7.500L4 11.500zM8 8v.6";

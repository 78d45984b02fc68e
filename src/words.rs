//! Every sentence that a visitor reads, in every language that the page speaks, in one place and
//! one voice. A language that lacks a sentence doesn't compile.

use crate::text::fill;
use crate::trouble::{LARGEST_MEGABYTES, Notice, Reason, Trouble};

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// All of them, in the order of the choice.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its code.
    pub fn id(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The inverse of [`Language::id`].
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.id() == id)
    }

    /// The one that a browser's `de-AT` means.
    pub fn of(tag: &str) -> Option<Self> {
        Self::from_id(&tag.split('-').next()?.to_ascii_lowercase())
    }

    /// Its sentences.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// The sentences. `{0}`, `{1}` … are filled in by [`fill`].
pub struct Words {
    pub language_name: &'static str,
    pub title: &'static str,
    pub skip: &'static str,
    pub tools: &'static str,
    pub about: &'static str,
    pub settings: &'static str,
    pub conference: &'static str,
    pub close: &'static str,
    pub promise: &'static str,
    pub footer_cpu: &'static str,
    pub footer_both: &'static str,
    pub footer_loading: &'static str,
    pub footer_none: &'static str,
    pub update_ready: &'static str,
    pub update_now: &'static str,

    pub drop_a_song: &'static str,
    pub let_go: &'static str,
    pub see_its_genre: &'static str,
    pub lead: &'static str,
    pub formats: &'static str,
    pub choose_files: &'static str,
    pub choose_folder: &'static str,
    pub microphone: &'static str,
    pub tab_sound: &'static str,
    pub example: &'static str,
    pub example_name: &'static str,
    pub recording: &'static str,
    pub tab_recording: &'static str,

    pub waiting_first: &'static str,
    pub waiting_one: &'static str,
    pub waiting_many: &'static str,
    pub decoding: &'static str,
    pub listening: &'static str,
    pub listening_large: &'static str,
    pub loading_networks: &'static str,
    pub segments_of: &'static str,
    pub progress: &'static str,
    pub cancel: &'static str,
    pub retry: &'static str,
    pub no_answer: &'static str,
    pub very_sure: &'static str,
    pub quite_sure: &'static str,
    pub leaning: &'static str,
    pub close_call: &'static str,
    pub guess: &'static str,
    pub none_of_these: &'static str,
    pub none_words: &'static str,
    pub judged_fast: &'static str,
    pub ask_all: &'static str,
    pub by_cpu: &'static str,
    pub by_gpu: &'static str,
    pub timing: &'static str,
    pub save_picture: &'static str,
    pub copy_picture: &'static str,
    pub picture_line: &'static str,

    pub hearing_microphone: &'static str,
    pub hearing_tab: &'static str,
    pub live_silence: &'static str,
    pub live_hint: &'static str,
    pub stop: &'static str,

    pub all_genres: &'static str,
    pub crate_empty: &'static str,
    pub crate_song: &'static str,
    pub crate_so_far: &'static str,
    pub crate_at: &'static str,
    pub crate_now: &'static str,

    pub timeline: &'static str,
    pub play: &'static str,
    pub pause: &'static str,
    pub position: &'static str,
    pub deck_hint: &'static str,
    pub no_sound_kept: &'static str,
    pub silent: &'static str,
    pub silent_here: &'static str,
    pub from_to: &'static str,
    pub segments_keys: &'static str,
    pub zoom: &'static str,
    pub zoom_in: &'static str,
    pub zoom_out: &'static str,
    pub zoom_whole: &'static str,
    pub overview: &'static str,
    pub part_of: &'static str,
    pub spectrogram_of: &'static str,
    pub high_tones: &'static str,
    pub low_tones: &'static str,
    pub as_table: &'static str,
    pub time: &'static str,
    pub first: &'static str,
    pub second: &'static str,
    pub third: &'static str,

    pub votes_title: &'static str,
    pub votes_at: &'static str,
    pub votes_of_all: &'static str,
    pub all_agree: &'static str,
    pub some_agree: &'static str,
    pub split_at: &'static str,
    pub network: &'static str,
    pub its_vote: &'static str,

    pub your_crate: &'static str,
    pub one_song: &'static str,
    pub n_songs: &'static str,
    pub still_open: &'static str,
    pub of_them_failed: &'static str,
    pub cancel_all: &'static str,
    pub song: &'static str,
    pub genre: &'static str,
    pub share: &'static str,
    pub length: &'static str,
    pub actions: &'static str,
    pub action_on: &'static str,
    pub raise: &'static str,
    pub remove: &'static str,
    pub status_waiting: &'static str,
    pub status_working: &'static str,
    pub status_failed: &'static str,
    pub status_cancelled: &'static str,
    pub announce_progress: &'static str,
    pub announce_result: &'static str,

    pub about_title: &'static str,
    pub about_lead: &'static str,
    pub how_often: &'static str,
    pub headline_one: &'static str,
    pub headline_many: &'static str,
    pub headline_all: &'static str,
    pub all_together: &'static str,
    pub trained_again: &'static str,
    pub other_splits: &'static str,
    pub tested_on: &'static str,
    pub right: &'static str,
    pub interval: &'static str,
    pub n_clips: &'static str,
    pub n_segments: &'static str,
    pub fault_filtered: &'static str,
    pub track_stratified: &'static str,
    pub segment_random: &'static str,
    pub confusion_title: &'static str,
    pub confusion_caption: &'static str,
    pub weaknesses: &'static str,
    pub weaknesses_list: [&'static str; 5],
    pub data: &'static str,
    pub data_words: &'static str,
    pub networks: &'static str,
    pub parameters: &'static str,
    pub privacy: &'static str,
    pub privacy_words: &'static str,

    pub networks_fast: &'static str,
    pub networks_full: &'static str,
    pub networks_hint: &'static str,
    pub networks_ready: &'static str,
    pub networks_failed: &'static str,
    pub rule_title: &'static str,
    pub rule_measured: &'static str,
    pub rule_sum: &'static str,
    pub rule_product: &'static str,
    pub rule_vote: &'static str,
    pub rule_hint: &'static str,
    pub device_title: &'static str,
    pub device_auto: &'static str,
    pub device_hint: &'static str,
    pub device_off: &'static str,
    pub device_unavailable: &'static str,
    pub device_loading: &'static str,
    pub device_ready: &'static str,
    pub device_failed: &'static str,
    pub device_check: &'static str,
    pub theme_title: &'static str,
    pub theme_system: &'static str,
    pub theme_light: &'static str,
    pub theme_dark: &'static str,
    pub language_title: &'static str,
    pub motion_title: &'static str,
    pub keep_still: &'static str,
    pub history_title: &'static str,
    pub keep_history: &'static str,
    pub history_hint: &'static str,
    pub clear_history: &'static str,
    pub diagnostics_title: &'static str,
    pub diagnostics_hint: &'static str,
    pub copy_diagnostics: &'static str,

    pub trouble_empty: &'static str,
    pub trouble_too_large: &'static str,
    pub trouble_unreadable: &'static str,
    pub trouble_not_audio: &'static str,
    pub trouble_too_short: &'static str,
    pub trouble_silent: &'static str,
    pub trouble_bad_samples: &'static str,
    pub trouble_models: &'static str,
    pub trouble_device: &'static str,
    pub trouble_mismatch: &'static str,

    pub notice_cpu_restarted: &'static str,
    pub notice_gpu_stopped: &'static str,
    pub notice_gpu_not_ready: &'static str,
    pub notice_gpu_unusable: &'static str,
    pub notice_no_file: &'static str,
    pub notice_no_songs: &'static str,
    pub notice_left_out: &'static str,
    pub notice_no_microphone: &'static str,
    pub notice_no_tab_sound: &'static str,
    pub notice_not_kept: &'static str,
    pub notice_copied: &'static str,
    pub notice_no_history: &'static str,

    pub reason_no_api: &'static str,
    pub reason_no_adapter: &'static str,
    pub reason_lacking: &'static str,
    pub reason_mismatch: &'static str,
    pub reason_models: &'static str,
    pub reason_protocol: &'static str,
    pub reason_stopped: &'static str,

    pub why_title: &'static str,
    pub why_here: &'static str,
    pub why_choose: &'static str,
    pub why_ask: &'static str,
    pub why_asking: &'static str,
    pub why_stop: &'static str,
    pub why_legend: &'static str,
    pub why_most: &'static str,
    pub why_part: &'static str,
    pub why_none: &'static str,
    pub tones_lowest: &'static str,
    pub tones_low: &'static str,
    pub tones_middle: &'static str,
    pub tones_high: &'static str,
    pub tones_highest: &'static str,
    pub traits_title: &'static str,
    pub traits_caption: &'static str,
    pub traits_picture: &'static str,
    pub trait_names: [&'static str; 6],
    pub trait_units: [&'static str; 6],
    pub trait_below: &'static str,
    pub trait_within: &'static str,
    pub trait_above: &'static str,
    pub notice_not_explained: &'static str,

    /// Ids of genres with their names; an id that isn't here is its own name.
    pub genres: [(&'static str, &'static str); 10],
}

impl Words {
    /// A genre's name, as it stands within a sentence.
    pub fn genre(&self, id: &str) -> String {
        let known = self.genres.iter().find(|(known, _)| *known == id);
        known.map_or_else(|| id.replace(['_', '-'], " "), |(_, name)| (*name).to_string())
    }

    /// How long a song has to wait.
    pub fn waiting(&self, before: usize) -> String {
        match before {
            0 => self.waiting_first.into(),
            1 => self.waiting_one.into(),
            n => fill(self.waiting_many, &[&n.to_string()]),
        }
    }

    /// How many songs there are.
    pub fn songs(&self, n: usize) -> String {
        if n == 1 { self.one_song.into() } else { fill(self.n_songs, &[&n.to_string()]) }
    }

    /// Why a song has no result, and what to do.
    pub fn trouble(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::TooLarge { megabytes } => {
                fill(self.trouble_too_large, &[&megabytes.to_string(), &LARGEST_MEGABYTES.to_string()])
            }
            other => match other {
                Trouble::Empty => self.trouble_empty,
                Trouble::Unreadable => self.trouble_unreadable,
                Trouble::TooShort => self.trouble_too_short,
                Trouble::Silent => self.trouble_silent,
                Trouble::BadSamples => self.trouble_bad_samples,
                Trouble::Models => self.trouble_models,
                Trouble::Device => self.trouble_device,
                Trouble::Mismatch => self.trouble_mismatch,
                Trouble::NotAudio | Trouble::TooLarge { .. } => self.trouble_not_audio,
            }
            .into(),
        }
    }

    /// What the visitor should know.
    pub fn notice(&self, notice: Notice) -> String {
        match notice {
            Notice::LeftOut(n) => fill(self.notice_left_out, &[&n.to_string()]),
            other => match other {
                Notice::CpuRestarted => self.notice_cpu_restarted,
                Notice::GpuStopped => self.notice_gpu_stopped,
                Notice::GpuNotReady => self.notice_gpu_not_ready,
                Notice::GpuUnusable => self.notice_gpu_unusable,
                Notice::NoFile | Notice::LeftOut(_) => self.notice_no_file,
                Notice::NoSongs => self.notice_no_songs,
                Notice::NoMicrophone => self.notice_no_microphone,
                Notice::NoTabSound => self.notice_no_tab_sound,
                Notice::NotKept => self.notice_not_kept,
                Notice::Copied => self.notice_copied,
                Notice::NoHistory => self.notice_no_history,
                Notice::NotExplained => self.notice_not_explained,
            }
            .into(),
        }
    }

    /// Why a device is out of use.
    pub fn reason(&self, reason: Reason) -> &'static str {
        match reason {
            Reason::NoApi => self.reason_no_api,
            Reason::NoAdapter => self.reason_no_adapter,
            Reason::Lacking => self.reason_lacking,
            Reason::Mismatch => self.reason_mismatch,
            Reason::Models => self.reason_models,
            Reason::Protocol => self.reason_protocol,
            Reason::Stopped => self.reason_stopped,
        }
    }
}

static ENGLISH: Words = Words {
    language_name: "English",
    title: "Cratedigger: what genre is this song?",
    skip: "Skip to the song",
    tools: "Tools",
    about: "About the model",
    settings: "Settings",
    conference: "Conference",
    close: "Close",
    promise: "Nothing is uploaded. Songs are decoded and judged on this computer; the page’s own policy forbids \
              it to talk to any server but the one it came from.",
    footer_cpu: "Computed on the CPU.",
    footer_both: "Computed on the CPU and with WebGPU.",
    footer_loading: "Getting the networks ready…",
    footer_none: "The networks are not there.",
    update_ready: "A newer version of this page is ready.",
    update_now: "Use it now",

    drop_a_song: "Drop a song.",
    let_go: "Let go to listen.",
    see_its_genre: "See its genre, and why.",
    lead: "Cratedigger listens right here, on your own computer, and tells you moment by moment what it hears. \
           No song leaves this page.",
    formats: "WAV, MP3, FLAC, OGG or M4A, anywhere on this page.",
    choose_files: "Choose songs",
    choose_folder: "A folder",
    microphone: "Microphone",
    tab_sound: "Sound of a tab",
    example: "Try an example",
    example_name: "Example in three moods.wav",
    recording: "Recording",
    tab_recording: "Tab recording",

    waiting_first: "Next in line.",
    waiting_one: "One song is before it.",
    waiting_many: "{0} songs are before it.",
    decoding: "Decoding…",
    listening: "Listening…",
    listening_large: "Listening…",
    loading_networks: "Getting the networks ready…",
    segments_of: "{0} of {1} segments heard",
    progress: "Progress",
    cancel: "Cancel",
    retry: "Try again",
    no_answer: "No answer",
    very_sure: "Very sure: {0}. The next would be {2}, {3}.",
    quite_sure: "Quite sure: {0}. After that comes {2}, {3}.",
    leaning: "Leaning to {1}, {0}. It could also be {2}, {3}.",
    close_call: "A close call: {0} {1}, {3} {2}.",
    guess: "More a guess than an answer: {0} {1}, {3} {2}.",
    none_of_these: "None of these",
    none_words: "Not sure enough to name one of the ten. The nearest is {0}, {1}.",
    judged_fast: "Judged by the fast network alone.",
    ask_all: "Ask all {0}",
    by_cpu: "Done by the CPU",
    by_gpu: "Done with WebGPU",
    timing: "in {0}, first segment after {1}",
    save_picture: "Save picture",
    copy_picture: "Copy picture",
    picture_line: "heard on my own computer, nothing uploaded",

    hearing_microphone: "Listening to the microphone",
    hearing_tab: "Listening to the shared sound",
    live_silence: "Silence",
    live_hint: "The last three seconds, about once a second. When you stop, the recording is judged as a whole; \
                it stays in this page’s memory and is gone with it.",
    stop: "Stop",

    all_genres: "All genres",
    crate_empty: "The more probable, the further its record is pulled out.",
    crate_song: "The whole song",
    crate_so_far: "So far",
    crate_at: "At {0}",
    crate_now: "Right now",

    timeline: "The song over time",
    play: "Play",
    pause: "Pause",
    position: "Position in the song",
    deck_hint: "Click anywhere to listen there.",
    no_sound_kept: "Heard on an earlier visit: results are kept, sound is not.",
    silent: "silent",
    silent_here: "Silent here, so not judged.",
    from_to: "{0} to {1}",
    segments_keys: "Segments; the arrow keys move between them",
    zoom: "Zoom",
    zoom_in: "Closer",
    zoom_out: "Farther",
    zoom_whole: "The whole song",
    overview: "Part of the song in sight",
    part_of: "{0} to {1} of {2}",
    spectrogram_of: "Spectrogram of {0}: time from left to right from {1} to {2}, low tones at the bottom, louder is \
                     brighter, 80 decibels in all.",
    high_tones: "high tones",
    low_tones: "low tones",
    as_table: "The timeline as a table",
    time: "Time",
    first: "First",
    second: "Second",
    third: "Third",

    votes_title: "What each network heard",
    votes_at: "At {0}:",
    votes_of_all: "The whole song:",
    all_agree: "all {0} networks agree. ",
    some_agree: "{0} of {1} networks say the same as the answer. ",
    split_at: "They part company at {0}.",
    network: "Network",
    its_vote: "Its vote",

    your_crate: "Your crate",
    one_song: "1 song",
    n_songs: "{0} songs",
    still_open: "{0} of {1} still to come",
    of_them_failed: ", {0} without an answer",
    cancel_all: "Cancel all",
    song: "Song",
    genre: "Genre",
    share: "Sure",
    length: "Length",
    actions: "Actions",
    action_on: "{0}: {1}",
    raise: "Sooner",
    remove: "Remove",
    status_waiting: "waiting",
    status_working: "listening…",
    status_failed: "no answer",
    status_cancelled: "cancelled",
    announce_progress: "Listening, {0} percent done",
    announce_result: "Result: {0}, {1}",

    about_title: "About the model",
    about_lead: "A few small neural networks look at a song’s spectrogram, three seconds at a time, and each \
                 moment gets its own answer. The song’s genre is what these answers say together.",
    how_often: "How often it is right",
    headline_one: "Of {0} test clips by artists it never heard, {1} were named rightly.",
    headline_many: "Of {0} test clips by artists they never heard, each network alone got {1} to {2} right.",
    headline_all: "Of {0} test clips by artists they never heard, the networks together named {1} rightly.",
    all_together: "all together",
    trained_again: "trained again for that split",
    other_splits: "Easier questions get better figures. With the same artists on both sides, or even parts of the \
                   same songs, as many projects split this data, networks like these, some of them larger, had:",
    tested_on: "Tested on",
    right: "Right",
    interval: "95% interval",
    n_clips: "{0} clips",
    n_segments: "{0} segments",
    fault_filtered: "by artists it never heard (fault-filtered)",
    track_stratified: "it never heard, though it may know their artists (track-stratified)",
    segment_random: "of songs it knows other parts of: too rosy (segment-random)",
    confusion_title: "What it takes for what",
    confusion_caption: "{0} clips: a row is the true genre, a column what it was called.",
    weaknesses: "What it can’t do",
    weaknesses_list: [
        "It knows ten genres. Other music gets the one of them that sounds nearest, unless it is too unsure.",
        "It learned from some sixty clips a genre, collected around the year 2000. Newer styles are news to it.",
        "Genres are a matter of opinion: listeners disagree about many of the same clips.",
        "Genres that share their instruments, such as rock, blues and country, are often taken for one another.",
        "Speech is no music, yet it may name a genre for it; noise and silence it mostly tells apart.",
    ],
    data: "What it learned from",
    data_words: "GTZAN: 1000 clips of 30 seconds in ten genres, collected by George Tzanetakis in 2000 and 2001. \
                 Repeated, mislabelled and distorted clips were left out (the “fault-filtered” partition), and no \
                 artist is both in what was learned and in what was tested.",
    networks: "The networks",
    parameters: "{0} trained parameters, {1} kB",
    privacy: "What happens to your songs",
    privacy_words: "They are read by this page and judged by its workers, in this browser. Nothing is sent: the \
                    page’s policy forbids it. Results are kept in this browser if you let it; sound never is.",

    networks_fast: "Fast",
    networks_full: "All",
    networks_hint: "One small network answers first. All of them decide together, and are fetched once it is there.",
    networks_ready: "{0} networks, {1} kB, decide together.",
    networks_failed: "The others could not be loaded; the fast one goes on.",
    rule_title: "How they decide together",
    rule_measured: "As measured",
    rule_sum: "Mean",
    rule_product: "Veto",
    rule_vote: "Vote",
    rule_hint: "The figures under “About the model”, and “None of these”, belong to the rule as measured.",
    device_title: "Where it is computed",
    device_auto: "Automatic",
    device_hint: "Automatic takes whichever measured faster.",
    device_off: "not used",
    device_unavailable: "not available: {0}",
    device_loading: "loading and checking…",
    device_ready: "checked, {0} a segment",
    device_failed: "failed: {0}",
    device_check: "largest difference from the reference {0}, allowed {1}",
    theme_title: "Theme",
    theme_system: "As the system",
    theme_light: "Light",
    theme_dark: "Dark",
    language_title: "Language",
    motion_title: "Motion",
    keep_still: "Keep everything still",
    history_title: "History",
    keep_history: "Keep results in this browser",
    history_hint: "Only names and results, never sound. Turning it off forgets what was kept.",
    clear_history: "Clear the crate and the history",
    diagnostics_title: "Diagnostics",
    diagnostics_hint: "For a report of a fault; without names of files.",
    copy_diagnostics: "Copy",

    trouble_empty: "This file is empty (0 bytes). Try another copy of it.",
    trouble_too_large: "This file has {0} MB; at most {1} MB can be decoded in a browser. Try a shorter or a \
                        compressed file.",
    trouble_unreadable: "Your browser couldn’t read this file. Was it moved or changed? Choose it again.",
    trouble_not_audio: "This doesn’t look like audio that your browser can read. Try WAV, MP3, FLAC, OGG or M4A.",
    trouble_too_short: "This song is too short to judge. Try one of at least a few seconds.",
    trouble_silent: "This file is silent from start to end. Try one with music in it.",
    trouble_bad_samples: "The audio in this file is damaged. Try another copy, or convert it to WAV.",
    trouble_models: "The networks couldn’t be loaded. Check your connection and reload the page.",
    trouble_device: "The computation stopped, and so did a second try. Close other tabs to free memory, then try \
                     again.",
    trouble_mismatch: "Parts of this page don’t fit together. Reload it, then drop the song again.",

    notice_cpu_restarted: "The CPU worker stopped and was started again.",
    notice_gpu_stopped: "The GPU stopped, so the CPU does this song again.",
    notice_gpu_not_ready: "WebGPU isn’t ready yet, so the CPU does this song.",
    notice_gpu_unusable: "WebGPU doesn’t work here, so the CPU does this song.",
    notice_no_file: "That wasn’t a file. Drop a song from your computer, or choose one.",
    notice_no_songs: "No songs in there. Try a folder with WAV, MP3, FLAC, OGG or M4A files.",
    notice_left_out: "{0} other files in there are no songs and were left out.",
    notice_no_microphone: "The microphone couldn’t be used. Allow it for this page in your browser, then try \
                           again.",
    notice_no_tab_sound: "No sound was shared. Choose a tab, and tick that its sound is shared, too.",
    notice_not_kept: "Your browser didn’t allow that. Saving as a file may work instead.",
    notice_copied: "Copied.",
    notice_no_history: "The history can’t be written in this browser. Export the results to keep them.",

    reason_no_api: "this browser doesn’t offer it",
    reason_no_adapter: "no suitable graphics card found",
    reason_lacking: "your GPU lacks something that the networks need",
    reason_mismatch: "it computes other numbers than it should, so it isn’t used",
    reason_models: "the networks couldn’t be loaded",
    reason_protocol: "this page and its worker don’t fit together: reload the page",
    reason_stopped: "it stopped while computing",

    why_title: "Why",
    why_here: "Why {0} here?",
    why_choose: "Genre to explain",
    why_ask: "Show why",
    why_asking: "Listening closely…",
    why_stop: "Hide",
    why_legend: "Lit: what speaks for {0} between {1} and {2}. Each part was taken out of the sound to see how much \
                 of {0} is left without it.",
    why_most: "Most of all: {0}.",
    why_part: "{0} at {1}",
    why_none: "No single part stands out.",
    tones_lowest: "the lowest tones",
    tones_low: "low tones",
    tones_middle: "middle tones",
    tones_high: "high tones",
    tones_highest: "the highest tones",
    traits_title: "What it is like",
    traits_caption: "The song beside the middle eight tenths of the training clips of {1} ({0} clips in all genres).",
    traits_picture: "Radar of six traits; the table beside it has the same figures.",
    trait_names: ["Tempo", "Brightness", "Noisiness", "Harmony", "Loudness", "Dynamics"],
    trait_units: [
        "{0} beats a minute",
        "centre of the sound at {0} kHz",
        "{0} zero crossings a sample",
        "{0} harmonic, the rest percussive",
        "{0} of full scale",
        "changes by {0}",
    ],
    trait_below: "less than most {0}",
    trait_within: "as most {0}",
    trait_above: "more than most {0}",
    notice_not_explained: "That couldn’t be looked at more closely. Try again in a moment.",

    genres: [
        ("blues", "blues"),
        ("classical", "classical"),
        ("country", "country"),
        ("disco", "disco"),
        ("hiphop", "hip-hop"),
        ("jazz", "jazz"),
        ("metal", "metal"),
        ("pop", "pop"),
        ("reggae", "reggae"),
        ("rock", "rock"),
    ],
};

static GERMAN: Words = Words {
    language_name: "Deutsch",
    title: "Cratedigger: Welches Genre ist das?",
    skip: "Zum Stück springen",
    tools: "Werkzeuge",
    about: "Über das Modell",
    settings: "Einstellungen",
    conference: "Vortrag",
    close: "Schließen",
    promise: "Nichts wird hochgeladen. Stücke werden auf diesem Rechner gelesen und beurteilt; die Seite \
              verbietet sich selbst, mit einem anderen Server zu sprechen als dem, von dem sie kommt.",
    footer_cpu: "Gerechnet wird auf der CPU.",
    footer_both: "Gerechnet wird auf der CPU und mit WebGPU.",
    footer_loading: "Die Netze werden vorbereitet …",
    footer_none: "Die Netze fehlen.",
    update_ready: "Eine neuere Fassung dieser Seite liegt bereit.",
    update_now: "Jetzt verwenden",

    drop_a_song: "Zieh ein Stück hierher.",
    let_go: "Loslassen zum Hören.",
    see_its_genre: "Sieh sein Genre, und warum.",
    lead: "Cratedigger hört gleich hier zu, auf deinem eigenen Rechner, und sagt dir Moment für Moment, was es \
           hört. Kein Stück verlässt diese Seite.",
    formats: "WAV, MP3, FLAC, OGG oder M4A, irgendwo auf dieser Seite.",
    choose_files: "Stücke wählen",
    choose_folder: "Ein Ordner",
    microphone: "Mikrofon",
    tab_sound: "Ton eines Tabs",
    example: "Ein Beispiel",
    example_name: "Beispiel in drei Stimmungen.wav",
    recording: "Aufnahme",
    tab_recording: "Tab-Aufnahme",

    waiting_first: "Als Nächstes dran.",
    waiting_one: "Ein Stück ist vorher dran.",
    waiting_many: "{0} Stücke sind vorher dran.",
    decoding: "Wird gelesen …",
    listening: "Hört zu …",
    listening_large: "Hört zu …",
    loading_networks: "Die Netze werden vorbereitet …",
    segments_of: "{0} von {1} Abschnitten gehört",
    progress: "Fortschritt",
    cancel: "Abbrechen",
    retry: "Noch einmal",
    no_answer: "Keine Antwort",
    very_sure: "Sehr sicher: {0}. Danach käme {2}, {3}.",
    quite_sure: "Ziemlich sicher: {0}. Danach kommt {2}, {3}.",
    leaning: "Eher {1}, {0}. Es könnte auch {2} sein, {3}.",
    close_call: "Knapp: {0} {1}, {3} {2}.",
    guess: "Mehr geraten als gewusst: {0} {1}, {3} {2}.",
    none_of_these: "Keins davon",
    none_words: "Nicht sicher genug, um eins der zehn zu nennen. Am nächsten ist {0}, {1}.",
    judged_fast: "Nur vom schnellen Netz beurteilt.",
    ask_all: "Alle {0} fragen",
    by_cpu: "Auf der CPU",
    by_gpu: "Mit WebGPU",
    timing: "in {0}, erster Abschnitt nach {1}",
    save_picture: "Bild speichern",
    copy_picture: "Bild kopieren",
    picture_line: "auf dem eigenen Rechner gehört, nichts hochgeladen",

    hearing_microphone: "Hört dem Mikrofon zu",
    hearing_tab: "Hört dem geteilten Ton zu",
    live_silence: "Stille",
    live_hint: "Die letzten drei Sekunden, etwa einmal in der Sekunde. Nach dem Anhalten wird die Aufnahme als \
                Ganzes beurteilt; sie bleibt im Speicher dieser Seite und vergeht mit ihr.",
    stop: "Anhalten",

    all_genres: "Alle Genres",
    crate_empty: "Je wahrscheinlicher, desto weiter ist die Platte herausgezogen.",
    crate_song: "Das ganze Stück",
    crate_so_far: "Bis jetzt",
    crate_at: "Bei {0}",
    crate_now: "In diesem Moment",

    timeline: "Das Stück über die Zeit",
    play: "Abspielen",
    pause: "Anhalten",
    position: "Stelle im Stück",
    deck_hint: "Klick irgendwohin, um dort zu hören.",
    no_sound_kept: "Bei einem früheren Besuch gehört: Ergebnisse bleiben, Ton nicht.",
    silent: "still",
    silent_here: "Hier ist es still, also ohne Urteil.",
    from_to: "{0} bis {1}",
    segments_keys: "Abschnitte; die Pfeiltasten gehen von einem zum anderen",
    zoom: "Ausschnitt",
    zoom_in: "Näher",
    zoom_out: "Weiter weg",
    zoom_whole: "Der ganze Song",
    overview: "Sichtbarer Ausschnitt",
    part_of: "{0} bis {1} von {2}",
    spectrogram_of: "Spektrogramm von {0}: Zeit von links nach rechts von {1} bis {2}, tiefe Töne unten, lauter ist \
                     heller, 80 Dezibel insgesamt.",
    high_tones: "hohe Töne",
    low_tones: "tiefe Töne",
    as_table: "Der Verlauf als Tabelle",
    time: "Zeit",
    first: "Erstes",
    second: "Zweites",
    third: "Drittes",

    votes_title: "Was jedes Netz gehört hat",
    votes_at: "Bei {0}:",
    votes_of_all: "Der ganze Song:",
    all_agree: "alle {0} Netze sind sich einig. ",
    some_agree: "{0} von {1} Netzen sagen dasselbe wie die Antwort. ",
    split_at: "Uneins sind sie bei {0}.",
    network: "Netz",
    its_vote: "Seine Stimme",

    your_crate: "Deine Kiste",
    one_song: "1 Stück",
    n_songs: "{0} Stücke",
    still_open: "{0} von {1} stehen noch aus",
    of_them_failed: ", {0} ohne Antwort",
    cancel_all: "Alle abbrechen",
    song: "Stück",
    genre: "Genre",
    share: "Sicher",
    length: "Länge",
    actions: "Aktionen",
    action_on: "{0}: {1}",
    raise: "Früher",
    remove: "Entfernen",
    status_waiting: "wartet",
    status_working: "hört zu …",
    status_failed: "keine Antwort",
    status_cancelled: "abgebrochen",
    announce_progress: "Hört zu, {0} Prozent fertig",
    announce_result: "Ergebnis: {0}, {1}",

    about_title: "Über das Modell",
    about_lead: "Ein paar kleine neuronale Netze sehen sich das Spektrogramm eines Stücks an, drei Sekunden auf \
                 einmal, und jeder Moment bekommt seine eigene Antwort. Das Genre des Stücks ist, was diese \
                 Antworten zusammen sagen.",
    how_often: "Wie oft es stimmt",
    headline_one: "Von {0} Testclips, deren Künstler es nie gehört hat, wurden {1} richtig benannt.",
    headline_many: "Von {0} Testclips, deren Künstler sie nie gehört haben, hat jedes Netz allein {1} bis {2} \
                    richtig benannt.",
    headline_all: "Von {0} Testclips, deren Künstler sie nie gehört haben, haben die Netze zusammen {1} richtig \
                   benannt.",
    all_together: "alle zusammen",
    trained_again: "für diese Teilung neu gelernt",
    other_splits: "Leichtere Fragen geben bessere Zahlen. Mit denselben Künstlern auf beiden Seiten, oder gar Teilen \
                   derselben Stücke, wie viele Projekte diese Daten teilen, hatten Netze wie diese, manche größer:",
    tested_on: "Geprüft an",
    right: "Richtig",
    interval: "95-%-Intervall",
    n_clips: "{0} Clips",
    n_segments: "{0} Abschnitten",
    fault_filtered: "von Künstlern, die es nie gehört hat (fault-filtered)",
    track_stratified: "die es nie gehört hat, deren Künstler es aber kennen mag (track-stratified)",
    segment_random: "aus Stücken, von denen es andere Teile kennt: zu rosig (segment-random)",
    confusion_title: "Was es womit verwechselt",
    confusion_caption: "{0} Clips: eine Zeile ist das wahre Genre, eine Spalte, wie es genannt wurde.",
    weaknesses: "Was es nicht kann",
    weaknesses_list: [
        "Es kennt zehn Genres. Andere Musik bekommt das ähnlichste davon, wenn es nicht zu unsicher ist.",
        "Gelernt hat es aus rund sechzig Clips je Genre, gesammelt um das Jahr 2000. Neueres ist ihm neu.",
        "Genres sind Ansichtssache: über viele derselben Clips sind sich auch Menschen nicht einig.",
        "Genres mit denselben Instrumenten, etwa Rock, Blues und Country, werden oft verwechselt.",
        "Sprache ist keine Musik, doch vielleicht nennt es ein Genre; Rauschen und Stille erkennt es meist.",
    ],
    data: "Woraus es gelernt hat",
    data_words: "GTZAN: 1000 Clips von 30 Sekunden in zehn Genres, gesammelt von George Tzanetakis in den Jahren \
                 2000 und 2001. Wiederholte, falsch benannte und verzerrte Clips blieben außen vor (die Aufteilung \
                 „fault-filtered“), und kein Künstler ist zugleich im Gelernten und im Geprüften.",
    networks: "Die Netze",
    parameters: "{0} gelernte Parameter, {1} kB",
    privacy: "Was mit deinen Stücken geschieht",
    privacy_words: "Sie werden von dieser Seite gelesen und in diesem Browser beurteilt. Nichts wird gesendet: die \
                    Seite verbietet es sich. Ergebnisse bleiben in diesem Browser, wenn du willst; Ton nie.",

    networks_fast: "Schnell",
    networks_full: "Alle",
    networks_hint: "Ein kleines Netz antwortet zuerst. Alle entscheiden zusammen und werden geholt, sobald es da ist.",
    networks_ready: "{0} Netze, {1} kB, entscheiden zusammen.",
    networks_failed: "Die anderen konnten nicht geladen werden; das schnelle macht weiter.",
    rule_title: "Wie sie zusammen entscheiden",
    rule_measured: "Wie gemessen",
    rule_sum: "Mittel",
    rule_product: "Veto",
    rule_vote: "Stimmen",
    rule_hint: "Die Zahlen unter „Über das Modell“ und „Keins davon“ gelten für die gemessene Regel.",
    device_title: "Wo gerechnet wird",
    device_auto: "Automatisch",
    device_hint: "Automatisch nimmt, was schneller gemessen wurde.",
    device_off: "nicht benutzt",
    device_unavailable: "nicht verfügbar: {0}",
    device_loading: "wird geladen und geprüft …",
    device_ready: "geprüft, {0} je Abschnitt",
    device_failed: "ausgefallen: {0}",
    device_check: "größte Abweichung vom Sollwert {0}, erlaubt {1}",
    theme_title: "Darstellung",
    theme_system: "Wie das System",
    theme_light: "Hell",
    theme_dark: "Dunkel",
    language_title: "Sprache",
    motion_title: "Bewegung",
    keep_still: "Alles ruhig halten",
    history_title: "Verlauf",
    keep_history: "Ergebnisse in diesem Browser behalten",
    history_hint: "Nur Namen und Ergebnisse, nie Ton. Ausschalten vergisst, was behalten wurde.",
    clear_history: "Kiste und Verlauf leeren",
    diagnostics_title: "Diagnose",
    diagnostics_hint: "Für eine Fehlermeldung; ohne Dateinamen.",
    copy_diagnostics: "Kopieren",

    trouble_empty: "Diese Datei ist leer (0 Byte). Nimm eine andere Kopie.",
    trouble_too_large: "Diese Datei hat {0} MB; höchstens {1} MB kann ein Browser lesen. Nimm eine kürzere oder \
                        eine komprimierte.",
    trouble_unreadable: "Dein Browser konnte diese Datei nicht lesen. Wurde sie verschoben oder verändert? Wähl \
                         sie noch einmal.",
    trouble_not_audio: "Das sieht nicht nach Ton aus, den dein Browser lesen kann. Nimm WAV, MP3, FLAC, OGG oder \
                        M4A.",
    trouble_too_short: "Dieses Stück ist zu kurz für ein Urteil. Nimm eines von wenigstens ein paar Sekunden.",
    trouble_silent: "Diese Datei ist von Anfang bis Ende still. Nimm eine mit Musik.",
    trouble_bad_samples: "Der Ton in dieser Datei ist beschädigt. Nimm eine andere Kopie, oder wandle sie in WAV \
                          um.",
    trouble_models: "Die Netze konnten nicht geladen werden. Prüfe die Verbindung und lade die Seite neu.",
    trouble_device: "Die Rechnung brach ab, auch beim zweiten Mal. Schließ andere Tabs, um Speicher frei zu \
                     machen, und versuch es noch einmal.",
    trouble_mismatch: "Teile dieser Seite passen nicht zusammen. Lade sie neu und zieh das Stück noch einmal \
                       hierher.",

    notice_cpu_restarted: "Der CPU-Worker brach ab und wurde neu gestartet.",
    notice_gpu_stopped: "Die GPU brach ab; die CPU macht dieses Stück noch einmal.",
    notice_gpu_not_ready: "WebGPU ist noch nicht bereit; die CPU macht dieses Stück.",
    notice_gpu_unusable: "WebGPU geht hier nicht; die CPU macht dieses Stück.",
    notice_no_file: "Das war keine Datei. Zieh ein Stück von deinem Rechner hierher, oder wähl eines.",
    notice_no_songs: "Darin sind keine Stücke. Nimm einen Ordner mit WAV, MP3, FLAC, OGG oder M4A.",
    notice_left_out: "{0} andere Dateien darin sind keine Stücke und blieben außen vor.",
    notice_no_microphone: "Das Mikrofon ließ sich nicht benutzen. Erlaub es dieser Seite im Browser und versuch \
                           es noch einmal.",
    notice_no_tab_sound: "Es wurde kein Ton geteilt. Wähl einen Tab und hake an, dass auch sein Ton geteilt wird.",
    notice_not_kept: "Dein Browser hat das nicht erlaubt. Als Datei speichern geht vielleicht.",
    notice_copied: "Kopiert.",
    notice_no_history: "Der Verlauf lässt sich in diesem Browser nicht schreiben. Exportiere die Ergebnisse, um \
                        sie zu behalten.",

    reason_no_api: "dieser Browser bietet es nicht an",
    reason_no_adapter: "keine passende Grafikkarte gefunden",
    reason_lacking: "deiner GPU fehlt etwas, das die Netze brauchen",
    reason_mismatch: "sie rechnet andere Zahlen, als sie sollte, und wird nicht benutzt",
    reason_models: "die Netze konnten nicht geladen werden",
    reason_protocol: "Seite und Worker passen nicht zusammen: lade die Seite neu",
    reason_stopped: "sie brach beim Rechnen ab",

    why_title: "Warum",
    why_here: "Warum hier {0}?",
    why_choose: "Genre, das erklärt werden soll",
    why_ask: "Zeig warum",
    why_asking: "Hört genau hin …",
    why_stop: "Ausblenden",
    why_legend: "Hell: was zwischen {1} und {2} für {0} spricht. Jeder Teil wurde aus dem Klang genommen, um zu \
                 sehen, wie viel {0} ohne ihn bleibt.",
    why_most: "Am meisten: {0}.",
    why_part: "{0} bei {1}",
    why_none: "Kein einzelner Teil sticht hervor.",
    tones_lowest: "die tiefsten Töne",
    tones_low: "tiefe Töne",
    tones_middle: "mittlere Töne",
    tones_high: "hohe Töne",
    tones_highest: "die höchsten Töne",
    traits_title: "Wie es ist",
    traits_caption: "Das Stück neben den mittleren acht Zehnteln der Trainingsclips von {1} ({0} Clips in allen Genres).",
    traits_picture: "Netzdiagramm aus sechs Eigenschaften; die Tabelle daneben hat dieselben Werte.",
    trait_names: ["Tempo", "Helligkeit", "Rauigkeit", "Harmonie", "Lautstärke", "Dynamik"],
    trait_units: [
        "{0} Schläge in der Minute",
        "Schwerpunkt des Klangs bei {0} kHz",
        "{0} Nulldurchgänge je Wert",
        "{0} harmonisch, der Rest perkussiv",
        "{0} der Vollaussteuerung",
        "schwankt um {0}",
    ],
    trait_below: "weniger als meist bei {0}",
    trait_within: "wie meist bei {0}",
    trait_above: "mehr als meist bei {0}",
    notice_not_explained: "Das ließ sich nicht genauer ansehen. Versuch es gleich noch einmal.",

    genres: [
        ("blues", "Blues"),
        ("classical", "Klassik"),
        ("country", "Country"),
        ("disco", "Disco"),
        ("hiphop", "Hip-Hop"),
        ("jazz", "Jazz"),
        ("metal", "Metal"),
        ("pop", "Pop"),
        ("reggae", "Reggae"),
        ("rock", "Rock"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_what_browsers_say() {
        assert_eq!(Language::of("de-AT"), Some(Language::German));
        assert_eq!(Language::of("EN"), Some(Language::English));
        assert_eq!(Language::of("fr"), None);
        for language in Language::ALL {
            assert_eq!(Language::from_id(language.id()), Some(language));
        }
    }

    #[test]
    fn sentences_have_their_values() {
        for language in Language::ALL {
            let words = language.words();
            assert!(words.trouble(Trouble::TooLarge { megabytes: 412 }).contains("412"));
            assert!(words.notice(Notice::LeftOut(7)).contains('7'));
            assert!(words.waiting(3).contains('3'));
            assert_eq!(words.genre("some_other-one"), "some other one");
            assert!(words.genre("hiphop").to_lowercase().contains("hip-hop"));
        }
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        let all = [
            Trouble::Empty,
            Trouble::TooLarge { megabytes: 400 },
            Trouble::Unreadable,
            Trouble::NotAudio,
            Trouble::TooShort,
            Trouble::Silent,
            Trouble::BadSamples,
            Trouble::Models,
            Trouble::Device,
            Trouble::Mismatch,
        ];
        for language in Language::ALL {
            for trouble in all {
                let sentence = language.words().trouble(trouble);
                let sentences = sentence.matches(['.', '?']).count();
                assert!(sentence.ends_with('.') && sentences >= 2, "{sentence}");
            }
        }
    }
}

//! Any bytes as a sound file: no panic, no endless loop, no sample that is not finite, little memory.
#![no_main]

use std::io::Cursor;

use cratedigger_decode::{Decoder, MonoReader};
use libfuzzer_sys::fuzz_target;

/// Samples after which a file has shown enough: compressed silence expands a thousandfold.
const ENOUGH: usize = 1 << 22;

fuzz_target!(|bytes: &[u8]| {
    // The first byte chooses the hint, so that the same content is read with and without it.
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let hint = [None, Some("mp3"), Some("wav"), Some("mp4")][usize::from(*choice) % 4];
    let Ok(decoder) = Decoder::open(Cursor::new(bytes.to_vec()), hint) else { return };
    let Ok(mut reader) = MonoReader::new(decoder, &[22_050, 16_000]) else { return };
    let mut out = vec![Vec::new(); 2];
    let mut samples = 0;
    loop {
        let more = reader.read_with(&mut out, |block| {
            assert!(block.frames() > 0 && block.sample_rate > 0);
            for channel in &block.channels {
                assert_eq!(channel.len(), block.frames());
                assert!(channel.iter().all(|sample| sample.is_finite()));
                samples += channel.len();
            }
        });
        out.iter_mut().for_each(Vec::clear);
        if !more.unwrap_or(false) || samples > ENOUGH {
            break;
        }
    }
    for note in reader.notes() {
        assert!(!note.to_string().is_empty());
    }
});

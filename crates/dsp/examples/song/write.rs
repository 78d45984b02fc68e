// An expression for the README's example: writes `song.wav`, a chord of 220, 262 and 330 Hz at 120 beats per minute,
// into a temporary folder, and is this folder.
{
    const RATE: u32 = 11_025;
    let folder = tempfile::tempdir()?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(folder.path().join("song.wav"), spec)?;
    for n in 0..6 * RATE {
        let time = f64::from(n) / f64::from(RATE);
        let chord: f64 = [220.0, 262.0, 330.0].map(|hz| (std::f64::consts::TAU * hz * time).sin()).iter().sum();
        writer.write_sample((6000.0 * chord * (-8.0 * (time % 0.5)).exp()) as i16)?;
    }
    writer.finalize()?;
    folder
}

//! Pictures of spectrograms: compared with matplotlib and Pillow (see `tests/golden/README.md`), and
//! properties of all pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(
    target_arch = "wasm32",
    allow(dead_code, unused_imports, reason = "only the property tests use it")
)]

use cratedigger_dsp::augment::generator;
use cratedigger_dsp::picture::{
    Colours, CropBox, Enhancement, MAX_SIDE, Picture, PictureParams, ResizeFilter,
};
use cratedigger_dsp::{DspError, Spectrogram};
#[cfg(not(target_arch = "wasm32"))]
use proptest::{collection::vec, prelude::*, sample::select};
use serde::Deserialize;
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

#[derive(Deserialize)]
struct Golden {
    top_db: f32,
    tables: Tables,
    /// Row after row, lowest band first.
    levels: Vec<Vec<u8>>,
    viridis: Packed,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Tables {
    viridis: String,
    magma: String,
    gray: String,
}

#[derive(Deserialize)]
struct Packed {
    width: usize,
    height: usize,
    /// Hexadecimal digits.
    rgb: String,
}

#[derive(Deserialize)]
struct Step {
    step: String,
    filter: Option<String>,
    factor: Option<f32>,
    #[serde(rename = "box")]
    part: Option<[usize; 4]>,
    #[serde(flatten)]
    result: Packed,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/pictures.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

impl Packed {
    fn picture(&self) -> Picture {
        Picture::new(self.width, self.height, bytes(&self.rgb)).unwrap()
    }
}

/// The largest difference of two pictures, in levels.
fn difference(a: &Picture, b: &Picture) -> u8 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    a.rgb.iter().zip(&b.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Decibels at the middle of the range of a colour level, so that rounding cannot change the level.
fn decibels(level: u8, top_db: f32) -> f32 {
    -top_db + top_db * (f32::from(level) + 0.5) / 256.0
}

/// d3 rounds where matplotlib truncates: a difference of one level at most.
const TABLE_LEVELS: u8 = 1;

#[wasm_bindgen_test(unsupported = test)]
fn colour_tables() {
    let golden = golden();
    let tables = [
        (Colours::Viridis, &golden.tables.viridis),
        (Colours::Magma, &golden.tables.magma),
        (Colours::Grey, &golden.tables.gray),
    ];
    for (colours, table) in tables {
        let expected = Picture::new(256, 1, bytes(table)).unwrap();
        let data = (0..=255).map(|level| decibels(level, golden.top_db)).collect();
        let spectrogram = Spectrogram { bands: 1, frames: 256, data };
        let found = Picture::colour(&spectrogram, colours, golden.top_db).unwrap();
        let worst = difference(&found, &expected);
        assert!(worst <= TABLE_LEVELS, "{colours:?}: {worst} levels");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_lowest_band_is_the_bottom_row() {
    let golden = golden();
    let spectrogram = Spectrogram {
        bands: golden.levels.len(),
        frames: golden.levels[0].len(),
        data: golden.levels.concat().into_iter().map(|level| decibels(level, golden.top_db)).collect(),
    };
    let found = Picture::colour(&spectrogram, Colours::Viridis, golden.top_db).unwrap();
    assert!(difference(&found, &golden.viridis.picture()) <= TABLE_LEVELS);
}

/// Largest accepted difference of a step, in levels.
fn allowed(step: &str) -> u8 {
    match step {
        // Pillow's arithmetic, exact or in single precision. No difference was observed; one level is
        // allowed for processors with fused multiply-add.
        "blur" | "contrast" | "brightness" | "sharpness" => 1,
        // Pillow's algorithm with weights of 16 bits instead of 22: one level was observed, for sums
        // about halfway between two levels.
        "resize" | "crop" => 1,
        // One level from resizing, amplified by contrast, brightness and sharpness: up to ⌈1.2⌉ = 2,
        // ⌈2 · 1.1⌉ = 3 and ⌈3 · 1.1⌉ = 4, as observed.
        _ => 4,
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn every_step_equals_pillows() {
    let golden = golden();
    let source = golden.viridis.picture();
    for step in &golden.steps {
        let factor = || step.factor.unwrap();
        let found = match step.step.as_str() {
            "resize" => {
                let filter = match step.filter.as_deref().unwrap() {
                    "nearest" => ResizeFilter::Nearest,
                    "bilinear" => ResizeFilter::Bilinear,
                    _ => ResizeFilter::Bicubic,
                };
                source.resize(step.result.width, step.result.height, filter)
            }
            "crop" => {
                let [left, top, width, height] = step.part.unwrap();
                source.crop(&CropBox { left, top, width, height }, ResizeFilter::Bicubic)
            }
            "blur" => source.gaussian_blur(factor()),
            "contrast" => source.contrast(factor()),
            "brightness" => source.brightness(factor()),
            "sharpness" => source.sharpness(factor()),
            "all" => source
                .resize(step.result.width, step.result.height, ResizeFilter::Bicubic)
                .and_then(|picture| picture.enhance(&Enhancement::ALL)),
            other => panic!("{other} is no step"),
        };
        let (found, expected) = (found.unwrap(), step.result.picture());
        let worst = difference(&found, &expected);
        assert!(
            worst <= allowed(&step.step),
            "{} {:?} {:?}: {worst} levels",
            step.step,
            step.filter,
            step.factor
        );
        let sum: u32 = found.rgb.iter().zip(&expected.rgb).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let mean = f64::from(sum) / found.rgb.len() as f64;
        assert!(mean <= 0.02, "{} {:?} {:?}: {mean} levels in the mean", step.step, step.filter, step.factor);
    }
    assert_eq!(golden.steps.len(), 27);
}

#[cfg(not(target_arch = "wasm32"))]
fn picture() -> impl Strategy<Value = Picture> {
    (1..20_usize, 1..20_usize).prop_flat_map(|(width, height)| {
        vec(any::<u8>(), width * height * 3).prop_map(move |rgb| Picture { width, height, rgb })
    })
}

#[cfg(not(target_arch = "wasm32"))]
fn filters() -> impl Strategy<Value = ResizeFilter> {
    select(vec![ResizeFilter::Nearest, ResizeFilter::Bilinear, ResizeFilter::Bicubic])
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every spectrogram gives a picture of the requested size.
    #[test]
    fn any_spectrogram_becomes_a_picture(
        (bands, frames, data) in (1..40_usize, 1..40_usize)
            .prop_flat_map(|(b, f)| (Just(b), Just(f), vec(-200.0_f32..100.0, b * f))),
        width in 1..70_usize,
        height in 1..70_usize,
        filter in filters(),
        all in any::<bool>(),
        colours in select(vec![Colours::Viridis, Colours::Magma, Colours::Grey]),
    ) {
        let enhancement = if all { Enhancement::ALL } else { Enhancement::default() };
        let params = PictureParams { colours, width, height, filter, enhancement, ..PictureParams::default() };
        let picture = Picture::render(&Spectrogram { bands, frames, data }, &params).unwrap();
        prop_assert_eq!((picture.width, picture.height), (width, height));
        let input = picture.to_input().unwrap();
        prop_assert_eq!(input.len(), 3 * width * height);
        prop_assert!(input.iter().all(|v| (0.0..=1.0).contains(v)));
    }

    /// A picture of one colour does not change, at any size.
    #[test]
    fn a_picture_of_one_colour_does_not_change(
        pixel in any::<[u8; 3]>(),
        (width, height) in (1..20_usize, 1..20_usize),
        (other_width, other_height) in (1..40_usize, 1..40_usize),
        filter in filters(),
        radius in 0.0_f32..20.0,
        factor in 0.0_f32..5.0,
    ) {
        let plain = Picture::new(width, height, pixel.repeat(width * height)).unwrap();
        prop_assert_eq!(&plain.sharpness(factor).unwrap(), &plain);
        // Three passes in two directions; their weights may sum to a little less than one.
        prop_assert!(difference(&plain.gaussian_blur(radius).unwrap(), &plain) == 0);
        let resized = plain.resize(other_width, other_height, filter).unwrap();
        let expected = Picture::new(other_width, other_height, pixel.repeat(other_width * other_height)).unwrap();
        prop_assert!(difference(&resized, &expected) == 0);
    }

    #[test]
    fn factors_of_one_change_nothing(picture in picture()) {
        prop_assert_eq!(&picture.contrast(1.0).unwrap(), &picture);
        prop_assert_eq!(&picture.brightness(1.0).unwrap(), &picture);
        prop_assert_eq!(&picture.sharpness(1.0).unwrap(), &picture);
        prop_assert_eq!(&picture.gaussian_blur(0.0).unwrap(), &picture);
        prop_assert_eq!(&picture.resize(picture.width, picture.height, ResizeFilter::Bicubic).unwrap(), &picture);
        let whole = CropBox { left: 0, top: 0, width: picture.width, height: picture.height };
        prop_assert_eq!(&picture.crop(&whole, ResizeFilter::Bicubic).unwrap(), &picture);
        prop_assert_eq!(&picture.add_noise(0.0, &mut generator(1)).unwrap(), &picture);
        prop_assert_eq!(&picture.clone().enhance(&Enhancement::default()).unwrap(), &picture);
    }

    /// Blurring is symmetric in both directions.
    #[test]
    fn a_blur_has_no_direction(picture in picture(), radius in 0.0_f32..10.0) {
        let mirrored = |p: &Picture| Picture {
            rgb: p.rgb.chunks_exact(3).rev().flatten().copied().collect(),
            ..p.clone()
        };
        let blurred = picture.gaussian_blur(radius).unwrap();
        prop_assert_eq!(mirrored(&picture).gaussian_blur(radius).unwrap(), mirrored(&blurred));
    }

    #[test]
    fn a_crop_within_the_picture_is_accepted_and_any_other_refused(
        picture in picture(),
        left in 0..25_usize, top in 0..25_usize, width in 0..25_usize, height in 0..25_usize,
    ) {
        let fits = width > 0 && height > 0 && left + width <= picture.width && top + height <= picture.height;
        let found = picture.crop(&CropBox { left, top, width, height }, ResizeFilter::Bilinear);
        prop_assert_eq!(found.is_ok(), fits);
        if let Ok(found) = found {
            prop_assert_eq!((found.width, found.height), (picture.width, picture.height));
        }
    }

    #[test]
    fn nan_and_infinity_are_refused(
        mut data in vec(-80.0_f32..0.0, 60),
        at in 0..60_usize,
        bad in select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ) {
        data[at] = bad;
        let result = Picture::render(&Spectrogram { bands: 6, frames: 10, data }, &PictureParams::default());
        let found = matches!(result, Err(DspError::NonFinite { index, .. }) if index == at);
        prop_assert!(found);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn noise_has_the_requested_deviation() {
    let grey = Picture::new(200, 200, vec![128; 120_000]).unwrap();
    for deviation in [2.0_f32, 10.0] {
        let noisy = grey.add_noise(deviation, &mut generator(7)).unwrap();
        assert_eq!(noisy, grey.add_noise(deviation, &mut generator(7)).unwrap());
        assert_ne!(noisy, grey.add_noise(deviation, &mut generator(8)).unwrap());
        let n = noisy.rgb.len() as f64;
        let mean = noisy.rgb.iter().map(|l| f64::from(*l)).sum::<f64>() / n;
        let variance = noisy.rgb.iter().map(|l| (f64::from(*l) - 128.0).powi(2)).sum::<f64>() / n;
        // Rounding to levels adds 1/12 to the variance; the deviation of 120000 values is accurate to
        // 0.2 %.
        let expected = (f64::from(deviation).powi(2) + 1.0 / 12.0).sqrt();
        assert!((variance.sqrt() / expected - 1.0).abs() < 0.01, "{} for {expected}", variance.sqrt());
        assert!((mean - 128.0).abs() < 0.02 * f64::from(deviation), "{mean}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn the_input_of_a_network_is_channel_after_channel() {
    let picture = Picture::new(2, 1, vec![255, 0, 51, 0, 102, 204]).unwrap();
    assert_eq!(picture.to_input().unwrap(), [1.0, 0.0, 0.0, 0.4, 0.2, 0.8]);
}

#[wasm_bindgen_test(unsupported = test)]
fn invalid_sizes_are_refused() {
    let params = PictureParams::default();
    let render = |bands, frames, data: &[f32], params: &PictureParams| {
        Picture::render(&Spectrogram { bands, frames, data: data.to_vec() }, params)
    };
    let four = [0.0, -10.0, -20.0, -30.0];
    assert!(render(2, 2, &four, &params).is_ok());
    assert!(render(0, 0, &[], &params).is_err());
    assert!(render(0, 4, &[], &params).is_err());
    assert!(render(2, 3, &four, &params).is_err());
    assert!(render(usize::MAX, usize::MAX, &four, &params).is_err());
    for (width, height) in [(0, 128), (128, 0), (MAX_SIDE + 1, 1), (MAX_SIDE, MAX_SIDE), (usize::MAX, 2)] {
        assert!(render(2, 2, &four, &PictureParams { width, height, ..params.clone() }).is_err());
    }
    for top_db in [0.0, -80.0, f32::NAN, f32::INFINITY] {
        assert!(render(2, 2, &four, &PictureParams { top_db, ..params.clone() }).is_err());
    }

    let picture = render(2, 2, &four, &params).unwrap();
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        assert!(picture.gaussian_blur(bad).is_err());
        assert!(picture.contrast(bad).is_err());
        assert!(picture.brightness(bad).is_err());
        assert!(picture.sharpness(bad).is_err());
        assert!(picture.add_noise(bad, &mut generator(0)).is_err());
    }

    // The fields are public and may be inconsistent; this is an error, not a panic.
    let broken = Picture { width: 3, height: 3, rgb: vec![0; 26] };
    assert!(Picture::new(3, 3, vec![0; 26]).is_err());
    assert!(broken.resize(2, 2, ResizeFilter::Nearest).is_err());
    assert!(broken.crop(&CropBox { left: 0, top: 0, width: 1, height: 1 }, ResizeFilter::Nearest).is_err());
    assert!(broken.gaussian_blur(1.0).is_err());
    assert!(broken.contrast(1.0).is_err());
    assert!(broken.brightness(1.0).is_err());
    assert!(broken.sharpness(1.0).is_err());
    assert!(broken.add_noise(1.0, &mut generator(0)).is_err());
    assert!(broken.to_input().is_err());
}

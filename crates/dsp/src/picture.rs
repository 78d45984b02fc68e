//! Spectrograms as pictures, the input of networks made for photographs.
//!
//! The steps are those of the usual notebooks on the GTZAN collection: decibels are mapped to colours,
//! resized to a square, and optionally smoothed and enhanced with Pillow. The documentation of a step
//! names the Pillow function that it reproduces. Versions: Pillow 13, matplotlib 3.11.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{DspError, Spectrogram, check_finite, check_length};

/// The longest side of a picture, in pixels: 25 minutes of frames, 512 samples apart at 22050 Hz.
pub const MAX_SIDE: usize = 1 << 16;
/// The largest number of pixels of a picture: 48 MiB.
pub const MAX_PIXELS: usize = 1 << 24;
/// The largest radius of [`Picture::gaussian_blur`], in pixels.
pub const MAX_RADIUS: f32 = 100.0;

const CHANNELS: usize = 3;

/// Colour maps for decibels: matplotlib's, of 256 colours each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// matplotlib's `viridis`: dark violet over green to yellow.
    Viridis,
    /// matplotlib's `magma`: black over red to pale yellow. `librosa.display.specshow` uses it for
    /// decibels, so it is the default.
    #[default]
    Magma,
    /// matplotlib's `gray`: black to white.
    Grey,
}

impl Colours {
    /// Red, green and blue of one of the 256 levels, the quietest first.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Colours;
    ///
    /// assert_eq!(Colours::Grey.rgb(100), [100; 3]);
    /// assert_eq!(Colours::Viridis.rgb(0), [68, 1, 84]);
    /// ```
    pub fn rgb(self, level: u8) -> [u8; CHANNELS] {
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::Magma => colorous::MAGMA,
            Self::Grey => return [level; CHANNELS],
        };
        gradient.eval_rational(usize::from(level), 256).as_array()
    }
}

/// Resampling filters. All except `Nearest` are Pillow's: they widen their kernel when a picture gets
/// smaller, so that every pixel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResizeFilter {
    /// The nearest pixel: `Image.Resampling.NEAREST`, also used by `load_img` of Keras.
    Nearest,
    /// A triangle: `Image.Resampling.BILINEAR`.
    Bilinear,
    /// The cubic with a = −½: `Image.Resampling.BICUBIC`, the default of `Image.resize`.
    #[default]
    Bicubic,
}

impl ResizeFilter {
    fn algorithm(self) -> ResizeAlg {
        match self {
            Self::Nearest => ResizeAlg::Nearest,
            Self::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Self::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        }
    }
}

/// Steps of enhancement, in this order. A step that is `None` is skipped; by default all are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Enhancement {
    /// Radius of [`Picture::gaussian_blur`], in pixels.
    pub denoise: Option<f32>,
    /// Factor of [`Picture::contrast`].
    pub contrast: Option<f32>,
    /// Factor of [`Picture::brightness`].
    pub brightness: Option<f32>,
    /// Factor of [`Picture::sharpness`].
    pub sharpness: Option<f32>,
}

impl Enhancement {
    /// All steps with their usual strength: blur of radius 1, contrast +20 %, brightness +10 %,
    /// sharpness +10 %.
    pub const ALL: Self =
        Self { denoise: Some(1.0), contrast: Some(1.2), brightness: Some(1.1), sharpness: Some(1.1) };
}

/// Parameters of a picture of a spectrogram.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureParams {
    /// The colour map.
    pub colours: Colours,
    /// Level of the lowest colour, in dB below 0 dB.
    pub top_db: f32,
    /// Columns of the picture.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
    /// The resampling filter.
    pub filter: ResizeFilter,
    /// The enhancement after resizing.
    pub enhancement: Enhancement,
}

impl Default for PictureParams {
    /// 128 × 128 pixels in `magma` over 80 dB, resized with Pillow's default filter, not enhanced.
    fn default() -> Self {
        Self {
            colours: Colours::default(),
            top_db: 80.0,
            width: 128,
            height: 128,
            filter: ResizeFilter::default(),
            enhancement: Enhancement::default(),
        }
    }
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CropBox {
    /// First column.
    pub left: usize,
    /// First row from the top.
    pub top: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
}

/// A picture with three channels of eight bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height · width · 3` levels: row after row from the top, red, green and blue for each pixel.
    pub rgb: Vec<u8>,
}

/// Rejects invalid sides; returns the number of pixels.
fn check_size(width: usize, height: usize) -> Result<usize, DspError> {
    let sides = [("width", width), ("height", height)];
    for (name, side) in sides {
        if side == 0 || side > MAX_SIDE {
            return Err(DspError::Parameter {
                name,
                value: side as f64,
                reason: "1…65536 pixels are needed",
            });
        }
    }
    match width.checked_mul(height) {
        Some(pixels) if pixels <= MAX_PIXELS => Ok(pixels),
        _ => Err(DspError::Parameter {
            name: "width · height",
            value: width as f64 * height as f64,
            reason: "at most 16777216 pixels are possible",
        }),
    }
}

/// Rejects a parameter that is NaN or outside `range`.
fn check_range(
    name: &'static str,
    value: f32,
    range: std::ops::RangeInclusive<f32>,
    reason: &'static str,
) -> Result<(), DspError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(DspError::Parameter { name, value: f64::from(value), reason })
}

fn library(error: &dyn std::fmt::Display) -> DspError {
    DspError::Library(error.to_string())
}

/// `from + factor · (to − from)`, truncated: `Image.blend`.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    // `as` clamps to 0…255 and rounds towards 0, as Pillow does.
    (f32::from(from) + factor * (f32::from(to) - f32::from(from))) as u8
}

impl Picture {
    /// A picture with these levels; see [`Picture::rgb`].
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// assert!(Picture::new(2, 1, vec![0, 0, 0, 255, 255, 255]).is_ok());
    /// assert!(Picture::new(2, 2, vec![0; 6]).is_err());
    /// ```
    ///
    /// # Errors
    /// A side of 0 pixels or more than [`MAX_SIDE`], more than [`MAX_PIXELS`] pixels, or not three
    /// levels for each pixel.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, DspError> {
        let picture = Self { width, height, rgb };
        picture.check()?;
        Ok(picture)
    }

    /// The picture of a spectrogram in dB: coloured, resized and enhanced, with time from left to
    /// right and the lowest band at the bottom.
    ///
    /// ```
    /// use cratedigger_dsp::Spectrogram;
    /// use cratedigger_dsp::picture::{Picture, PictureParams};
    ///
    /// let spectrogram = Spectrogram { bands: 2, frames: 2, data: vec![-80.0, 0.0, -40.0, -40.0] };
    /// let picture = Picture::render(&spectrogram, &PictureParams::default())?;
    /// assert_eq!((picture.width, picture.height), (128, 128));
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Picture::colour`], [`Picture::resize`] and [`Picture::enhance`].
    pub fn render(spectrogram: &Spectrogram, params: &PictureParams) -> Result<Self, DspError> {
        check_size(params.width, params.height)?;
        Self::colour(spectrogram, params.colours, params.top_db)?
            .resize(params.width, params.height, params.filter)?
            .enhance(&params.enhancement)
    }

    /// One pixel for each value of a spectrogram in dB, with the lowest band at the bottom:
    /// `cmap((dB + top_db) / top_db)` of matplotlib, with 256 levels of equal width from
    /// `−top_db` to 0 dB. Values outside this range get the first or the last colour.
    ///
    /// ```
    /// use cratedigger_dsp::Spectrogram;
    /// use cratedigger_dsp::picture::{Colours, Picture};
    ///
    /// let spectrogram = Spectrogram { bands: 2, frames: 2, data: vec![-80.0, 0.0, -40.0, -40.0] };
    /// let picture = Picture::colour(&spectrogram, Colours::Grey, 80.0)?;
    /// // The lowest band is at the bottom.
    /// assert_eq!(picture.rgb, [[128; 3], [128; 3], [0; 3], [255; 3]].concat());
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// An empty or very large spectrogram, data that do not fit its shape, a value that is NaN or
    /// infinite, or a `top_db` outside 1e-3…1e6.
    pub fn colour(spectrogram: &Spectrogram, colours: Colours, top_db: f32) -> Result<Self, DspError> {
        let Spectrogram { bands, frames, data } = spectrogram;
        let pixels = check_size(*frames, *bands)?;
        check_length("spectrogram", pixels, data.len())?;
        check_finite(data)?;
        check_range("top_db", top_db, 1e-3..=1e6, "1e-3…1e6 dB are needed")?;
        let mut rgb = Vec::with_capacity(pixels * CHANNELS);
        for row in data.chunks_exact(*frames).rev() {
            for db in row {
                let level = (f64::from(*db) / f64::from(top_db) + 1.0) * 256.0;
                // `as` clamps to 0…255.
                rgb.extend(colours.rgb(level as u8));
            }
        }
        Ok(Self { width: *frames, height: *bands, rgb })
    }

    /// Resizes a picture: `Image.resize((width, height), filter)`.
    ///
    /// ```
    /// use cratedigger_dsp::picture::{Picture, ResizeFilter};
    ///
    /// let picture = Picture::new(2, 2, vec![100; 12])?;
    /// let large = picture.resize(4, 3, ResizeFilter::Bicubic)?;
    /// assert_eq!(large, Picture::new(4, 3, vec![100; 36])?);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A size that [`Picture::new`] rejects, also for the intermediate picture, which has the new width
    /// and the old height.
    pub fn resize(&self, width: usize, height: usize, filter: ResizeFilter) -> Result<Self, DspError> {
        self.check()?;
        check_size(width, height)?;
        let options = ResizeOptions::new().resize_alg(filter.algorithm());
        let size = |side: usize| u32::try_from(side).map_err(|e| library(&e));
        let mut resizer = Resizer::new();
        let mut pass = |from: &Self, width: usize, height: usize| {
            let source = ImageRef::new(size(from.width)?, size(from.height)?, &from.rgb, PixelType::U8x3)
                .map_err(|e| library(&e))?;
            let mut target = Image::new(size(width)?, size(height)?, PixelType::U8x3);
            resizer.resize(&source, &mut target, &options).map_err(|e| library(&e))?;
            Ok::<_, DspError>(Self { width, height, rgb: target.into_vec() })
        };
        // Levels are rounded and clamped to 0…255 between the two directions. Pillow resizes rows
        // first, and the library does not, which would change some levels at edges.
        check_size(width, self.height)?;
        let rows = pass(self, width, self.height)?;
        pass(&rows, width, height)
    }

    /// Crops a rectangle and resizes it to the size of the whole picture, as in the augmentation of
    /// photographs: `image.crop(box).resize(image.size)`.
    ///
    /// ```
    /// use cratedigger_dsp::picture::{CropBox, Picture, ResizeFilter};
    ///
    /// let picture = Picture::new(2, 1, vec![10, 10, 10, 200, 200, 200])?;
    /// let right = CropBox { left: 1, top: 0, width: 1, height: 1 };
    /// assert_eq!(picture.crop(&right, ResizeFilter::Nearest)?.rgb, [200; 6]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A rectangle that is empty or extends beyond the picture.
    pub fn crop(&self, part: &CropBox, filter: ResizeFilter) -> Result<Self, DspError> {
        self.check()?;
        let CropBox { left, top, width, height } = *part;
        check_size(width, height)?;
        let sides = [("left", left, width, self.width), ("top", top, height, self.height)];
        for (name, first, length, whole) in sides {
            if length > whole || first > whole - length {
                let reason = "the part must lie within the picture";
                return Err(DspError::Parameter { name, value: first as f64, reason });
            }
        }
        let rows = self.rgb.chunks_exact(self.width * CHANNELS).skip(top).take(height);
        let rgb = rows.flat_map(|row| &row[left * CHANNELS..(left + width) * CHANNELS]).copied().collect();
        Self { width, height, rgb }.resize(self.width, self.height, filter)
    }

    /// Applies every step that is not `None`.
    ///
    /// ```
    /// use cratedigger_dsp::picture::{Enhancement, Picture};
    ///
    /// let picture = Picture::new(2, 2, vec![100; 12])?;
    /// let brighter = Enhancement { brightness: Some(1.5), ..Enhancement::default() };
    /// assert_eq!(picture.enhance(&brighter)?.rgb, [150; 12]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// As the steps themselves.
    pub fn enhance(self, enhancement: &Enhancement) -> Result<Self, DspError> {
        let mut picture = self;
        if let Some(radius) = enhancement.denoise {
            picture = picture.gaussian_blur(radius)?;
        }
        if let Some(factor) = enhancement.contrast {
            picture = picture.contrast(factor)?;
        }
        if let Some(factor) = enhancement.brightness {
            picture = picture.brightness(factor)?;
        }
        if let Some(factor) = enhancement.sharpness {
            picture = picture.sharpness(factor)?;
        }
        Ok(picture)
    }

    /// Smooths with a Gaussian whose standard deviation is `radius` pixels:
    /// `image.filter(ImageFilter.GaussianBlur(radius))`.
    ///
    /// As in Pillow, three box filters for each direction approximate it, with widths whose variances
    /// sum to `radius²`. The outermost pixels are repeated outside the picture. Source: Gwosdek, Grewenig,
    /// Bruhn, Weickert, "Theoretical foundations of Gaussian convolution by extended box filtering" (2011),
    /// equations 7, 11 and 14.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// let edge = Picture::new(3, 1, [[0; 3], [0; 3], [240; 3]].concat())?;
    /// let smooth = edge.gaussian_blur(1.0)?;
    /// assert!(smooth.rgb[3] > 0 && smooth.rgb[6] < 240);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A radius outside 0…[`MAX_RADIUS`].
    pub fn gaussian_blur(&self, radius: f32) -> Result<Self, DspError> {
        self.check()?;
        check_range("radius", radius, 0.0..=MAX_RADIUS, "0…100 pixels are needed")?;
        let mut picture = self.clone();
        if radius > 0.0 {
            let filter = BoxFilter::of_gaussian(radius);
            let stride = self.width * CHANNELS;
            for row in 0..self.height {
                for channel in 0..CHANNELS {
                    filter.smooth(&mut picture.rgb, row * stride + channel, CHANNELS, self.width);
                }
            }
            for column in 0..stride {
                filter.smooth(&mut picture.rgb, column, stride, self.height);
            }
        }
        Ok(picture)
    }

    /// Moves every level away from the mean grey (`factor` above 1) or towards it (below 1):
    /// `ImageEnhance.Contrast(image).enhance(factor)`. Grey is ITU-R 601's luma, 0.299·R +
    /// 0.587·G + 0.114·B, and its mean is rounded to a whole level.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// let picture = Picture::new(2, 1, [[100; 3], [140; 3]].concat())?; // mean 120
    /// assert_eq!(picture.contrast(2.0)?.rgb, [[80; 3], [160; 3]].concat());
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A factor outside 0…1000.
    pub fn contrast(&self, factor: f32) -> Result<Self, DspError> {
        self.check_factor(factor)?;
        // Pillow's weights, in 65536ths.
        let luma = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(u64::from);
            (r * 19595 + g * 38470 + b * 7471 + (1 << 15)) >> 16
        };
        let sum: u64 = self.rgb.chunks_exact(CHANNELS).map(luma).sum();
        let mean = (sum as f64 / (self.rgb.len() / CHANNELS) as f64 + 0.5) as u8;
        Ok(self.map(|level| blend(mean, level, factor)))
    }

    /// Multiplies every level: `ImageEnhance.Brightness(image).enhance(factor)`.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// assert_eq!(Picture::new(1, 1, vec![10, 20, 200])?.brightness(2.0)?.rgb, [20, 40, 255]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A factor outside 0…1000.
    pub fn brightness(&self, factor: f32) -> Result<Self, DspError> {
        self.check_factor(factor)?;
        Ok(self.map(|level| blend(0, level, factor)))
    }

    /// Moves every level away from that of the smoothed picture (`factor` above 1) or towards it (below
    /// 1): `ImageEnhance.Sharpness(image).enhance(factor)`. The smoothing filter is Pillow's
    /// `ImageFilter.SMOOTH`, `[1 1 1; 1 5 1; 1 1 1] / 13`, which does not change the outermost
    /// pixels.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// let plain = Picture::new(3, 3, vec![100; 27])?;
    /// assert_eq!(plain.sharpness(2.0)?, plain);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A factor outside 0…1000.
    pub fn sharpness(&self, factor: f32) -> Result<Self, DspError> {
        self.check_factor(factor)?;
        let mut picture = self.clone();
        let stride = self.width * CHANNELS;
        for row in 1..self.height.saturating_sub(1) {
            for at in row * stride + CHANNELS..((row + 1) * stride).saturating_sub(CHANNELS) {
                let three = |middle: usize| {
                    [middle - CHANNELS, middle, middle + CHANNELS]
                        .map(|i| u32::from(self.rgb[i]))
                        .iter()
                        .sum()
                };
                let around: [u32; 3] = [at - stride, at, at + stride].map(three);
                let level = self.rgb[at];
                let sum = around.iter().sum::<u32>() + 4 * u32::from(level);
                // Rounds to the nearest level; 13 is odd, so there are no ties.
                let smooth = ((sum + 6) / 13) as u8;
                picture.rgb[at] = blend(smooth, level, factor);
            }
        }
        Ok(picture)
    }

    /// Adds white Gaussian noise to every level of every channel; sums are rounded and clamped to
    /// 0…255.
    ///
    /// ```
    /// use cratedigger_dsp::augment::generator;
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// let picture = Picture::new(8, 8, vec![100; 192])?;
    /// assert_eq!(picture.add_noise(0.0, &mut generator(1))?, picture);
    /// assert_ne!(picture.add_noise(5.0, &mut generator(1))?, picture);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// A `deviation` (the standard deviation in levels) outside 0…255.
    pub fn add_noise<R: Rng + ?Sized>(&self, deviation: f32, rng: &mut R) -> Result<Self, DspError> {
        self.check()?;
        check_range("deviation", deviation, 0.0..=255.0, "0…255 levels are needed")?;
        Ok(self.map(|level| {
            let normal: f32 = StandardNormal.sample(rng);
            (f32::from(level) + deviation * normal).round() as u8
        }))
    }

    /// The input of a network: `3 · height · width` values in 0…1, channel after channel (red, green,
    /// blue), each row after row from the top. Levels are divided by 255.
    ///
    /// ```
    /// use cratedigger_dsp::picture::Picture;
    ///
    /// let picture = Picture::new(2, 1, vec![255, 0, 51, 0, 255, 102])?;
    /// assert_eq!(picture.to_input()?, [1.0, 0.0, 0.0, 1.0, 0.2, 0.4]);
    /// # Ok::<(), cratedigger_dsp::DspError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Picture::new`].
    pub fn to_input(&self) -> Result<Vec<f32>, DspError> {
        self.check()?;
        let channel = |c: usize| self.rgb.iter().skip(c).step_by(CHANNELS);
        Ok((0..CHANNELS).flat_map(channel).map(|level| f32::from(*level) / 255.0).collect())
    }

    /// Checks the fields, which are public and so may be inconsistent.
    fn check(&self) -> Result<(), DspError> {
        let pixels = check_size(self.width, self.height)?;
        check_length("rgb", pixels * CHANNELS, self.rgb.len())
    }

    fn check_factor(&self, factor: f32) -> Result<(), DspError> {
        self.check()?;
        check_range("factor", factor, 0.0..=1000.0, "0…1000 is needed")
    }

    fn map(&self, mut f: impl FnMut(u8) -> u8) -> Self {
        Self { width: self.width, height: self.height, rgb: self.rgb.iter().map(|level| f(*level)).collect() }
    }
}

/// A box filter of fractional width: its two outermost weights are smaller. Weights are multiples of
/// 2⁻²⁴ and levels are rounded after each pass, as in Pillow.
struct BoxFilter {
    /// Whole pixels on each side of the middle.
    reach: usize,
    inner: u32,
    outer: u32,
}

impl BoxFilter {
    const PASSES: usize = 3;
    const ONE: u32 = 1 << 24;

    fn of_gaussian(radius: f32) -> Self {
        // In single precision, as in Pillow: with a radius of 1 the weights are 1/6, 2/3, 1/6, and their
        // last bit decides every sum halfway between two levels.
        let variance = radius * radius / Self::PASSES as f32;
        let whole = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
        let next = whole + 1.0;
        let fraction =
            (2.0 * whole + 1.0) * (whole * next - 3.0 * variance) / (6.0 * (variance - next * next));
        let inner = (Self::ONE as f32 / (2.0 * (whole + fraction) + 1.0)) as u32;
        let reach = whole as usize;
        let outer = Self::ONE.saturating_sub((2 * reach as u32 + 1) * inner) / 2;
        Self { reach, inner, outer }
    }

    /// Smooths the `n` levels at `first`, `first + step`, …
    fn smooth(&self, levels: &mut [u8], first: usize, step: usize, n: usize) {
        let mut line: Vec<u32> =
            levels[first..].iter().step_by(step).take(n).map(|l| u32::from(*l)).collect();
        let mut padded = Vec::with_capacity(n + 2 * self.reach + 2);
        for _ in 0..Self::PASSES {
            let (left, right) = (line[0], line[n - 1]);
            padded.clear();
            padded.resize(self.reach + 1, left);
            padded.extend_from_slice(&line);
            padded.resize(n + 2 * self.reach + 2, right);
            for (level, window) in line.iter_mut().zip(padded.windows(2 * self.reach + 3)) {
                let [far_left, near @ .., far_right] = window else { continue };
                let sum = near.iter().sum::<u32>() * self.inner + (far_left + far_right) * self.outer;
                // Below 256 · 2²⁴, because the weights sum to at most one.
                *level = (sum + Self::ONE / 2) / Self::ONE;
            }
        }
        for (level, value) in levels[first..].iter_mut().step_by(step).zip(&line) {
            *level = *value as u8;
        }
    }
}

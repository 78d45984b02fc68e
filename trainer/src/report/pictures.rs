//! The pictures of a report.

use std::f64::consts::TAU;

use anyhow::Result;

use super::canvas::{
    Anchor, Axes, MARKS, Mark, Point, SMALL, TEXT, apart, draw, shortened, ticks_to, width_of,
};
use super::palette::{SERIES, Tone};
use super::{ModelReport, percent};
use crate::metrics::{FoldScore, Scores, mean_and_deviation, wilson};
use crate::train::EpochMetrics;

/// The width of a picture of which two stand side by side: a telephone's, so that text on one is
/// as large as it is meant to be.
const WIDTH: f64 = 384.0;

/// The tone and the mark of a series.
fn look(series: usize) -> (Tone, Mark) {
    (SERIES[series % SERIES.len()], MARKS[series % MARKS.len()])
}

/// The values of one line of [`curves`], which may be missing or not finite.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) value: fn(&EpochMetrics) -> f64,
}

/// Values over epochs. `shares` are drawn from 0 to 100 %, others from 0 to their maximum.
pub(super) fn curves(
    label: &str,
    name: &str,
    epochs: &[EpochMetrics],
    lines: &[Curve],
    shares: bool,
    best: Option<usize>,
) -> Result<String> {
    let points: Vec<Vec<Point>> = lines
        .iter()
        .map(|line| {
            let points = epochs.iter().map(|epoch| (epoch.epoch as f64, (line.value)(epoch)));
            points.filter(|(_, y)| y.is_finite()).collect()
        })
        .collect();
    let greatest = points.iter().flatten().map(|(_, y)| *y).fold(0.0, f64::max);
    let ticks = if shares { vec![0.0, 0.25, 0.5, 0.75, 1.0] } else { ticks_to(greatest) };
    let top = ticks.last().copied().unwrap_or(1.0);
    let first = epochs.iter().map(|e| e.epoch).min().unwrap_or(1) as f64;
    let last = epochs.iter().map(|e| e.epoch).max().unwrap_or(1) as f64;
    let longest = lines.iter().map(|line| width_of(line.name, SMALL)).fold(0.0, f64::max);
    let axes = Axes { frame: [40.0, 32.0, WIDTH - longest - 14.0, 232.0], x: [first, last], y: [0.0, top] };
    draw((WIDTH, 270.0), label, |canvas| {
        axes.name_y(canvas, name)?;
        axes.grid_y(canvas, &ticks, |y| if shares { format!("{:.0}", 100.0 * y) } else { short(y) })?;
        let mut epochs_named: Vec<f64> =
            ticks_to(last).into_iter().filter(|&x| x > first && x < last && x.fract() == 0.0).collect();
        epochs_named.retain(|&x| (last - x) > 0.07 * (last - first) && (x - first) > 0.05 * (last - first));
        epochs_named.extend([first, last]);
        epochs_named.dedup();
        axes.ticks_x(canvas, &epochs_named, |x| format!("{x:.0}"))?;
        axes.name_x(canvas, "epoch")?;
        if let Some(best) = best {
            let (from, to) = (axes.at(best as f64, 0.0), axes.at(best as f64, top));
            canvas.line(from, to, Tone::Muted, 0.75)?;
            canvas.text("best", (to.0, to.1 - 8.0), Anchor::Middle, SMALL, Tone::Muted)?;
        }
        let heights: Vec<f64> =
            points.iter().map(|line| line.last().map_or(0.0, |&(x, y)| axes.at(x, y).1)).collect();
        let heights = apart(&heights, 13.0, [axes.frame[1], axes.frame[3] - 6.0]);
        for (index, (line, points)) in lines.iter().zip(&points).enumerate() {
            let (tone, mark) = look(index);
            let pixels: Vec<Point> = points.iter().map(|&(x, y)| axes.at(x, y)).collect();
            canvas.path(&pixels, tone, 1.75)?;
            // Marks where there is room for them, and at the end in any case.
            let all = pixels.len() <= 24;
            for (place, &pixel) in pixels.iter().rev().enumerate() {
                if place == 0 || all {
                    canvas.mark(mark, pixel, tone)?;
                }
            }
            if pixels.is_empty() {
                continue;
            }
            let at = (axes.frame[2] + 9.0, heights[index]);
            canvas.text(line.name, at, Anchor::Start, SMALL, tone)?;
        }
        Ok(())
    })
}

/// A value on an axis, with as many places as it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Counts, with the share of its row below each where there is room.
pub(super) fn confusion(label: &str, unit: &str, scores: &Scores) -> Result<String> {
    let n = scores.classes.len();
    let cell = (440.0 / n as f64).clamp(18.0, 56.0);
    let size = (cell * 0.29).clamp(8.5, 13.0);
    let names: Vec<String> = scores.classes.iter().map(|class| shortened(class, 16)).collect();
    let name_size = if cell < 24.0 { SMALL } else { TEXT };
    let longest = names.iter().map(|name| width_of(name, name_size)).fold(0.0, f64::max);
    let left = longest.max(64.0) + 10.0;
    let steep = cell < 24.0;
    let top = longest * if steep { 0.92 } else { 0.66 } + 30.0;
    // To the right the last name, which rises, and the sums of the rows.
    let width = left + cell * n as f64 + (longest * 0.8).max(44.0);
    draw((width, top + cell * n as f64 + 6.0), label, |canvas| {
        canvas.text("named →", (left - 8.0, top - 26.0), Anchor::End, SMALL, Tone::Muted)?;
        canvas.text("true ↓", (left - 8.0, top - 11.0), Anchor::End, SMALL, Tone::Muted)?;
        let end = left + cell * n as f64;
        canvas.text(unit, (end + 34.0, top - 9.0), Anchor::End, SMALL, Tone::Muted)?;
        for (index, name) in names.iter().enumerate() {
            let middle = cell * (index as f64 + 0.5);
            canvas.tilted(name, (left + middle - 2.0, top - 9.0), name_size, Tone::Ink, steep)?;
            canvas.text(name, (left - 8.0, top + middle), Anchor::End, name_size, Tone::Ink)?;
        }
        for (truth, row) in scores.confusion.iter().enumerate() {
            let total: usize = row.iter().sum();
            let y = top + cell * truth as f64;
            let sum = if total == 0 { "none".into() } else { total.to_string() };
            canvas.text(&sum, (end + 34.0, y + cell / 2.0), Anchor::End, SMALL, Tone::Muted)?;
            for (named, &count) in row.iter().enumerate() {
                let x = left + cell * named as f64;
                let (from, to) = ((x + 1.0, y + 1.0), (x + cell - 1.0, y + cell - 1.0));
                // A little grey keeps empty cells and the diagonal in view.
                canvas.rectangle(from, to, Tone::Grid, if truth == named { 1.0 } else { 0.55 })?;
                if count == 0 {
                    continue;
                }
                let share = count as f64 / total as f64;
                let tone = if truth == named { Tone::Right } else { Tone::Wrong };
                canvas.rectangle(from, to, tone, 0.12 + 0.88 * share)?;
                let (x, y) = (x + cell / 2.0, y + cell / 2.0);
                if cell < 34.0 {
                    canvas.text(&count.to_string(), (x, y), Anchor::Middle, size, Tone::Ink)?;
                } else {
                    canvas.text(&count.to_string(), (x, y - 0.13 * cell), Anchor::Middle, size, Tone::Ink)?;
                    let share = format!("{:.0} %", 100.0 * share);
                    canvas.text(&share, (x, y + 0.2 * cell), Anchor::Middle, size * 0.78, Tone::Ink)?;
                }
            }
        }
        Ok(())
    })
}

/// Precision, recall and F1 of each class: bars for whole clips, ticks across them for segments.
pub(super) fn classes(label: &str, track: &Scores, segment: &Scores) -> Result<String> {
    const ROW: f64 = 21.0;
    let names: Vec<String> = track.classes.iter().map(|class| shortened(class, 13)).collect();
    let left = names.iter().map(|name| width_of(name, TEXT)).fold(30.0, f64::max) + 9.0;
    let (top, gap) = (42.0, 22.0);
    let panel = (WIDTH - left - 3.0 * gap) / 3.0;
    let bottom = top + ROW * names.len() as f64;
    type Figure = (&'static str, fn(&Scores, usize) -> f64);
    let figures: [Figure; 3] = [
        ("precision", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.precision)),
        ("recall", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.recall)),
        ("F1", |scores, class| scores.per_class.get(class).map_or(0.0, |c| c.f1)),
    ];
    draw((WIDTH, bottom + 24.0), label, |canvas| {
        for (index, name) in names.iter().enumerate() {
            let y = top + ROW * (index as f64 + 0.5);
            let tone = if track.per_class[index].support == 0 { Tone::Muted } else { Tone::Ink };
            canvas.text(name, (left - 9.0, y), Anchor::End, TEXT, tone)?;
        }
        for (number, (title, figure)) in figures.into_iter().enumerate() {
            let x = left + number as f64 * (panel + gap);
            canvas.text(title, (x, top - 17.0), Anchor::Start, TEXT, Tone::Ink)?;
            for (tick, name) in [(0.0, "0"), (0.5, ""), (1.0, "100")] {
                let tone = if tick == 0.0 { Tone::Rule } else { Tone::Grid };
                canvas.line((x + panel * tick, top), (x + panel * tick, bottom), tone, 1.0)?;
                let anchor = if tick == 0.0 { Anchor::Start } else { Anchor::End };
                canvas.text(name, (x + panel * tick, bottom + 11.0), anchor, SMALL, Tone::Muted)?;
            }
            for (index, class) in track.per_class.iter().enumerate() {
                let y = top + ROW * (index as f64 + 0.5);
                if class.support == 0 {
                    let none = if class.predicted > 0 && number == 0 { "0" } else { "–" };
                    canvas.text(none, (x + 4.0, y), Anchor::Start, SMALL, Tone::Muted)?;
                    continue;
                }
                let (clips, segments) = (figure(track, index), figure(segment, index));
                canvas.rectangle((x, y - 5.0), (x + panel * clips, y + 5.0), Tone::First, 1.0)?;
                if segment.per_class.get(index).is_some_and(|class| class.support > 0) {
                    let across = x + panel * segments;
                    canvas.line((across, y - 8.5), (across, y + 8.5), Tone::Paper, 4.0)?;
                    canvas.line((across, y - 8.0), (across, y + 8.0), Tone::Second, 2.0)?;
                }
            }
        }
        Ok(())
    })
}

/// One polygon of a [`radar`].
pub(super) struct Polygon {
    pub(super) name: String,
    /// One share a class.
    pub(super) values: Vec<f64>,
}

/// Where `n` names around a circle stand: each on its side of the circle, and not on another one.
fn names_around(n: usize, centre: Point, radius: f64) -> Vec<Point> {
    let angle = |class: usize| TAU * class as f64 / n as f64;
    let mut places: Vec<Point> = (0..n)
        .map(|class| (centre.0 + radius * angle(class).sin(), centre.1 - radius * angle(class).cos()))
        .collect();
    for left in [false, true] {
        let side: Vec<usize> = (0..n).filter(|&class| (places[class].0 < centre.0 - 2.0) == left).collect();
        let heights: Vec<f64> = side.iter().map(|&class| places[class].1).collect();
        let range = [centre.1 - radius, centre.1 + radius];
        for (class, y) in side.into_iter().zip(apart(&heights, 1.1 * SMALL, range)) {
            if (y - places[class].1).abs() > 1.0 {
                // Moved along the circle, so that it does not come to stand on it.
                let across = (radius.powi(2) - (y - centre.1).powi(2)).max(0.0).sqrt().max(5.0);
                places[class] = (centre.0 + if left { -across } else { across }, y);
            }
        }
    }
    places
}

/// Shares of classes around a centre: several polygons, one over the other. At least three classes
/// are needed.
pub(super) fn radar(label: &str, classes: &[String], polygons: &[Polygon]) -> Result<String> {
    const RADIUS: f64 = 122.0;
    let n = classes.len();
    let centre = (WIDTH / 2.0, RADIUS + 34.0);
    let lowest = (0..n).map(|class| -(TAU * class as f64 / n as f64).cos()).fold(0.0, f64::max);
    let bottom = centre.1 + RADIUS * lowest + 34.0;
    let size = if n > 16 { SMALL } else { TEXT };
    let legend = 17.0 * polygons.len() as f64;
    let at = |class: usize, share: f64| {
        let (sin, cos) = (TAU * class as f64 / n as f64).sin_cos();
        (centre.0 + RADIUS * share * sin, centre.1 - RADIUS * share * cos)
    };
    let around = |share: f64| -> Vec<Point> { (0..=n).map(|class| at(class % n, share)).collect() };
    draw((WIDTH, bottom + legend), label, |canvas| {
        for class in 0..n {
            canvas.line(centre, at(class, 1.0), Tone::Grid, 1.0)?;
        }
        for ring in [0.25, 0.5, 0.75, 1.0] {
            canvas.path(&around(ring), if ring == 1.0 { Tone::Rule } else { Tone::Grid }, 1.0)?;
        }
        for (index, polygon) in polygons.iter().enumerate() {
            let (tone, mark) = look(index);
            let mut points: Vec<Point> =
                polygon.values.iter().enumerate().map(|(class, &share)| at(class, share)).collect();
            // More areas than two would be mud.
            if polygons.len() <= 2 {
                canvas.area(&points, tone, 0.07)?;
            }
            points.extend(points.first().copied());
            canvas.path(&points, tone, 1.75)?;
            for &point in points.iter().skip(1) {
                canvas.mark(mark, point, tone)?;
            }
        }
        // Over the polygons, so that they can be read.
        for ring in [0.5, 1.0] {
            let (x, y) = at(0, ring);
            let ring = format!("{:.0}", 100.0 * ring);
            canvas.text(&ring, (x + 5.0, y + 7.0), Anchor::Start, SMALL, Tone::Muted)?;
        }
        for (name, (x, y)) in classes.iter().zip(names_around(n, centre, RADIUS + 12.0)) {
            let anchor = match x - centre.0 {
                d if d > 2.0 => Anchor::Start,
                d if d < -2.0 => Anchor::End,
                _ => Anchor::Middle,
            };
            canvas.text(&shortened(name, 13), (x, y), anchor, size, Tone::Ink)?;
        }
        for (index, polygon) in polygons.iter().enumerate() {
            let (tone, mark) = look(index);
            let y = bottom + 17.0 * index as f64;
            canvas.mark(mark, (56.0, y), tone)?;
            canvas.text(&shortened(&polygon.name, 48), (68.0, y), Anchor::Start, TEXT, Tone::Ink)?;
        }
        Ok(())
    })
}

/// Accuracy against confidence with 95 % intervals, and below it how often there was which
/// confidence.
pub(super) fn reliability(label: &str, scores: &Scores, series: usize) -> Result<String> {
    let (tone, mark) = look(series);
    let axes = Axes { frame: [40.0, 32.0, WIDTH - 10.0, 252.0], x: [0.0, 1.0], y: [0.0, 1.0] };
    let most = scores.reliability.iter().map(|bin| bin.n).max().unwrap_or(0).max(1);
    let counts = Axes { frame: [40.0, 272.0, WIDTH - 10.0, 326.0], x: [0.0, 1.0], y: [0.0, most as f64] };
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0];
    draw((WIDTH, 364.0), label, |canvas| {
        axes.name_y(canvas, "accuracy, %")?;
        axes.grid_y(canvas, &ticks, |y| format!("{:.0}", 100.0 * y))?;
        canvas.line(axes.at(0.0, 0.0), axes.at(1.0, 1.0), Tone::Rule, 1.0)?;
        counts.grid_y(canvas, &[0.0, most as f64], |n| format!("{n:.0}"))?;
        counts.ticks_x(canvas, &ticks, |x| format!("{:.0}", 100.0 * x))?;
        counts.name_x(canvas, "confidence, %")?;
        for bin in scores.reliability.iter().filter(|bin| bin.n > 0) {
            let (low, high) = (counts.at(bin.low, 0.0), counts.at(bin.high, bin.n as f64));
            canvas.rectangle((low.0 + 1.0, high.1), (high.0 - 1.0, low.1), tone, 0.45)?;
            let right = (bin.accuracy * bin.n as f64).round() as usize;
            let [least, greatest] = wilson(right, bin.n);
            canvas.line(axes.at(bin.confidence, least), axes.at(bin.confidence, greatest), tone, 1.0)?;
        }
        let filled: Vec<Point> = scores
            .reliability
            .iter()
            .filter(|bin| bin.n > 0)
            .map(|bin| axes.at(bin.confidence, bin.accuracy))
            .collect();
        canvas.path(&filled, tone, 1.75)?;
        for point in filled {
            canvas.mark(mark, point, tone)?;
        }
        Ok(())
    })
}

/// The accuracies of the folds, their mean and standard deviation.
pub(super) fn folds(label: &str, folds: &[FoldScore]) -> Result<String> {
    type Level = (&'static str, fn(&FoldScore) -> f64);
    let levels: [Level; 2] =
        [("clips", |fold| fold.track_accuracy), ("segments", |fold| fold.segment_accuracy)];
    // The folds differ by little, and are dots and not bars: the scale need not begin at 0.
    let values = || folds.iter().flat_map(|fold| levels.iter().map(move |(_, value)| value(fold)));
    let tenth =
        |value: f64| if value.is_finite() { (10.0 * value).round().clamp(0.0, 10.0) as u32 } else { 0 };
    let low = tenth(values().fold(1.0, f64::min) - 0.1).min(8);
    let high = tenth(values().fold(0.0, f64::max) + 0.1).max(low + 2);
    let ticks: Vec<f64> = (low..=high).map(|tick| f64::from(tick) / 10.0).collect();
    let axes = Axes {
        frame: [40.0, 32.0, WIDTH - 100.0, 212.0],
        x: [0.5, folds.len() as f64 + 0.5],
        y: [f64::from(low) / 10.0, f64::from(high) / 10.0],
    };
    let spreads: Vec<(f64, f64)> = levels
        .iter()
        .map(|(_, value)| mean_and_deviation(&folds.iter().map(value).collect::<Vec<f64>>()))
        .collect();
    let heights: Vec<f64> = spreads.iter().map(|(mean, _)| axes.at(0.5, *mean).1).collect();
    let heights = apart(&heights, 30.0, [axes.frame[1] + 7.0, axes.frame[3] - 7.0]);
    draw((WIDTH, 250.0), label, |canvas| {
        axes.name_y(canvas, "accuracy, %")?;
        axes.grid_y(canvas, &ticks, |y| format!("{:.0}", 100.0 * y))?;
        let every = folds.len().div_ceil(12).max(1);
        let numbers: Vec<f64> = (1..=folds.len()).step_by(every).map(|fold| fold as f64).collect();
        axes.ticks_x(canvas, &numbers, |x| format!("{x:.0}"))?;
        axes.name_x(canvas, "fold")?;
        let [start, end] = axes.x;
        for (level, (mean, deviation)) in spreads.iter().enumerate() {
            let (tone, _) = look(level);
            let (low, high) = (axes.at(start, mean - deviation), axes.at(end, mean + deviation));
            canvas.rectangle((low.0, high.1), (high.0, low.1), tone, 0.13)?;
            canvas.line(axes.at(start, *mean), axes.at(end, *mean), tone, 1.0)?;
        }
        for (level, (name, value)) in levels.iter().enumerate() {
            let (tone, mark) = look(level);
            for (index, fold) in folds.iter().enumerate() {
                canvas.mark(mark, axes.at(index as f64 + 1.0, value(fold)), tone)?;
            }
            let (mean, deviation) = spreads[level];
            let (x, y) = (axes.frame[2] + 9.0, heights[level]);
            canvas.text(name, (x, y - 7.0), Anchor::Start, SMALL, tone)?;
            let spread = format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * deviation);
            canvas.text(&spread, (x, y + 7.0), Anchor::Start, SMALL, tone)?;
        }
        Ok(())
    })
}

/// Accuracies of several models with their intervals.
pub(super) fn accuracies(label: &str, models: &[ModelReport]) -> Result<String> {
    const ROW: f64 = 52.0;
    let bottom = 20.0 + ROW * models.len() as f64;
    let axes = Axes { frame: [8.0, 20.0, WIDTH - 14.0, bottom], x: [0.0, 1.0], y: [0.0, 1.0] };
    draw((WIDTH, bottom + 40.0), label, |canvas| {
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0];
        for tick in ticks {
            canvas.line(axes.at(tick, 0.0), axes.at(tick, 1.0), Tone::Grid, 1.0)?;
        }
        axes.ticks_x(canvas, &ticks, |x| format!("{:.0}", 100.0 * x))?;
        axes.name_x(canvas, "accuracy, %")?;
        for (index, model) in models.iter().enumerate() {
            let y = 20.0 + ROW * index as f64;
            let name = format!("{} · {}", shortened(&model.name, 32), shortened(&model.protocol, 20));
            let width = width_of(&name, TEXT) + 6.0;
            canvas.rectangle((7.0, y + 2.0), (7.0 + width, y + 18.0), Tone::Paper, 1.0)?;
            canvas.text(&name, (8.0, y + 10.0), Anchor::Start, TEXT, Tone::Ink)?;
            for (level, scores) in [&model.track, &model.segment].into_iter().enumerate() {
                let (tone, mark) = look(level);
                let y = y + 25.0 + 12.0 * level as f64;
                let at = |share: f64| (axes.at(share, 0.0).0, y);
                if scores.n == 0 {
                    continue;
                }
                let [low, high] = scores.interval;
                canvas.line(at(low), at(high), tone, 1.5)?;
                canvas.mark(mark, at(scores.accuracy), tone)?;
                let value = percent(scores.accuracy);
                let (x, anchor) = if high < 0.8 {
                    (at(high).0 + 7.0, Anchor::Start)
                } else {
                    (at(low).0 - 7.0, Anchor::End)
                };
                canvas.text(&value, (x, y), anchor, SMALL, tone)?;
            }
        }
        Ok(())
    })
}

//! Character of the song: six descriptors beside their typical ranges.

use cratedigger_protocol::{Character, Descriptor, Quantiles, TypicalCharacter};
use leptos::prelude::*;

use crate::i18n::Words;
use crate::state::{Answer, Song, SongResult, State};
use crate::text;

/// The descriptors of the song, as a radar chart and as a table. Without typical ranges from the
/// networks' manifest there is no chart and no comparison.
pub fn character(state: State, song: Song, values: Character) -> impl IntoView {
    let w = state.words();
    let (best, music) = song.result.with_untracked(|result| {
        let best = result.as_ref().and_then(|result| result.probabilities.best());
        let sound = result.as_ref().and_then(SongResult::answer).and_then(Answer::sound);
        (best.unwrap_or_default(), sound.is_none())
    });
    let genre = state.genre(best);
    // A non-music sound has no genre to be compared with.
    let typical = state.models.typical.get().filter(|_| music);
    let ranges = typical.as_ref().and_then(|typical| Some((typical, typical.classes.get(best)?.clone())));
    let caption = ranges.as_ref().map(|(typical, _)| {
        let words = text::fill(w.why.character_caption, &[&typical.clips.to_string(), &genre]);
        view! { <caption>{words}</caption> }
    });
    let rows = Descriptor::ALL
        .into_iter()
        .enumerate()
        .map(|(at, descriptor)| {
            let range = ranges.as_ref().and_then(|(_, ranges)| ranges.get(at));
            row(w, descriptor, values.get(descriptor), range, &genre)
        })
        .collect_view();
    view! {
        <h3>{w.why.character_title}</h3>
        <div class="character" data-testid="traits" data-class=music.then(|| best.to_string())>
            {ranges.as_ref().map(|(typical, ranges)| radar(w, values, typical, ranges))}
            <table>
                {caption}
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

/// One descriptor: its name, its value, and where that lies in the typical range.
fn row(
    w: &'static Words,
    descriptor: Descriptor,
    value: f64,
    range: Option<&Quantiles>,
    genre: &str,
) -> impl IntoView + use<> {
    let beside = range.map(|range| {
        let sentence = match value {
            value if value < range.low => w.why.below,
            value if value > range.high => w.why.above,
            _ => w.why.within,
        };
        text::fill(sentence, &[genre])
    });
    view! {
        <tr>
            <th scope="row">{w.why.descriptor(descriptor)}</th>
            <td>{text::fill(w.why.unit(descriptor), &[&written(descriptor, value)])}</td>
            <td class="quiet-words">{beside}</td>
        </tr>
    }
}

/// A value of a descriptor as text, in the unit of its row.
fn written(descriptor: Descriptor, value: f64) -> String {
    match descriptor {
        Descriptor::Tempo => format!("{value:.0}"),
        Descriptor::Brightness => format!("{:.1}", value / 1000.0),
        Descriptor::Noisiness => format!("{value:.2}"),
        Descriptor::Harmony | Descriptor::Loudness | Descriptor::Dynamics => text::percent(value),
    }
}

/// Centre and radius of the chart.
const CENTRE: f64 = 110.0;
const RADIUS: f64 = 78.0;

/// Distance of a value from the centre, in radii: the 10th percentile of all clips lies at 0.25, the 90th
/// at 0.8. The centre means no value, so no point lies there.
fn distance(value: f64, all: &Quantiles) -> f64 {
    let fraction = (value - all.low) / (all.high - all.low).max(f64::MIN_POSITIVE);
    (0.25 + 0.55 * fraction).clamp(0.08, 1.0)
}

/// The point on axis `at` of `of` axes.
fn point(at: usize, of: usize, distance: f64) -> (f64, f64) {
    let angle = std::f64::consts::TAU * at as f64 / of as f64;
    (CENTRE + RADIUS * distance * angle.sin(), CENTRE - RADIUS * distance * angle.cos())
}

/// The polygon through one point on each axis, as an SVG path.
fn polygon(distances: &[f64]) -> String {
    let points: Vec<String> = distances
        .iter()
        .enumerate()
        .map(|(at, distance)| {
            let (x, y) = point(at, distances.len(), *distance);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    format!("M{}z", points.join("L"))
}

/// A chart with one axis for each descriptor: the genre's typical range as a ring, the song as a line.
fn radar(
    w: &'static Words,
    values: Character,
    typical: &TypicalCharacter,
    genre: &[Quantiles],
) -> impl IntoView + use<> {
    let of = Descriptor::ALL.len();
    let ring = |pick: fn(&Quantiles) -> f64| -> String {
        let pairs = genre.iter().zip(&typical.all);
        polygon(&pairs.map(|(range, all)| distance(pick(range), all)).collect::<Vec<_>>())
    };
    let usual = ring(|range| range.high) + &ring(|range| range.low);
    let pairs = Descriptor::ALL.into_iter().zip(&typical.all);
    let song =
        polygon(&pairs.map(|(descriptor, all)| distance(values.get(descriptor), all)).collect::<Vec<_>>());
    let grid: Vec<String> = [1.0, 0.5].iter().map(|distance| polygon(&vec![*distance; of])).collect();
    let axes: String = (0..of)
        .map(|at| {
            let (x, y) = point(at, of, 1.0);
            format!("M{CENTRE},{CENTRE}L{x:.1},{y:.1}")
        })
        .collect();
    let labels = Descriptor::ALL
        .into_iter()
        .enumerate()
        .map(|(at, descriptor)| label(w.why.descriptor(descriptor), point(at, of, 1.17)))
        .collect_view();
    view! {
        <svg class="radar" viewBox="-46 4 312 212" role="img" aria-label=w.why.character_picture>
            <path class="radar-grid" d=grid.concat() />
            <path class="radar-grid" d=axes />
            <path class="radar-usual" fill-rule="evenodd" d=usual />
            <path class="radar-song" d=song />
            {labels}
        </svg>
    }
}

/// Name of an axis at its end.
fn label(name: &'static str, (x, y): (f64, f64)) -> impl IntoView {
    let anchor = match x - CENTRE {
        side if side.abs() < 5.0 => "middle",
        side if side > 0.0 => "start",
        _ => "end",
    };
    view! {
        <text x=format!("{x:.1}") y=format!("{:.1}", y + 4.0) text-anchor=anchor>
            {name}
        </text>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_at_fixed_distances_and_outliers_stay_in_the_chart() {
        let all = Quantiles { low: 10.0, median: 12.0, high: 20.0 };
        assert!((distance(10.0, &all) - 0.25).abs() < 1e-12);
        assert!((distance(20.0, &all) - 0.8).abs() < 1e-12);
        assert_eq!((distance(1e9, &all), distance(-1e9, &all)), (1.0, 0.08));
    }

    #[test]
    fn the_first_axis_points_up() {
        assert_eq!(point(0, 6, 1.0), (CENTRE, CENTRE - RADIUS));
        assert_eq!(polygon(&[1.0, 1.0]), "M110.0,32.0L110.0,188.0z");
    }
}

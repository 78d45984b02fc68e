//! The curve of the threshold of *none of these*.

use anyhow::Result;
use plotters::prelude::{
    BLACK, ChartBuilder, Circle, IntoDrawingArea as _, LineSeries, RGBColor, SVGBackend, ShapeStyle,
};

use crate::eval::calibrate::Threshold;
use crate::format::whole_percent;

/// Draws the fraction of refused non-music over the fraction of refused music as SVG.
pub fn threshold_svg(threshold: &Threshold) -> String {
    draw(threshold).unwrap_or_default()
}

fn draw(threshold: &Threshold) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (520, 420)).into_drawing_area();
        let failed = |e: &dyn std::fmt::Display| anyhow::anyhow!("the curve cannot be drawn: {e}");
        area.fill(&RGBColor(255, 255, 255)).map_err(|e| failed(&e))?;
        let mut chart = ChartBuilder::on(&area)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(|e| failed(&e))?;
        let percent = |fraction: &f64| whole_percent(*fraction);
        chart
            .configure_mesh()
            .x_desc("music refused")
            .y_desc("non-music refused")
            .x_label_formatter(&percent)
            .y_label_formatter(&percent)
            .light_line_style(RGBColor(240, 240, 240))
            .draw()
            .map_err(|e| failed(&e))?;
        let grey = ShapeStyle::from(&RGBColor(170, 170, 170)).stroke_width(1);
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], grey)).map_err(|e| failed(&e))?;
        let curve = threshold.curve.iter().map(|point| (point.music_refused, point.non_music_refused));
        let blue = ShapeStyle::from(&RGBColor(31, 90, 168)).stroke_width(2);
        chart.draw_series(LineSeries::new(curve, blue)).map_err(|e| failed(&e))?;
        let chosen = (threshold.chosen.music_refused, threshold.chosen.non_music_refused);
        chart
            .draw_series([Circle::new(chosen, 5, ShapeStyle::from(&BLACK).filled())])
            .map_err(|e| failed(&e))?;
        area.present().map_err(|e| failed(&e))?;
    }
    Ok(svg)
}

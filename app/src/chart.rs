//! Charts: SVG made on the server. Colours are classes of the stylesheet, so that they follow the theme and print well.

use plotters::prelude::*;
use time::Date;

/// Stand-ins that the classes replace: the library writes colours into attributes.
const MARKS: [(&str, &str); 4] =
    [("#010101", "ink"), ("#020202", "rule"), ("#030303", "accent"), ("#040404", "limit")];
const INK: RGBColor = RGBColor(1, 1, 1);
const RULE: RGBColor = RGBColor(2, 2, 2);
const ACCENT: RGBColor = RGBColor(3, 3, 3);
const LIMIT: RGBColor = RGBColor(4, 4, 4);

const SIZE: (u32, u32) = (640, 220);

/// A sum that grows day by day, under the line that it must not cross.
pub fn running_sum(days: &[(Date, i64)], limit: i64, label: impl Fn(i64) -> String) -> Option<String> {
    let (first, last) = (days.first()?.0, days.last()?.0);
    let end = i32::try_from((last - first).whole_days()).ok()?.max(1);
    let mut sum = 0;
    let mut points = vec![(0, 0)];
    for (day, amount) in days {
        let x = i32::try_from((*day - first).whole_days()).ok()?;
        points.push((x, sum));
        sum += amount;
        points.push((x, sum));
    }
    points.push((end, sum));
    let mut svg = String::new();
    draw(&mut svg, &points, end, limit, |x| day_label(first, x), &label).ok()?;
    for (mark, class) in MARKS {
        for attribute in ["fill", "stroke"] {
            svg = svg.replace(&format!("{attribute}=\"{mark}\""), &format!("class=\"{attribute}-{class}\""));
        }
    }
    // Scales with its card.
    Some(svg.replacen(
        &format!("width=\"{}\" height=\"{}\"", SIZE.0, SIZE.1),
        "class=\"chart\" role=\"img\" aria-hidden=\"true\"",
        1,
    ))
}

fn day_label(first: Date, offset: i32) -> String {
    let day = first.checked_add(time::Duration::days(i64::from(offset)));
    day.map(|day| format!("{:02}.{:02}", u8::from(day.month()), day.day())).unwrap_or_default()
}

fn draw(
    svg: &mut String,
    points: &[(i32, i64)],
    end: i32,
    limit: i64,
    day: impl Fn(i32) -> String,
    label: &impl Fn(i64) -> String,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(26)
        .y_label_area_size(76)
        .build_cartesian_2d(0..end, 0..limit + limit / 12 + 1)?;
    let text = ("sans-serif", 12).into_font().color(&INK);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RULE)
        .axis_style(RULE)
        .x_labels(6)
        .y_labels(4)
        .x_label_formatter(&|x| day(*x))
        .y_label_formatter(&|y| label(*y))
        .label_style(text)
        .draw()?;
    chart.draw_series(LineSeries::new([(0, limit), (end, limit)], LIMIT.stroke_width(2)))?;
    chart.draw_series(LineSeries::new(points.iter().copied(), ACCENT.stroke_width(2)))?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_chart_carries_classes_and_no_colour_of_its_own() {
        let days = [(date!(2026 - 11 - 01), 1000), (date!(2026 - 11 - 03), 2500)];
        let svg = running_sum(&days, 10_000, |n| format!("{n}P")).unwrap();
        assert!(svg.contains("class=\"stroke-accent\"") && svg.contains("class=\"stroke-limit\""), "{svg}");
        assert!(svg.contains("11.01") && !svg.contains("#0"), "{svg}");
        assert!(!svg.contains("<style") && !svg.contains("style="), "{svg}");
        assert_eq!(running_sum(&[], 1, |n| n.to_string()), None);
    }
}

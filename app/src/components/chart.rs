//! Charts: SVG made on the server. Colours are classes of the stylesheet, so that they follow the theme and print well.

use std::ops::Range;

use plotters::prelude::*;
use time::Date;

/// Stand-ins that the classes replace: the library writes colours into attributes.
const MARKS: [(&str, &str); 5] = [
    ("#010101", "ink"),
    ("#020202", "rule"),
    ("#030303", "accent"),
    ("#040404", "limit"),
    ("#050505", "out"),
];
const INK: RGBColor = RGBColor(1, 1, 1);
const RULE: RGBColor = RGBColor(2, 2, 2);
const ACCENT: RGBColor = RGBColor(3, 3, 3);
const LIMIT: RGBColor = RGBColor(4, 4, 4);
const OUT: RGBColor = RGBColor(5, 5, 5);

const SIZE: (u32, u32) = (640, 220);
const BARS: (u32, u32) = (640, 320);
/// Half of a bar's width, in days.
const HALF: f64 = 0.36;

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
    Some(themed(svg, SIZE))
}

/// What came in on each day of `[from, to)` above a line, what went out below it. Amounts are in the smallest unit of
/// their currency. `None` when nothing moved.
pub fn up_and_down(
    from: Date,
    to: Date,
    days: &[(Date, i64, i64)],
    label: impl Fn(i64) -> String,
) -> Option<String> {
    let length = i32::try_from((to - from).whole_days()).ok()?;
    let highest = days.iter().map(|(_, up, _)| *up).max()?.max(0);
    let lowest = days.iter().map(|(.., down)| *down).max()?.max(0);
    let room = highest.checked_add(lowest).filter(|span| *span > 0)? / 12 + 1;
    let below = if lowest > 0 { -lowest - room } else { 0 };
    let mut bars = Vec::new();
    for (day, up, down) in days {
        let x = f64::from(i32::try_from((*day - from).whole_days()).ok()?);
        bars.push((x, *up, ACCENT));
        bars.push((x, -down, OUT));
    }
    let mut svg = String::new();
    draw_bars(&mut svg, &bars, length, below..highest + room, |x| day_label(from, x), &label).ok()?;
    Some(themed(svg, BARS))
}

/// Classes instead of colours, and no size of its own: it scales with its card.
fn themed(mut svg: String, size: (u32, u32)) -> String {
    for (mark, class) in MARKS {
        for attribute in ["fill", "stroke"] {
            svg = svg.replace(&format!("{attribute}=\"{mark}\""), &format!("class=\"{attribute}-{class}\""));
        }
    }
    svg.replacen(
        &format!("width=\"{}\" height=\"{}\"", size.0, size.1),
        "class=\"chart\" role=\"img\" aria-hidden=\"true\"",
        1,
    )
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

fn draw_bars(
    svg: &mut String,
    bars: &[(f64, i64, RGBColor)],
    length: i32,
    height: Range<i64>,
    day: impl Fn(i32) -> String,
    label: &impl Fn(i64) -> String,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, BARS).into_drawing_area();
    let (left, right) = (-0.5, f64::from(length) - 0.5);
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .x_label_area_size(26)
        .y_label_area_size(76)
        .build_cartesian_2d(left..right, height)?;
    let text = ("sans-serif", 12).into_font().color(&INK);
    // A day stands under the middle of its bars, and has no name between them.
    let name = |x: &f64| (0..length).find(|n| (f64::from(*n) - x).abs() < 0.01).map(&day).unwrap_or_default();
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RULE)
        .axis_style(RULE)
        .x_labels(8)
        .y_labels(6)
        .x_label_formatter(&name)
        .y_label_formatter(&|y| label(*y))
        .label_style(text)
        .draw()?;
    let bar = |(x, y, colour): &(f64, i64, RGBColor)| {
        Rectangle::new([(x - HALF, *y), (x + HALF, 0)], colour.filled())
    };
    chart.draw_series(bars.iter().filter(|(_, y, _)| *y != 0).map(bar))?;
    chart.draw_series(LineSeries::new([(left, 0), (right, 0)], INK.stroke_width(1)))?;
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

    /// `y` and `height` of the bars of a class.
    fn bars(svg: &str, class: &str) -> Vec<(i64, i64)> {
        let number = |line: &str, name: &str| {
            let rest = line.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().parse::<i64>().unwrap()
        };
        let of_class =
            |line: &&str| line.starts_with("<rect") && line.contains(&format!("class=\"fill-{class}\""));
        svg.lines().filter(of_class).map(|line| (number(line, "y"), number(line, "height"))).collect()
    }

    #[test]
    fn refunds_hang_below_the_line_that_sales_stand_on() {
        let (from, to) = (date!(2026 - 11 - 01), date!(2026 - 12 - 01));
        let days = [
            (date!(2026 - 11 - 01), 5_000_000, 0),
            (date!(2026 - 11 - 11), 8_000_000, 2_000_000),
            (date!(2026 - 11 - 30), 0, 1_000_000),
        ];
        let svg = up_and_down(from, to, &days, |n| format!("{n}P")).unwrap();
        let (sales, refunds) = (bars(&svg, "accent"), bars(&svg, "out"));
        assert_eq!((sales.len(), refunds.len()), (2, 2), "{svg}");
        let line = sales[0].0 + sales[0].1;
        assert!(sales.iter().all(|(y, height)| y + height == line && *height > 0), "{sales:?}");
        assert!(refunds.iter().all(|(y, height)| *y == line && *height > 0), "{refunds:?} {line}");
        assert!(sales[1].1 > sales[0].1 && refunds[0].1 > refunds[1].1, "{sales:?} {refunds:?}");
        assert!(svg.contains("11.01") && svg.contains("P\n") && !svg.contains("#0"), "{svg}");
        assert!(!svg.contains("<style") && !svg.contains("style="), "{svg}");
    }

    #[test]
    fn where_nothing_moved_nothing_is_drawn() {
        let (from, to) = (date!(2026 - 02 - 01), date!(2026 - 03 - 01));
        assert_eq!(up_and_down(from, to, &[], |n| n.to_string()), None);
        assert_eq!(up_and_down(from, to, &[(from, 0, 0)], |n| n.to_string()), None);
        assert_eq!(up_and_down(from, to, &[(from, i64::MAX, 1)], |n| n.to_string()), None);
        assert!(up_and_down(from, to, &[(from, 0, 1)], |n| n.to_string()).is_some());
    }
}

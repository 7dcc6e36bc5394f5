//! A case as a drawing: threads to the right, nanoseconds an operation upwards, a line for each contender.

mod labels;
mod scale;

use std::cmp::Reverse;
use std::fmt::Write;

use super::measured::{Case, Contender, Point};
use super::number::{short, threads};
use scale::Scale;

/// Colours for light and dark surroundings, and how lines look.
pub const STYLE: &str = include_str!("plot/style.css");

const WIDTH: f64 = 850.0;
const HEIGHT: f64 = 420.0;
/// Where the lines are; labels have the space to the right.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 582.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 372.0;
/// Where labels begin.
const LABELS: f64 = 614.0;

/// Whether the drawing brings its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The page has it.
    OfThePage,
    /// The drawing is a file.
    Own,
}

/// The drawing of a case; None without a point to draw.
pub fn svg(case: &Case, style: Style) -> Option<String> {
    let (x, y) = scales(case)?;
    let mut out = format!(
        "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{}: nanoseconds an operation by the number of threads\">\n",
        escape(&case.name)
    );
    if style == Style::Own {
        out += &format!("<style>\n{STYLE}</style>\n");
    }
    out += &format!("<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"/>\n");
    axes(&mut out, case, &x, &y);
    let drawn: Vec<_> = hues(case).into_iter().filter(|(contender, _)| !contender.points.is_empty()).collect();
    let ends: Vec<_> =
        drawn.iter().filter_map(|(contender, _)| contender.points.last()).map(|end| y.at(end.cpu_ns.median)).collect();
    let spread = labels::spread(&ends, TOP, BOTTOM);
    // Ours are drawn above the others, and the first of them above all.
    let mut series: Vec<_> = drawn.iter().zip(spread).enumerate().collect();
    series.sort_by_key(|(index, ((contender, _), _))| (contender.ours, Reverse(*index)));
    for (shape, ((contender, hue), label)) in series {
        line(&mut out, contender, hue, shape, label, (&x, &y));
    }
    out += "</svg>\n";
    Some(out)
}

/// All contenders and the names of their colours.
pub fn hues(case: &Case) -> Vec<(&Contender, String)> {
    let (mut ours, mut peers) = (0, 0);
    let mut hue = |contender: &Contender| {
        let (kind, count, of) = if contender.ours { ("o", &mut ours, 5) } else { ("p", &mut peers, 8) };
        *count += 1;
        format!("--{kind}{}", (*count - 1) % of)
    };
    case.contenders.iter().map(|contender| (contender, hue(contender))).collect()
}

fn scales(case: &Case) -> Option<(Scale, Scale)> {
    let counts = case.threads();
    let (first, last) = (f64::from(*counts.first()?), f64::from(*counts.last()?));
    let low = case.points().map(|point| point.cpu_ns.low).fold(f64::INFINITY, f64::min);
    let high = case.points().map(|point| point.cpu_ns.high).fold(0.0, f64::max);
    // One number of threads is drawn in the middle.
    let (first, last) = if first == last { (first / 2.0, last * 2.0) } else { (first, last) };
    Some((Scale::new(first, last, LEFT + 24.0, RIGHT), Scale::around(low, high, BOTTOM, TOP)))
}

fn axes(out: &mut String, case: &Case, x: &Scale, y: &Scale) {
    for tick in y.ticks() {
        let (at, text) = (y.at(tick), tick);
        *out += &format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>");
        *out += &format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>\n", LEFT - 8.0, at + 4.5);
    }
    *out += &format!("<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>\n");
    for threads in case.threads() {
        let at = x.at(threads.into());
        *out += &format!("<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v5\"/>");
        *out += &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{threads}</text>\n", BOTTOM + 21.0);
    }
    let middle = (LEFT + RIGHT) / 2.0;
    *out += &format!("<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">threads</text>\n", HEIGHT - 9.0);
    *out += "<text x=\"16\" y=\"24\">ns per operation, thread CPU time, logarithmic</text>\n";
}

fn line(out: &mut String, contender: &Contender, hue: &str, shape: usize, label: f64, (x, y): (&Scale, &Scale)) {
    let class = if contender.ours { "series ours" } else { "series" };
    *out += &format!("<g class=\"{class}\" style=\"--hue: var({hue})\">\n");
    let at = |point: &Point| (x.at(point.threads.into()), y.at(point.cpu_ns.median));
    let mut path = String::new();
    for point in &contender.points {
        let (x, y) = at(point);
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
    }
    *out += &format!("<path class=\"line\" d=\"{path}\"/>\n");
    for point in &contender.points {
        let (left, (low, high)) = (at(point).0, (y.at(point.cpu_ns.low), y.at(point.cpu_ns.high)));
        *out += &format!("<path class=\"whisker\" d=\"M{left:.1} {low:.1}V{high:.1}\"/>");
        *out += &format!("<path class=\"mark\" d=\"{}\">", mark(shape, at(point), contender.ours));
        *out += &format!("<title>{}</title></path>\n", escape(&hint(contender, point)));
    }
    if let Some(end) = contender.points.last() {
        let (left, from) = at(end);
        let to = LABELS - 5.0;
        *out += &format!("<path class=\"lead\" d=\"M{:.1} {from:.1}L{to} {label:.1}\"/>", left + 7.0);
        let (name, value) = (escape(&contender.label), short(end.cpu_ns.median));
        *out +=
            &format!("<text x=\"{LABELS}\" y=\"{:.1}\">{name}<tspan dx=\"7\">{value}</tspan></text>\n", label + 4.5);
    }
    *out += "</g>\n";
}

/// What a point says when it is pointed at.
fn hint(contender: &Contender, point: &Point) -> String {
    let (ns, wall) = (point.cpu_ns, point.wall_ns.median);
    let ratio = point.ratio.map_or(String::new(), |ratio| format!(", {}x the reference", short(ratio.median)));
    format!(
        "{}, {}: {} ns ({} to {}){ratio}; {:.0} M operations a second together",
        contender.label,
        threads(point.threads),
        short(ns.median),
        short(ns.low),
        short(ns.high),
        1e3 / wall
    )
}

/// A shape for each contender, for eyes that do not tell the colours apart.
fn mark(shape: usize, (x, y): (f64, f64), ours: bool) -> String {
    let r = if ours { 6.5 } else { 4.5 };
    match shape % 5 {
        0 => format!("M{:.1} {y:.1}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z", x - r, d = 2.0 * r),
        1 => format!("M{:.1} {:.1}h{d}v{d}h-{d}z", x - r, y - r, d = 2.0 * r),
        2 => format!("M{x:.1} {:.1}l{r} {d}h-{d}z", y - r, d = 2.0 * r),
        3 => format!("M{x:.1} {:.1}l{r} {r}l-{r} {r}l-{r} -{r}z", y - r),
        _ => format!("M{x:.1} {:.1}l-{r} -{d}h{d}z", y + r, d = 2.0 * r),
    }
}

/// The text as HTML and SVG show it.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! A scene with places, as text.

use std::fmt::Write as _;

use super::super::{COLOURS, FAILURE_COLOUR};
use super::layout::{Placed, Point, Route};
use super::outline::Outline;
use super::scene::{Arrow, Figure, Level, Style};
use super::text::{LINE, Lines, escaped, number};
use super::{Arranged, Direction, FRAME_MARGIN};

/// The line of a node of which no record says where it is, of an edge, and of a frame.
const NODE_COLOUR: &str = "#374151";
const EDGE_COLOUR: &str = "#6b7280";
const FRAME_COLOUR: &str = "#9ca3af";
const FRAME_FILL: &str = "#f9fafb";
const TEXT_COLOUR: &str = "#111827";
const WORD_COLOUR: &str = "#374151";

/// The head of an arrow.
const HEAD: f64 = 8.0;
const HEAD_HALF: f64 = 3.5;

/// Draws a level whose corner is at `(x, y)`.
pub(super) fn level(text: &mut String, level: &Level, arranged: &Arranged, corner: (f64, f64), direction: Direction) {
    let drawing = Drawing { level, arranged, corner, direction };
    for (arrow, route) in level.arrows.iter().zip(&arranged.placed.routes) {
        drawing.arrow(text, arrow, route);
    }
    for number in 0..level.figures.len() {
        drawing.figure(text, number);
    }
}

struct Drawing<'a> {
    level: &'a Level,
    arranged: &'a Arranged,
    corner: (f64, f64),
    direction: Direction,
}

impl Drawing<'_> {
    /// The place on the page.
    fn at(&self, main: f64, cross: f64) -> (f64, f64) {
        let (x, y) = self.direction.turned(main, cross);
        (self.corner.0 + x, self.corner.1 + y)
    }

    fn pair(&self, main: f64, cross: f64) -> String {
        let (x, y) = self.at(main, cross);
        format!("{} {}", number(x), number(y))
    }

    fn figure(&self, text: &mut String, at: usize) {
        let figure = &self.level.figures[at];
        let Placed { items, .. } = &self.arranged.placed;
        let Point { main, cross } = items[at];
        let (middle_x, middle_y) = self.at(main, cross);
        let (width, height) = self.arranged.sizes[at];
        let corner = (middle_x - width / 2.0, middle_y - height / 2.0);
        let class = figure.status.map(|status| format!(" {}", status.name())).unwrap_or_default();
        let (path, kind) = (escaped(&figure.path), figure.kind);
        line(text, format_args!(r#"<g class="node {kind}{class}" data-node="{path}">"#));
        line(text, format_args!("<title>{}</title>", escaped(&figure.title)));
        let element = figure.outline.element(corner, (width, height));
        line(text, format_args!("{element}{}/>", paint(figure)));
        match (&figure.inside, &self.arranged.insides[at]) {
            (Some(inside), Some(arranged)) => {
                let top = corner.1 + 8.0;
                lines(text, &figure.label, (corner.0 + FRAME_MARGIN, top), "start", TEXT_COLOUR);
                let (own_width, own_height) =
                    self.direction.turned(arranged.placed.size.main, arranged.placed.size.cross);
                let x = middle_x - own_width / 2.0;
                let y = corner.1 + height - FRAME_MARGIN - own_height;
                level(text, inside, arranged, (x, y), self.direction);
            }
            _ => {
                let top = middle_y - figure.label.height() / 2.0;
                lines(text, &figure.label, (middle_x, top), "middle", TEXT_COLOUR);
            }
        }
        line(text, format_args!("</g>"));
    }

    fn arrow(&self, text: &mut String, arrow: &Arrow, route: &Route) {
        let (colour, look) = match arrow.style {
            Style::Plain => (EDGE_COLOUR, ""),
            Style::Bold => (EDGE_COLOUR, r#" stroke-width="2.2""#),
            Style::Failure => (FAILURE_COLOUR, r#" stroke-dasharray="5 4""#),
            Style::Compensate => (EDGE_COLOUR, r#" stroke-dasharray="5 4""#),
        };
        let [from, to] = [arrow.from, arrow.to].map(|end| escaped(&self.level.figures[end].path));
        line(text, format_args!(r#"<g class="edge" data-from="{from}" data-to="{to}">"#));
        line(text, format_args!("<title>{}</title>", escaped(&arrow.title)));
        let (way, head) = if route.stops.is_empty() { self.turn(arrow) } else { self.way(arrow, route) };
        line(text, format_args!(r#"<path d="{way}" fill="none" stroke="{colour}"{look}/>"#));
        line(text, format_args!(r#"<path d="{head}" fill="{colour}"/>"#));
        if let Some(word) = &arrow.word {
            let label = route.label.unwrap_or_else(|| self.beside(arrow, route));
            let (x, y) = self.at(label.main, label.cross);
            let colour = if arrow.style == Style::Failure { FAILURE_COLOUR } else { WORD_COLOUR };
            lines(text, word, (x, y - word.height() / 2.0), "middle", colour);
        }
        line(text, format_args!("</g>"));
    }

    /// Where the label of an edge is that has no place of its own.
    fn beside(&self, arrow: &Arrow, route: &Route) -> Point {
        let [from, to] = [arrow.from, arrow.to].map(|end| self.arranged.placed.items[end]);
        if route.stops.is_empty() {
            return Point { main: from.main, cross: from.cross + self.size(arrow.from).1 / 2.0 + 18.0 };
        }
        Point { main: f64::midpoint(from.main, to.main), cross: f64::midpoint(from.cross, to.cross) }
    }

    /// The size of a figure along the axes.
    fn size(&self, figure: usize) -> (f64, f64) {
        let (width, height) = self.arranged.sizes[figure];
        self.direction.turned(width, height)
    }

    /// The way of an edge from a node to itself, and its head.
    fn turn(&self, arrow: &Arrow) -> (String, String) {
        let Point { main, cross } = self.arranged.placed.items[arrow.from];
        let (length, thick) = self.size(arrow.from);
        let (side, out) = (cross + thick / 2.0, cross + thick / 2.0 + 12.0);
        let reach = (length / 4.0).min(14.0);
        let inset = self.inset_of_side(arrow.from);
        let begin = self.pair(main + reach, side - inset);
        let [one, other] = [main + reach, main - reach].map(|main| self.pair(main, out + HEAD));
        let [left, right] =
            [main - reach - HEAD_HALF, main - reach + HEAD_HALF].map(|main| self.pair(main, side + HEAD));
        let (tip, neck) = (self.pair(main - reach, side - inset), self.pair(main - reach, side + HEAD));
        (format!("M{begin}C{one} {other} {neck}"), format!("M{tip}L{left}L{right}Z"))
    }

    /// Only a shape without slanting sides begins where its rectangle does.
    fn inset_of_side(&self, figure: usize) -> f64 {
        match self.level.figures[figure].outline {
            Outline::Diamond => self.size(figure).1 / 8.0,
            _ => 0.0,
        }
    }

    /// The way of an edge through its layers, and its head.
    fn way(&self, arrow: &Arrow, route: &Route) -> (String, String) {
        let (low, high) = if route.is_reversed { (arrow.to, arrow.from) } else { (arrow.from, arrow.to) };
        let inset = |figure: usize, is_leaving: bool, off_middle: f64| {
            let size = super::size_of(self.direction, self.arranged.sizes[figure]);
            self.level.figures[figure].outline.inset(self.direction, is_leaving, size, off_middle)
        };
        let (Some(first), Some(last)) = (route.stops.first(), route.stops.last()) else { return Default::default() };
        let mut begin = first.begin - inset(low, true, first.off_middle);
        let mut end = last.end + inset(high, false, last.off_middle);
        let (tip, neck, cross) = if route.is_reversed {
            begin += HEAD;
            (begin - HEAD, begin, first.cross)
        } else {
            end -= HEAD;
            (end + HEAD, end, last.cross)
        };
        let [one, other] = [cross - HEAD_HALF, cross + HEAD_HALF].map(|cross| self.pair(neck, cross));
        let head = format!("M{}L{one}L{other}Z", self.pair(tip, cross));
        (self.curves(arrow, route, begin, end), head)
    }

    /// Straight through the layers, in curves between them, and not where the label is.
    fn curves(&self, arrow: &Arrow, route: &Route, begin: f64, end: f64) -> String {
        let word = arrow.word.as_ref().zip(route.label);
        let label = word.map(|(word, at)| {
            let half = self.direction.turned(word.width() + 4.0, word.height()).0 / 2.0;
            (at.main - half, at.main + half)
        });
        let last = route.stops.len() - 1;
        let mut way = String::new();
        let mut before: Option<(f64, f64)> = None;
        for (number, stop) in route.stops.iter().enumerate() {
            let enters = if number == 0 {
                begin
            } else if number == last {
                end.min(stop.begin)
            } else {
                stop.begin
            };
            let leaves = if number == last { end } else { stop.end.max(enters) };
            let enter = self.pair(enters, stop.cross);
            match before {
                None => push(&mut way, format_args!("M{enter}")),
                Some((_, cross)) if (cross - stop.cross).abs() < 0.05 => push(&mut way, format_args!("L{enter}")),
                Some((main, cross)) => {
                    let middle = f64::midpoint(main, enters);
                    let [one, other] = [self.pair(middle, cross), self.pair(middle, stop.cross)];
                    push(&mut way, format_args!("C{one} {other} {enter}"));
                }
            }
            if let Some((label_begin, label_end)) = label.filter(|_| number == 1) {
                let [label_begin, label_end] = [label_begin, label_end].map(|main| self.pair(main, stop.cross));
                push(&mut way, format_args!("L{label_begin}M{label_end}"));
            }
            if leaves > enters {
                push(&mut way, format_args!("L{}", self.pair(leaves, stop.cross)));
            }
            before = Some((leaves, stop.cross));
        }
        way
    }
}

/// The colours of a figure, as attributes.
fn paint(figure: &Figure) -> String {
    let known = figure.status.and_then(|status| COLOURS.iter().find(|(known, ..)| *known == status));
    let (fill, stroke) = match (known, figure.inside.is_some()) {
        (Some((_, fill, stroke)), _) => (*fill, *stroke),
        (None, true) => (FRAME_FILL, FRAME_COLOUR),
        (None, false) => ("#ffffff", NODE_COLOUR),
    };
    let more = match (figure.outline, known) {
        (Outline::Ending, _) => r#" stroke-dasharray="5 4""#,
        // What is inside has colours of its own, which are to be seen.
        (Outline::Frame, Some(_)) => r#" fill-opacity="0.45""#,
        _ => "",
    };
    format!(r#" fill="{fill}" stroke="{stroke}"{more}"#)
}

/// Lines of text whose upper end is at `y`.
fn lines(text: &mut String, lines: &Lines, (x, y): (f64, f64), anchor: &str, colour: &str) {
    let x = number(x);
    for (at, shown) in lines.lines.iter().enumerate() {
        // The letters stand on the base line.
        let y = number(y + (at as f64 + 0.5) * lines.size * LINE + lines.size * 0.35);
        let (size, shown) = (number(lines.size), escaped(shown));
        line(
            text,
            format_args!(
                r#"<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{shown}</text>"#
            ),
        );
    }
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text can be written to");
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a text can be written to");
}

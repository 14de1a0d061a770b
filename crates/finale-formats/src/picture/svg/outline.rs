//! The shapes of nodes.

use finale_core::definition::NodeKind;

use super::Direction;
use super::layout::Size;
use super::text::{Lines, number};

/// The shape of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outline {
    Stadium,
    Rectangle,
    Diamond,
    /// Narrow above.
    Trapezium,
    /// Narrow below.
    Inverted,
    Pointed,
    Hexagon,
    Octagon,
    /// A rectangle with double sides: what is called, or is of more than one step.
    Doubled,
    /// Around a graph.
    Frame,
    /// Around what runs at the end.
    Ending,
}

/// How far a slanting side goes in.
const SLANT: f64 = 12.0;
/// How much of a corner an octagon lacks.
const CUT: f64 = 8.0;

impl Outline {
    pub(super) const fn of(kind: &NodeKind) -> Self {
        match kind {
            NodeKind::Start | NodeKind::End => Self::Stadium,
            NodeKind::Task(_) => Self::Rectangle,
            NodeKind::Conditional(_) => Self::Diamond,
            NodeKind::ParallelSplit(_) => Self::Trapezium,
            NodeKind::ParallelJoin(_) => Self::Inverted,
            NodeKind::AgentAssignment(_) => Self::Pointed,
            NodeKind::Verification(_) => Self::Hexagon,
            NodeKind::Subworkflow(_) | NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => Self::Doubled,
            NodeKind::Wait(_) => Self::Octagon,
        }
    }

    /// The width and the height around a text.
    pub(super) fn around(self, label: &Lines) -> (f64, f64) {
        let (width, height) = (label.width().max(24.0), label.height().max(label.size));
        match self {
            Self::Diamond => {
                // The corners of the text lie on the sides.
                let half = height / 2.0 + 18.0;
                (width / (1.0 - height / 2.0 / half) + 8.0, 2.0 * half)
            }
            Self::Stadium => (width + height + 16.0, height + 16.0),
            Self::Rectangle | Self::Octagon | Self::Frame | Self::Ending => (width + 24.0, height + 18.0),
            Self::Doubled => (width + 36.0, height + 18.0),
            Self::Pointed => (width + 20.0 + SLANT, height + 18.0),
            Self::Trapezium | Self::Inverted | Self::Hexagon => (width + 16.0 + 2.0 * SLANT, height + 18.0),
        }
    }

    /// How far from the middle of a side edges may begin and end.
    pub(super) fn reach(self, size: Size) -> f64 {
        let part = match self {
            Self::Frame | Self::Ending | Self::Rectangle => 0.38,
            Self::Diamond => 0.2,
            _ => 0.28,
        };
        size.cross * part
    }

    /// How far inside of its rectangle the line of a shape lies, where an edge leaves or enters it so far from the middle.
    pub(super) fn inset(self, direction: Direction, is_leaving: bool, size: Size, off_middle: f64) -> f64 {
        let (half, off) = (size.cross / 2.0, off_middle.abs());
        let is_right = direction == Direction::Right;
        match self {
            Self::Rectangle | Self::Doubled | Self::Frame | Self::Ending => 0.0,
            Self::Diamond => size.main / 2.0 * off / half,
            Self::Stadium => {
                let radius = size.main.min(size.cross) / 2.0;
                let beyond = (off - (half - radius)).clamp(0.0, radius);
                radius - (radius * radius - beyond * beyond).sqrt()
            }
            Self::Octagon => (off - (half - CUT)).max(0.0),
            Self::Hexagon if is_right => SLANT * off / half,
            Self::Pointed if is_right && is_leaving => SLANT * off / half,
            Self::Trapezium if is_right => SLANT * (0.5 - off_middle / size.cross),
            Self::Inverted if is_right => SLANT * (0.5 + off_middle / size.cross),
            Self::Hexagon => (off - (half - SLANT)).max(0.0) / SLANT * size.main / 2.0,
            Self::Pointed | Self::Trapezium | Self::Inverted => 0.0,
        }
    }

    /// The shape, as an element of SVG that lacks its end; the width and the height are those of its rectangle.
    pub(super) fn element(self, (x, y): (f64, f64), (width, height): (f64, f64)) -> String {
        let rectangle = |radius: f64| {
            let [x, y, width, height, radius] = [x, y, width, height, radius].map(number);
            format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}""#)
        };
        let (right, bottom) = (x + width, y + height);
        let (middle_x, middle_y) = (x + width / 2.0, y + height / 2.0);
        match self {
            Self::Stadium => rectangle(height / 2.0),
            Self::Rectangle => rectangle(4.0),
            Self::Frame | Self::Ending => rectangle(8.0),
            Self::Diamond => polygon(&[(middle_x, y), (right, middle_y), (middle_x, bottom), (x, middle_y)]),
            Self::Trapezium => polygon(&[(x + SLANT, y), (right - SLANT, y), (right, bottom), (x, bottom)]),
            Self::Inverted => polygon(&[(x, y), (right, y), (right - SLANT, bottom), (x + SLANT, bottom)]),
            Self::Pointed => {
                polygon(&[(x, y), (right - SLANT, y), (right, middle_y), (right - SLANT, bottom), (x, bottom)])
            }
            Self::Hexagon => polygon(&[
                (x + SLANT, y),
                (right - SLANT, y),
                (right, middle_y),
                (right - SLANT, bottom),
                (x + SLANT, bottom),
                (x, middle_y),
            ]),
            Self::Octagon => polygon(&[
                (x + CUT, y),
                (right - CUT, y),
                (right, y + CUT),
                (right, bottom - CUT),
                (right - CUT, bottom),
                (x + CUT, bottom),
                (x, bottom - CUT),
                (x, y + CUT),
            ]),
            Self::Doubled => doubled((x, y), (right, bottom)),
        }
    }
}

/// A rectangle with a second line at its left and its right.
fn doubled((x, y): (f64, f64), (right, bottom): (f64, f64)) -> String {
    let [inner_left, inner_right] = [x + 6.0, right - 6.0].map(number);
    let [x, y, right, bottom] = [x, y, right, bottom].map(number);
    format!(r#"<path d="M{x} {y}H{right}V{bottom}H{x}ZM{inner_left} {y}V{bottom}M{inner_right} {y}V{bottom}""#)
}

fn polygon(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
    format!(r#"<polygon points="{}""#, points.join(" "))
}

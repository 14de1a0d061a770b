//! Definitions as pictures that any browser shows.

mod draw;
mod layout;
mod outline;
mod scene;
mod text;

use finale_core::{Definition, Record};

use self::layout::{Item, Link, Placed, Size, lay_out};
use self::scene::{Level, scene};
use self::text::{escaped, number, width};

/// The definition as an SVG document; with the record of an execution its nodes have the colours of their states.
///
/// The document needs nothing else: no program, no script, no font. It goes from left to right where that fits a page, else
/// from above. Each node has its path in `data-node` and its kind and its state as classes, each edge has `data-from` and
/// `data-to`. A long label is broken or cut; all of it is in the `title`, which browsers show when asked.
///
/// An edge that leads to no node, or from none, is left out. When 20,000 nodes are drawn, further graphs inside of nodes are
/// left out.
///
/// ```
/// use finale_core::definition::Definition;
/// use finale_formats::picture;
///
/// let definition = Definition::builder("order").task("pack", "pack").build();
/// let svg = picture::svg(&definition, None);
/// assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
/// assert!(svg.contains(r#"<g class="node task" data-node="pack">"#));
/// assert!(svg.contains(r#"<g class="edge" data-from="start" data-to="pack">"#));
/// ```
pub fn svg(definition: &Definition, record: Option<&Record>) -> String {
    let scene = scene(definition, record);
    let (mut arranged, mut direction) = (arrange(&scene, Direction::Right), Direction::Right);
    if page(&arranged, direction).0 > PAGE_WIDTH {
        let down = arrange(&scene, Direction::Down);
        if page(&down, Direction::Down).0 < page(&arranged, direction).0 {
            (arranged, direction) = (down, Direction::Down);
        }
    }
    let (wide, high) = page(&arranged, direction);
    let [wide, high] = [wide, high].map(|size| number(size.ceil()));
    let mut text = String::new();
    draw::line(
        &mut text,
        format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img" font-family="Helvetica, Arial, sans-serif">"#
        ),
    );
    draw::line(&mut text, format_args!("<title>{}</title>", escaped(&definition.name)));
    draw::line(&mut text, format_args!("<desc>{}</desc>", escaped(&described(&scene, definition, record))));
    draw::line(&mut text, format_args!(r##"<rect width="{wide}" height="{high}" fill="#ffffff"/>"##));
    draw::level(&mut text, &scene, &arranged, (MARGIN, MARGIN), direction);
    text.push_str("</svg>\n");
    text
}

fn described(scene: &Level, definition: &Definition, record: Option<&Record>) -> String {
    let (nodes, edges) = (scene.figures.len(), scene.arrows.len());
    let what = match record {
        Some(record) => format!("An execution of the workflow {}, {}", definition.id, record.state.status().name()),
        None => format!("The workflow {}", definition.id),
    };
    format!("{what}: {nodes} nodes and {edges} edges")
}

/// A picture that is wider goes from above, if it is narrower then.
const PAGE_WIDTH: f64 = 1_000.0;
/// Around the picture.
const MARGIN: f64 = 12.0;
/// Around what is in a frame.
const FRAME_MARGIN: f64 = 14.0;
/// Around a word at an edge.
const WORD_MARGIN: f64 = 4.0;

fn page(arranged: &Arranged, direction: Direction) -> (f64, f64) {
    let (width, height) = direction.turned(arranged.placed.size.main, arranged.placed.size.cross);
    (width + 2.0 * MARGIN, height + 2.0 * MARGIN)
}

/// Which way the layers follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Right,
    Down,
}

impl Direction {
    /// Main and cross as x and y, and the other way round.
    const fn turned(self, one: f64, other: f64) -> (f64, f64) {
        match self {
            Self::Right => (one, other),
            Self::Down => (other, one),
        }
    }
}

/// The size along the axes.
const fn size_of(direction: Direction, (width, height): (f64, f64)) -> Size {
    let (main, cross) = direction.turned(width, height);
    Size { main, cross }
}

/// A level with its places.
#[derive(Debug)]
struct Arranged {
    placed: Placed,
    /// The width and the height of each figure.
    sizes: Vec<(f64, f64)>,
    insides: Vec<Option<Arranged>>,
}

/// Gives a level its places: first what is inside of its figures, which says how large these are.
fn arrange(level: &Level, direction: Direction) -> Arranged {
    let inside = |figure: &scene::Figure| figure.inside.as_ref().map(|inside| arrange(inside, direction));
    let insides: Vec<Option<Arranged>> = level.figures.iter().map(inside).collect();
    let mut sizes = Vec::with_capacity(level.figures.len());
    let mut items = Vec::with_capacity(level.figures.len());
    for (figure, inside) in level.figures.iter().zip(&insides) {
        let own = match inside {
            Some(inside) => {
                let (wide, high) = direction.turned(inside.placed.size.main, inside.placed.size.cross);
                let title = figure.label.height() + 16.0;
                (wide.max(figure.label.width()) + 2.0 * FRAME_MARGIN, high + title + FRAME_MARGIN)
            }
            None => figure.outline.around(&figure.label),
        };
        let size = size_of(direction, own);
        let is_last = figure.kind == super::FINALLY;
        items.push(Item { size, reach: figure.outline.reach(size), is_last });
        sizes.push(own);
    }
    let link = |arrow: &scene::Arrow| {
        let around = |word: &text::Lines| {
            let wide = word.lines.iter().map(|line| width(line, word.size)).fold(0.0, f64::max);
            size_of(direction, (wide + 2.0 * WORD_MARGIN, word.height()))
        };
        Link { from: arrow.from, to: arrow.to, label: arrow.word.as_ref().map(around) }
    };
    let links: Vec<Link> = level.arrows.iter().map(link).collect();
    Arranged { placed: lay_out(&items, &links), sizes, insides }
}

#[cfg(test)]
mod tests;

//! A layered layout: boxes in layers along one axis, every edge from layer to layer.
//!
//! It knows two axes and no workflow: the layers follow each other along the main axis, the boxes of a layer along the
//! cross axis. An edge that passes a layer has a place of its own there, and so has a label, so that neither lies on a
//! box. The same input has the same layout, and a cycle is laid out with some of its edges against the direction.

mod order;
mod place;
mod rank;

use self::order::Layers;

/// The size of something along both axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) main: f64,
    pub(super) cross: f64,
}

/// A place on both axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) main: f64,
    pub(super) cross: f64,
}

/// A box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) size: Size,
    /// How far from the middle of its side an edge may begin or end.
    pub(super) reach: f64,
    /// Whether it stands in the last layer, at the end of it.
    pub(super) is_last: bool,
}

/// An edge from box to box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The size of what stands at it.
    pub(super) label: Option<Size>,
}

/// Where everything is; all of it begins at zero on both axes.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) size: Size,
    /// The middles of the boxes.
    pub(super) items: Vec<Point>,
    /// The ways of the edges.
    pub(super) routes: Vec<Route>,
}

/// The way of an edge, along the main axis.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// The layers that it passes, the first and the last one being those of its boxes; none at an edge from a box to itself.
    pub(super) stops: Vec<Stop>,
    /// Whether it leads against the main axis.
    pub(super) is_reversed: bool,
    /// The middle of its label, which is in the second one of the layers.
    pub(super) label: Option<Point>,
}

/// An edge passes a layer, straight along the main axis; at its two ends it touches the boxes there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) cross: f64,
    /// How far from the middle of its box, at the two ends.
    pub(super) off_middle: f64,
    pub(super) begin: f64,
    pub(super) end: f64,
}

/// Lays out a graph; every link must be between items that are there.
pub(super) fn lay_out(items: &[Item], links: &[Link]) -> Placed {
    let arcs = rank::without_cycles(items.len(), links);
    let ranks = rank::ranks(items, links, &arcs);
    let mut layers = Layers::new(items, links, &arcs, &ranks);
    layers.uncross();
    let mut crosses = place::crosses(&layers);
    let bands = place::bands(&layers, &crosses);
    let low = lowest(&layers, &crosses);
    crosses.iter_mut().for_each(|cross| *cross -= low);
    let high = layers.vertices.iter().zip(&crosses).map(|(vertex, cross)| cross + vertex.size.cross / 2.0);
    let size = Size { main: bands.last().map_or(0.0, |band| band.1), cross: high.fold(0.0, f64::max) };
    let middle = |vertex: usize| Point { main: layers.middle(vertex, &bands), cross: crosses[vertex] };
    let points = (0..items.len()).map(middle).collect();
    Placed { size, items: points, routes: routes(&layers, &crosses, &bands, items, links.len()) }
}

fn lowest(layers: &Layers, crosses: &[f64]) -> f64 {
    let edges = layers.vertices.iter().zip(crosses).map(|(vertex, cross)| cross - vertex.size.cross / 2.0);
    edges.reduce(f64::min).unwrap_or(0.0)
}

/// How far apart edges begin and end at one side of a box, where there is room.
const PORT_GAP: f64 = 14.0;
/// How far to the side of that they may be, to be straight.
const PORT_SHIFT: f64 = 10.0;

fn routes(layers: &Layers, crosses: &[f64], bands: &[(f64, f64)], items: &[Item], links: usize) -> Vec<Route> {
    let mut routes: Vec<Route> = (0..links).map(|_| Route::default()).collect();
    let centred = vec![0.0; layers.chains.len()];
    let leaving = ports(layers, crosses, items, &centred, true);
    let entering = ports(layers, crosses, items, &leaving, false);
    for (chain, (leaves, enters)) in layers.chains.iter().zip(leaving.iter().zip(&entering)) {
        let last = chain.vertices.len() - 1;
        let stop = |(at, vertex): (usize, &usize)| {
            let off_middle = match at {
                0 => *leaves,
                at if at == last => *enters,
                _ => 0.0,
            };
            let (mut begin, mut end) = bands[layers.vertices[*vertex].layer];
            let (middle, half) = (layers.middle(*vertex, bands), layers.vertices[*vertex].size.main / 2.0);
            if at == 0 {
                begin = middle + half;
            } else if at == last {
                end = middle - half;
            }
            Stop { cross: crosses[*vertex] + off_middle, off_middle, begin, end }
        };
        let place = |vertex: usize| Point { main: layers.middle(vertex, bands), cross: crosses[vertex] };
        let stops = chain.vertices.iter().enumerate().map(stop).collect();
        routes[chain.link] = Route { stops, is_reversed: chain.is_reversed, label: chain.label.map(place) };
    }
    routes
}

/// How far from the middle of a side each edge leaves its box, or enters it: those of one box in the order of where they
/// come from or lead to, so that they do not cross, and straight where there is room. `others` are the ports at the other
/// ends.
fn ports(layers: &Layers, crosses: &[f64], items: &[Item], others: &[f64], is_leaving: bool) -> Vec<f64> {
    let mut by_item: Vec<Vec<(f64, usize)>> = vec![Vec::new(); items.len()];
    for (number, chain) in layers.chains.iter().enumerate() {
        let last = chain.vertices.len() - 1;
        let (own, next) = if is_leaving { (0, 1) } else { (last, last - 1) };
        let (own, next) = (chain.vertices[own], chain.vertices[next]);
        let other = if layers.vertices[next].is_item { others[number] } else { 0.0 };
        by_item[own].push((crosses[next] + other - crosses[own], number));
    }
    let mut ports = vec![0.0; layers.chains.len()];
    for (item, mut edges) in items.iter().zip(by_item) {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let between = edges.len().saturating_sub(1) as f64;
        let gap = PORT_GAP.min(2.0 * item.reach / between.max(1.0));
        let reach = item.reach.min(between * gap / 2.0 + PORT_SHIFT);
        let mut least = -reach;
        for (at, (wish, chain)) in edges.into_iter().enumerate() {
            let most = reach - (between - at as f64) * gap;
            ports[chain] = wish.clamp(least.min(most), most);
            least = ports[chain] + gap;
        }
    }
    ports
}

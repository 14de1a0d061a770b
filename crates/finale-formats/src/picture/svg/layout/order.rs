//! In which order the boxes of a layer, and the edges that pass it, stand in it.

use super::rank::Arc;
use super::{Item, Link, Size};

/// A box, or the place where an edge passes a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vertex {
    pub(super) layer: usize,
    pub(super) size: Size,
    pub(super) is_item: bool,
    pub(super) is_last: bool,
}

/// An edge with the places where it passes layers.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) link: usize,
    pub(super) is_reversed: bool,
    /// From the box in the lower layer to that in the higher one.
    pub(super) vertices: Vec<usize>,
    /// Which of them is the place of the label.
    pub(super) label: Option<usize>,
}

/// The layers; the boxes are the first vertices.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) vertices: Vec<Vertex>,
    pub(super) chains: Vec<Chain>,
    /// The vertices of each layer, in their order.
    pub(super) layers: Vec<Vec<usize>>,
    /// The neighbours of each vertex in the layer before.
    pub(super) before: Vec<Vec<usize>>,
    /// The neighbours of each vertex in the layer behind.
    pub(super) behind: Vec<Vec<usize>>,
}

/// How many places to pass a layer there are for each box and edge; where they do not suffice, the longest edges lead
/// straight to where they end.
const PLACES_MAX: usize = 8;

impl Layers {
    pub(super) fn new(items: &[Item], links: &[Link], arcs: &[Arc], ranks: &[usize]) -> Self {
        let of_item = |(item, rank): (&Item, &usize)| Vertex {
            layer: *rank,
            size: item.size,
            is_item: true,
            is_last: item.is_last,
        };
        let mut vertices: Vec<Vertex> = items.iter().zip(ranks).map(of_item).collect();
        let length = |arc: &Arc| ranks[arc.high].saturating_sub(ranks[arc.low]);
        let mut by_length: Vec<usize> = (0..arcs.len()).collect();
        by_length.sort_by_key(|arc| length(&arcs[*arc]));
        let mut room = 1_000 + PLACES_MAX * (items.len() + links.len());
        let mut is_short = vec![false; arcs.len()];
        for arc in by_length {
            is_short[arc] = length(&arcs[arc]) <= room;
            room -= length(&arcs[arc]).min(room);
        }
        let chain = |(arc, is_short): (&Arc, bool)| {
            let mut chain = vec![arc.low];
            let label_size = links[arc.link].label;
            let first = vertices.len();
            if is_short {
                for layer in ranks[arc.low] + 1..ranks[arc.high] {
                    let size = label_size.filter(|_| chain.len() == 1).unwrap_or_default();
                    chain.push(vertices.len());
                    vertices.push(Vertex { layer, size, is_item: false, is_last: false });
                }
            }
            let label = label_size.and(chain.get(1).copied()).filter(|_| vertices.len() > first);
            chain.push(arc.high);
            Chain { link: arc.link, is_reversed: arc.is_reversed, vertices: chain, label }
        };
        let chains: Vec<Chain> = arcs.iter().zip(is_short).map(chain).collect();
        let (before, behind) = neighbours(&vertices, &chains);
        let layers = begun(&vertices, &behind);
        Self { vertices, chains, layers, before, behind }
    }

    /// Orders the layers so that few edges cross: each vertex goes where its neighbours are, in the one and in the other
    /// direction by turns; the best order that is met stays.
    pub(super) fn uncross(&mut self) {
        let mut positions = vec![0; self.vertices.len()];
        self.number(&mut positions);
        let mut best = (self.crossings(&positions), self.layers.clone());
        let mut in_vain = 0;
        for sweep in 0..SWEEPS {
            if best.0 == 0 || in_vain == SWEEPS_IN_VAIN {
                break;
            }
            let mut numbers: Vec<usize> = (0..self.layers.len()).collect();
            let is_down = sweep % 2 == 0;
            if !is_down {
                numbers.reverse();
            }
            for number in numbers {
                let neighbours = if is_down { &self.before } else { &self.behind };
                let vertices = &self.vertices;
                let layer = &mut self.layers[number];
                let key = |vertex: &usize| {
                    let near = &neighbours[*vertex];
                    let sum: usize = near.iter().map(|near| positions[*near]).sum();
                    let own = if near.is_empty() { positions[*vertex] as f64 } else { sum as f64 / near.len() as f64 };
                    (vertices[*vertex].is_last, own)
                };
                let mut keyed: Vec<_> = layer.iter().map(|vertex| (key(vertex), *vertex)).collect();
                keyed.sort_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
                for (position, (_, vertex)) in keyed.into_iter().enumerate() {
                    layer[position] = vertex;
                    positions[vertex] = position;
                }
            }
            let crossings = self.crossings(&positions);
            in_vain += 1;
            if crossings < best.0 {
                in_vain = 0;
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// The middle of a vertex along the main axis. Where something stands at the end of the last layer, the layer begins on
    /// one line, else what is in it has its middles on one.
    pub(super) fn middle(&self, vertex: usize, bands: &[(f64, f64)]) -> f64 {
        let Vertex { layer, size, .. } = self.vertices[vertex];
        let (begin, end) = bands[layer];
        let is_ending = self.layers[layer].last().is_some_and(|last| self.vertices[*last].is_last);
        if is_ending { begin + size.main / 2.0 } else { f64::midpoint(begin, end) }
    }

    fn number(&self, positions: &mut [usize]) {
        for layer in &self.layers {
            for (position, vertex) in layer.iter().enumerate() {
                positions[*vertex] = position;
            }
        }
    }

    /// How many edges cross between the layers.
    fn crossings(&self, positions: &[usize]) -> usize {
        let mut crossings = 0;
        for (layer, next) in self.layers.iter().zip(self.layers.iter().skip(1)) {
            let mut ends = Vec::new();
            for vertex in layer {
                let begin = ends.len();
                ends.extend(self.behind[*vertex].iter().map(|behind| positions[*behind]));
                ends[begin..].sort_unstable();
            }
            crossings += inversions(&ends, next.len());
        }
        crossings
    }
}

/// How often the layers are gone through at most.
const SWEEPS: usize = 16;
/// After so many times without a better order no better one is looked for.
const SWEEPS_IN_VAIN: usize = 4;

/// How many pairs of numbers, all below `end`, stand in the wrong order; counted with a Fenwick tree.
fn inversions(numbers: &[usize], end: usize) -> usize {
    let mut tree = vec![0; end + 1];
    let mut inversions = 0;
    for (seen, number) in numbers.iter().enumerate() {
        let (mut at, mut not_above) = (number + 1, 0);
        while at > 0 {
            not_above += tree[at];
            at &= at - 1;
        }
        inversions += seen - not_above;
        at = number + 1;
        while at <= end {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    inversions
}

fn neighbours(vertices: &[Vertex], chains: &[Chain]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let (mut before, mut behind) = (vec![Vec::new(); vertices.len()], vec![Vec::new(); vertices.len()]);
    for chain in chains {
        for (low, high) in chain.vertices.iter().zip(chain.vertices.iter().skip(1)) {
            if vertices[*low].layer + 1 == vertices[*high].layer {
                behind[*low].push(*high);
                before[*high].push(*low);
            }
        }
    }
    (before, behind)
}

/// The order to begin with: a search in depth meets what belongs together one after the other.
fn begun(vertices: &[Vertex], behind: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let count = vertices.iter().map(|vertex| vertex.layer + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    let mut is_seen = vec![false; vertices.len()];
    let mut roots: Vec<usize> = (0..vertices.len()).collect();
    roots.sort_by_key(|vertex| (vertices[*vertex].is_last, vertices[*vertex].layer));
    for root in roots {
        let mut open = vec![root];
        while let Some(vertex) = open.pop() {
            if !std::mem::replace(&mut is_seen[vertex], true) {
                layers[vertices[vertex].layer].push(vertex);
                open.extend(behind[vertex].iter().rev());
            }
        }
    }
    layers
}

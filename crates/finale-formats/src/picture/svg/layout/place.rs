//! Where layers and what stands in them are.

use super::order::{Layers, Vertex};

/// How far two neighbours in a layer are apart: two boxes, a box and an edge, two edges.
const GAPS: [f64; 3] = [26.0, 20.0, 16.0];

/// How often all vertices are moved to one of their sides, and how often then to both.
const ROUNDS: usize = 8;
const ROUNDS_TO_BOTH: usize = 16;
/// Of more vertices nobody sees whether they are where they should be: they are moved less often.
const VERTICES_MANY: usize = 5_000;

/// The places along the cross axis: each vertex as near to its neighbours as the order of its layer lets it.
pub(super) fn crosses(layers: &Layers) -> Vec<f64> {
    let mut crosses = packed(layers);
    let none = vec![Vec::new(); layers.vertices.len()];
    let part = if layers.vertices.len() > VERTICES_MANY { 4 } else { 1 };
    for round in 0..(ROUNDS + ROUNDS_TO_BOTH) / part {
        let (down, up) = if round >= ROUNDS / part { (&layers.behind, &layers.before) } else { (&none, &none) };
        for layer in &layers.layers {
            settle(layer, layers, [&layers.before, down], &mut crosses);
        }
        for layer in layers.layers.iter().rev() {
            settle(layer, layers, [&layers.behind, up], &mut crosses);
        }
    }
    for layer in &layers.layers {
        straighten(layer, layers, &mut crosses);
    }
    crosses
}

/// An edge that is askew by less than this is made straight, where there is room.
const ASKEW_MAX: f64 = 10.0;

/// Moves each vertex of a layer that has a single edge from the layer before to where that one comes from.
fn straighten(layer: &[usize], layers: &Layers, crosses: &mut [f64]) {
    let offsets = offsets(layer, &layers.vertices);
    for (at, vertex) in layer.iter().enumerate() {
        let [before] = layers.before[*vertex][..] else { continue };
        let wish = crosses[before];
        if !is_lone(layers, before, *vertex) || (wish - crosses[*vertex]).abs() > ASKEW_MAX {
            continue;
        }
        let apart = |one: usize, other: usize| offsets[other] - offsets[one];
        let has_room_left = at == 0 || wish - crosses[layer[at - 1]] >= apart(at - 1, at);
        let has_room_right = at + 1 == layer.len() || crosses[layer[at + 1]] - wish >= apart(at, at + 1);
        if has_room_left && has_room_right {
            crosses[*vertex] = wish;
        }
    }
}

/// Everything side by side, the layers with their middles on one line.
fn packed(layers: &Layers) -> Vec<f64> {
    let mut crosses = vec![0.0; layers.vertices.len()];
    for layer in &layers.layers {
        let offsets = offsets(layer, &layers.vertices);
        let middle = offsets.last().map_or(0.0, |last| last / 2.0);
        for (vertex, offset) in layer.iter().zip(offsets) {
            crosses[*vertex] = offset - middle;
        }
    }
    crosses
}

/// How far from the first vertex each one of a layer is at least.
fn offsets(layer: &[usize], vertices: &[Vertex]) -> Vec<f64> {
    let mut offsets = Vec::with_capacity(layer.len());
    let mut offset = 0.0;
    let mut before: Option<Vertex> = None;
    for vertex in layer {
        let own = vertices[*vertex];
        if let Some(before) = before {
            let edges = usize::from(!own.is_item) + usize::from(!before.is_item);
            offset += f64::midpoint(before.size.cross, own.size.cross) + GAPS[edges];
        }
        offsets.push(offset);
        before = Some(own);
    }
    offsets
}

/// Whether an edge between neighbours is the only one at both of its ends.
fn is_lone(layers: &Layers, low: usize, high: usize) -> bool {
    layers.behind[low].len() == 1 && layers.before[high].len() == 1
}

/// How much two neighbours want to be at one place: where nothing branches or joins, edges want to be straight.
fn pull(layers: &Layers, one: usize, other: usize) -> f64 {
    let (low, high) =
        if layers.vertices[one].layer < layers.vertices[other].layer { (one, other) } else { (other, one) };
    match layers.vertices[one].is_item && layers.vertices[other].is_item {
        _ if is_lone(layers, low, high) => 16.0,
        true => 1.0,
        false => 2.0,
    }
}

/// Moves the vertices of a layer to the middle of their neighbours; where they would be too near to each other, they share
/// the way: the sum of the squares of how far each one is from where it wants to be is the least one.
fn settle(layer: &[usize], layers: &Layers, neighbours: [&Vec<Vec<usize>>; 2], crosses: &mut [f64]) {
    let offsets = offsets(layer, &layers.vertices);
    // What touches each other moves together: the sum of the wishes, their weight, and how many they are.
    let mut groups: Vec<(f64, f64, usize)> = Vec::with_capacity(layer.len());
    for (vertex, offset) in layer.iter().zip(&offsets) {
        let (mut wish, mut weight) = (0.0, 0.0);
        for near in neighbours.iter().flat_map(|side| &side[*vertex]) {
            let pull = pull(layers, *vertex, *near);
            wish += pull * crosses[*near];
            weight += pull;
        }
        if weight == 0.0 {
            (wish, weight) = (crosses[*vertex] * 0.01, 0.01);
        }
        let mut group = (wish - offset * weight, weight, 1);
        while let Some(last) = groups.pop_if(|last| last.0 / last.1 > group.0 / group.1) {
            group = (group.0 + last.0, group.1 + last.1, group.2 + last.2);
        }
        groups.push(group);
    }
    let mut at = layer.iter().zip(offsets);
    for (wish, weight, count) in groups {
        for (vertex, offset) in at.by_ref().take(count) {
            crosses[*vertex] = wish / weight + offset;
        }
    }
}

/// How far layers are apart; one that has only labels and edges is nearer.
const GAP: f64 = 34.0;
const GAP_OF_EDGES: f64 = 20.0;
/// How much farther they are where an edge between them leads far to the side.
const SLOPE: f64 = 0.12;
const GAP_MORE_MAX: f64 = 40.0;

/// Where each layer begins and ends along the main axis.
pub(super) fn bands(layers: &Layers, crosses: &[f64]) -> Vec<(f64, f64)> {
    let mut bands = Vec::with_capacity(layers.layers.len());
    let (mut at, mut had_items) = (0.0, true);
    for (number, layer) in layers.layers.iter().enumerate() {
        let has_items = layer.iter().any(|vertex| layers.vertices[*vertex].is_item);
        if number > 0 {
            let far = |vertex: &usize| {
                let before = layers.before[*vertex].iter();
                before.map(|before| (crosses[*before] - crosses[*vertex]).abs()).fold(0.0, f64::max)
            };
            let farthest = layer.iter().map(far).fold(0.0, f64::max);
            let gap = if has_items && had_items { GAP } else { GAP_OF_EDGES };
            at += gap + (farthest * SLOPE).min(GAP_MORE_MAX);
        }
        let thickness = layer.iter().map(|vertex| layers.vertices[*vertex].size.main).fold(0.0, f64::max);
        bands.push((at, at + thickness));
        at += thickness;
        had_items = has_items;
    }
    bands
}

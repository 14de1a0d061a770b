//! Which layer each box stands in.

use super::{Item, Link};

/// An edge in the direction of the layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub(super) low: usize,
    pub(super) high: usize,
    pub(super) link: usize,
    /// Whether the edge itself leads from the high to the low one.
    pub(super) is_reversed: bool,
}

/// How many layers an edge leads on at least: one that has a label needs a layer for it.
const fn length(link: &Link) -> usize {
    if link.label.is_some() { 2 } else { 1 }
}

/// The edges without a cycle: in each one, the edge that a search comes back by is turned. An edge from a box to itself is
/// left out.
pub(super) fn without_cycles(items: usize, links: &[Link]) -> Vec<Arc> {
    let mut leaving = vec![Vec::new(); items];
    let mut is_entered = vec![false; items];
    for (number, link) in links.iter().enumerate().filter(|(_, link)| link.from != link.to) {
        leaving[link.from].push(number);
        is_entered[link.to] = true;
    }
    let (mut is_seen, mut is_open) = (vec![false; items], vec![false; items]);
    let mut is_reversed = vec![false; links.len()];
    let first = (0..items).filter(|item| !is_entered[*item]);
    let roots: Vec<usize> = first.chain(0..items).collect();
    for root in roots {
        if std::mem::replace(&mut is_seen[root], true) {
            continue;
        }
        is_open[root] = true;
        let mut path = vec![(root, 0)];
        while let Some((item, next)) = path.last_mut() {
            let Some(link) = leaving[*item].get(*next).copied() else {
                is_open[*item] = false;
                path.pop();
                continue;
            };
            *next += 1;
            let to = links[link].to;
            is_reversed[link] = is_open[to];
            if !std::mem::replace(&mut is_seen[to], true) {
                is_open[to] = true;
                path.push((to, 0));
            }
        }
    }
    let arc = |(link, known): (usize, &Link)| {
        let is_reversed = is_reversed[link];
        let (low, high) = if is_reversed { (known.to, known.from) } else { (known.from, known.to) };
        Arc { low, high, link, is_reversed }
    };
    links.iter().enumerate().filter(|(_, link)| link.from != link.to).map(arc).collect()
}

/// The layers of the boxes: each as early as what it comes after lets it, and then as late as what comes after it lets it
/// where that makes its edges shorter.
pub(super) fn ranks(items: &[Item], links: &[Link], arcs: &[Arc]) -> Vec<usize> {
    let (mut leaving, mut entering) = (vec![Vec::new(); items.len()], vec![Vec::new(); items.len()]);
    for arc in arcs {
        leaving[arc.low].push(*arc);
        entering[arc.high].push(*arc);
    }
    let mut ranks = vec![0; items.len()];
    let mut missing: Vec<usize> = entering.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..items.len()).filter(|item| missing[*item] == 0).collect();
    let mut at = 0;
    while let Some(item) = order.get(at).copied() {
        at += 1;
        for arc in &leaving[item] {
            ranks[arc.high] = ranks[arc.high].max(ranks[item] + length(&links[arc.link]));
            missing[arc.high] -= 1;
            if missing[arc.high] == 0 {
                order.push(arc.high);
            }
        }
    }
    for item in order.into_iter().rev().filter(|item| leaving[*item].len() > entering[*item].len()) {
        let latest = leaving[item].iter().map(|arc| ranks[arc.high].saturating_sub(length(&links[arc.link]))).min();
        ranks[item] = latest.unwrap_or(ranks[item]).max(ranks[item]);
    }
    let last = ranks.iter().copied().max().unwrap_or(0);
    for (rank, _) in ranks.iter_mut().zip(items).filter(|(_, item)| item.is_last) {
        *rank = last;
    }
    ranks
}

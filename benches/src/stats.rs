//! Medians and their kin.

use serde::Serialize;

/// Where a set of measured values lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let sorted = sorted(values);
        Self { median: median(values), min: sorted[0], max: sorted[sorted.len() - 1] }
    }
}

/// The middle value, or halfway between the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

/// The value that this part of all values does not exceed.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted[rank.saturating_sub(1).min(sorted.len() - 1)]
}

/// The median over what was measured side by side, which a slow minute of the machine does not change.
pub fn paired_ratio(values: &[f64], baseline: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(baseline).map(|(value, baseline)| value / baseline).collect();
    median(&ratios)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    assert!(!values.is_empty(), "nothing was measured");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_of_few_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.5), 50.0);
        assert_eq!(percentile(&hundred, 0.99), 99.0);
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
    }
}

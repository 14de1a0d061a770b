//! Keeps what is counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// What was counted, by name and labels; of a histogram, the values. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Mutex<BTreeMap<String, Vec<f64>>>>, Arc<Mutex<Vec<String>>>);

impl Kept {
    /// The value of a counter or gauge; 0 if nobody counted.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.values(name).first().copied().unwrap_or_default()
    }

    /// The values that a histogram was given.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        self.0.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// All that has a value other than 0.
    pub(crate) fn names(&self) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter()
            .filter(|(_, values)| values.iter().any(|value| *value != 0.0))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The names of what was described.
    pub(crate) fn described(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }

    fn describe(&self, key: &KeyName, description: &str) {
        assert!(!description.trim().is_empty());
        self.1.lock().unwrap().push(key.as_str().to_owned());
    }

    fn one(&self, key: &Key) -> Arc<One> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let name = format!("{}{labels}", key.name());
        Arc::new(One { name, kept: self.clone() })
    }
}

struct One {
    name: String,
    kept: Kept,
}

impl One {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        let mut all = self.kept.0.lock().unwrap();
        let values = all.entry(self.name.clone()).or_insert_with(|| vec![0.0]);
        change(&mut values[0]);
    }
}

impl CounterFn for One {
    fn increment(&self, value: u64) {
        self.change(|sum| *sum += value as f64);
    }

    fn absolute(&self, value: u64) {
        self.change(|sum| *sum = value as f64);
    }
}

impl GaugeFn for One {
    fn increment(&self, value: f64) {
        self.change(|sum| *sum += value);
    }

    fn decrement(&self, value: f64) {
        self.change(|sum| *sum -= value);
    }

    fn set(&self, value: f64) {
        self.change(|sum| *sum = value);
    }
}

impl HistogramFn for One {
    fn record(&self, value: f64) {
        self.kept.0.lock().unwrap().entry(self.name.clone()).or_default().push(value);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_gauge(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn describe_histogram(&self, key: KeyName, _unit: Option<Unit>, description: SharedString) {
        self.describe(&key, &description);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.one(key))
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

//! finale-benches

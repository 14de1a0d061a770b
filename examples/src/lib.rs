//! finale-examples

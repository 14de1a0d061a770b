//! finale-tests

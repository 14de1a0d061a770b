//! finale-formats

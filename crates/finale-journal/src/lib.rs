//! finale-journal

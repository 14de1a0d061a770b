//! Drives a supervisor.

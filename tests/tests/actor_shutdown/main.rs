//! The end of a runtime: in order and in time, or all of a sudden.

mod joined;
mod left;
mod stopped;
mod system;
mod together;

//! finale

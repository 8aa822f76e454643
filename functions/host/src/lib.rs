//! Wakes local processes on demand and puts them back to sleep.

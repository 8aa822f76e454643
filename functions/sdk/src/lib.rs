//! Write an agent tool as an HTTP function that sleeps until it is called.

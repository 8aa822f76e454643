//! The AgentPool file: types, parsing and validation.

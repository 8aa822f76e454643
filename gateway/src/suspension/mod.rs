//! Tasks that wait for their client: what they ask, in the way of each era, and what is answered.
//!
//! A modern client gets the asks as the result of its request, with a [`seal`](state::Seal) that
//! its retry brings back; a legacy one gets them as requests on its stream or socket. Either way
//! nothing of it is kept here: the asks are the broker's, and what the client carries leads back
//! to them, also after a restart.

pub(crate) mod asks;
pub(crate) mod responses;
pub(crate) mod state;

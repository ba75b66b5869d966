//! The running meetings, as pure logic.
//!
//! Time (`now`), wall time and seeds are arguments; decisions come out as data ([`focus::Effect`]), which the
//! gateway carries out. The drive loop is: one `handle_*`, then [`focus::Focus::poll_output`] until it says
//! [`focus::Output::Timeout`].
//!
//! | module | question it answers |
//! |---|---|
//! | [`number`], [`emergency`] | what number was typed, and might it reach an emergency service |
//! | [`resolver`] | who is meant by a text |
//! | [`policy`] | who may do what, and may this number be dialled |
//! | [`rights`], [`plan`] | who may do what; who hears and sees whom |
//! | [`call`] | how one dial-out goes on |
//! | [`meeting`], [`participant`] | who is in, and when is it over |
//! | [`ivr`], [`guess`] | how somebody who dials in is asked for id and PIN, and how often |
//! | [`keypad`], [`speech`] | what keys mean in the meeting, and what is said to whom |
//! | [`focus`] | all meetings: commands and events in, effects out |

pub mod call;
pub mod conference_info;
pub mod emergency;
pub mod event;
pub mod focus;
pub mod guess;
pub mod ivr;
pub mod keypad;
pub mod ladder;
pub mod leg_record;
pub mod meeting;
pub mod number;
pub mod participant;
pub mod pin;
pub mod plan;
pub mod policy;
pub mod refusal;
pub mod resolver;
pub mod rights;
pub mod settings;
pub mod snapshot;
pub mod speech;
pub mod timers;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

//! Whole calls: focus, user agent and media worker on one side, scripted phones and a carrier on the other, a seeded
//! network that loses datagrams in between. No socket, no clock.

mod far;
mod gateway;
mod races;
mod scenes;
mod world;

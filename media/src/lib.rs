//! Media as pure logic: it is handed datagrams and the time, and hands back datagrams and events.

pub mod webrtc;

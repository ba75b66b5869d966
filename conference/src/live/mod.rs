//! The running meetings, as pure logic.

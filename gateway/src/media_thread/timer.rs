//! A timer with a resolution far below the millisecond in which a poll's own time-out is counted.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Becomes readable once when its time has come. Register it with a poll, edge-triggered.
#[derive(Debug)]
pub(super) struct Timer(OwnedFd);

impl Timer {
    #[expect(unsafe_code, reason = "the standard library has no timers")]
    pub(super) fn new() -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor just made, owned by nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// Sets the timer, whatever it was set to before.
    #[expect(unsafe_code, reason = "the standard library has no timers")]
    pub(super) fn set(&self, after: Duration) -> io::Result<()> {
        // A value of zero would stop it.
        let after = after.max(Duration::from_nanos(1));
        let time = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec {
                tv_sec: libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX),
                tv_nsec: libc::c_long::from(after.subsec_nanos()),
            },
        };
        // SAFETY: `time` lives through the call; the old value is not asked for.
        let result =
            unsafe { libc::timerfd_settime(self.as_raw_fd(), 0, &raw const time, std::ptr::null_mut()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

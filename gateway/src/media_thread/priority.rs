//! What a media thread asks of the scheduler: to run soon after it wakes, and not to wait behind long turns of others.

/// `struct sched_attr` in its first form (sched_setattr(2)).
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Turns of this length, in nanoseconds: a thread with shorter turns runs before one with longer ones when it wakes (Linux 6.12
/// and later; earlier ones take no notice).
const TURN: u64 = 100_000;
/// Where the process may (`CAP_SYS_NICE` or `RLIMIT_NICE`), before everything ordinary. Not a real-time policy: that starves
/// the kernel's own network threads.
const NICE: i32 = -11;

/// Asks for this thread; what is refused is done without.
pub(super) fn raise() {
    if !set(NICE) {
        set(0);
    }
}

#[expect(unsafe_code, reason = "the standard library does not know the scheduler")]
fn set(nice: i32) -> bool {
    let size = u32::try_from(size_of::<SchedAttr>()).unwrap_or(0);
    let attr =
        SchedAttr { size, policy: 0, flags: 0, nice, priority: 0, runtime: TURN, deadline: 0, period: 0 };
    // SAFETY: the call reads `size` bytes of `attr`, which lives through it; 0 is the calling thread.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) == 0 }
}

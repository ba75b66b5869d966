//! Large pages for the memory of a media thread's legs.
//!
//! A tick touches a little of every leg, some 30 KiB apart. With pages of 4 KiB nearly every touch of thousands of legs
//! has to look up a page anew; with pages of 2 MiB the processor knows them all. Measured with 2,500 phones: 8 % less time.

/// glibc keeps what a thread allocates in areas of this size, aligned to it (`HEAP_MAX_SIZE`).
const AREA: usize = 64 << 20;
/// A block of this size comes from the thread's own area: smaller ones may have been another thread's before, larger ones
/// get a mapping of their own.
const PROBE: usize = 64 << 10;

/// Asks the kernel to use large pages for the area in which this thread allocates now. Where memory is laid out otherwise,
/// or the kernel has no large pages, nothing happens.
#[expect(unsafe_code, reason = "the standard library does not know pages")]
pub(super) fn prefer_large() {
    let block = Vec::<u8>::with_capacity(PROBE);
    let area = block.as_ptr().addr() & !(AREA - 1);
    // SAFETY: changes nothing but the size of pages, in whatever of this range is mapped.
    let _ = unsafe { libc::madvise(std::ptr::without_provenance_mut(area), AREA, libc::MADV_HUGEPAGE) };
}

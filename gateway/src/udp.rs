//! UDP as the media threads use it: several datagrams in one call, each with the time at which the kernel took it in.
//!
//! A phone's port is read once per mix tick and not whenever something arrives: that halves the system calls, and
//! nothing is lost by it, because nothing is done with a packet before the tick. What the jitter buffer has to know,
//! when the packet really came, the kernel tells (`SO_TIMESTAMPNS`).

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Larger than any datagram of this product's protocols on an Ethernet path.
pub const DATAGRAM: usize = 2048;

/// Datagrams read by one call at most.
pub const BATCH: usize = 4;

/// Bytes for the control messages of one datagram; a time stamp takes 32.
const CONTROL: usize = 64;

/// Two clocks read at the same moment: turns the kernel's wall-clock stamps into the time everything else runs by.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    now: Instant,
    wall: Duration,
}

impl Clocks {
    /// A stamp older than this was made before somebody set the wall clock.
    const OLDEST: Duration = Duration::from_secs(2);

    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now: Instant::now(), wall }
    }

    /// The moment of the reading.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// When a datagram came, by its stamp; the moment of the reading if the stamp cannot be right.
    fn arrival(&self, stamp: Duration) -> Instant {
        if let Some(after) = stamp.checked_sub(self.wall) {
            return if after < Self::OLDEST { self.now + after } else { self.now };
        }
        let age = self.wall.saturating_sub(stamp);
        let arrival = self.now.checked_sub(age).filter(|_| age < Self::OLDEST);
        arrival.unwrap_or(self.now)
    }
}

/// Asks the kernel to stamp every datagram of this socket.
///
/// # Errors
/// The system's.
#[expect(unsafe_code, reason = "the standard library has no such option")]
pub fn stamp(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0);
    // SAFETY: the option takes an int, and `on` is one of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends whole datagrams only, as sound always is: the kernel then draws no identification for fragments, packet by
/// packet. IPv4 alone has that cost.
///
/// # Errors
/// The system's.
#[expect(unsafe_code, reason = "the standard library has no such option")]
pub fn send_whole(socket: &impl AsRawFd) -> io::Result<()> {
    let mode: libc::c_int = libc::IP_PMTUDISC_PROBE;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0);
    // SAFETY: the option takes an int, and `mode` is one of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            (&raw const mode).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Memory for what one call reads.
pub struct Batch {
    payloads: Box<[[u8; DATAGRAM]; BATCH]>,
    received: [Received; BATCH],
}

#[derive(Clone, Copy)]
struct Received {
    arrival: Instant,
    source: SocketAddr,
    length: usize,
}

impl Batch {
    /// Allocates once for all calls to come.
    #[must_use]
    pub fn new() -> Self {
        let nothing = Received {
            arrival: Instant::now(),
            source: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            length: 0,
        };
        Self { payloads: Box::new([[0; DATAGRAM]; BATCH]), received: [nothing; BATCH] }
    }

    /// The datagrams of the last [`receive`](Self::receive), of which there were `count`: when, from whom, what.
    pub fn datagrams(&self, count: usize) -> impl Iterator<Item = (Instant, SocketAddr, &[u8])> {
        let pairs = self.received.iter().zip(self.payloads.iter()).take(count);
        pairs.map(|(received, payload)| {
            let payload = payload.get(..received.length).unwrap_or_default();
            (received.arrival, received.source, payload)
        })
    }

    /// Reads what waits on a non-blocking socket, up to [`BATCH`] datagrams; longer ones are cut off.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when nothing waits.
    #[expect(unsafe_code, reason = "recvmmsg has no safe form in the standard library")]
    #[expect(clippy::indexing_slicing, reason = "all arrays have BATCH elements")]
    pub fn receive(&mut self, socket: &UdpSocket, clocks: &Clocks) -> io::Result<usize> {
        let mut names = [const { MaybeUninit::<libc::sockaddr_storage>::uninit() }; BATCH];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; BATCH];
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|at| libc::iovec {
            iov_base: self.payloads[at].as_mut_ptr().cast(),
            iov_len: DATAGRAM,
        });
        let mut headers: [libc::mmsghdr; BATCH] = std::array::from_fn(|at| {
            // SAFETY: a header is made of integers and pointers, for which zero is a value.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = names[at].as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = NAME;
            header.msg_hdr.msg_iov = &raw mut vectors[at];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = controls[at].as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL;
            header
        });
        // SAFETY: every header points to memory above that outlives the call, with its true length.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH_COUNT,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?.min(BATCH);
        for at in 0..count {
            let header = &headers[at].msg_hdr;
            // SAFETY: the kernel wrote name and control messages of this datagram and their lengths.
            let (source, stamp) = unsafe { (source(&names[at], header.msg_namelen), stamp_of(header)) };
            self.received[at] = Received {
                arrival: stamp.map_or(clocks.now, |stamp| clocks.arrival(stamp)),
                source: source.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
                length: usize::try_from(headers[at].msg_len).unwrap_or(0),
            };
        }
        Ok(count)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

/// Room for control messages, aligned as their headers must be.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

#[expect(clippy::cast_possible_truncation, reason = "128 bytes")]
const NAME: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const BATCH_COUNT: libc::c_uint = BATCH as libc::c_uint;

/// Reads an address the kernel wrote.
///
/// # Safety
/// `name` must hold `length` bytes of an address.
#[expect(unsafe_code, reason = "see the caller")]
unsafe fn source(name: &MaybeUninit<libc::sockaddr_storage>, length: libc::socklen_t) -> Option<SocketAddr> {
    let length = usize::try_from(length).ok()?;
    if length < size_of::<libc::sockaddr_in>() {
        return None;
    }
    let name = name.as_ptr();
    // SAFETY: at least a family was written; the lengths of both forms are checked before they are read.
    unsafe {
        match libc::c_int::from((*name).ss_family) {
            libc::AF_INET => {
                let v4 = &*name.cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                let v6 = &*name.cast::<libc::sockaddr_in6>();
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddr::from((ip, u16::from_be(v6.sin6_port))))
            }
            _ => None,
        }
    }
}

/// The time stamp among a datagram's control messages, since 1970.
///
/// # Safety
/// `header` must be one the kernel has filled in.
#[expect(unsafe_code, reason = "see the caller")]
unsafe fn stamp_of(header: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel wrote `msg_controllen` bytes of well-formed control messages.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_TIMESTAMPNS {
                let time = libc::CMSG_DATA(message).cast::<libc::timespec>().read_unaligned();
                let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
                return Some(Duration::new(seconds, nanos));
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        let [one, other] = [0, 1].map(|_| UdpSocket::bind(address).expect("a free port"));
        one.set_nonblocking(true).expect("non-blocking");
        stamp(&one).expect("stamps");
        (one, other)
    }

    /// Reads until something is there.
    fn receive(batch: &mut Batch, socket: &UdpSocket) -> usize {
        loop {
            match batch.receive(socket, &Clocks::read()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                result => return result.expect("readable"),
            }
        }
    }

    #[test]
    fn datagrams_come_with_source_and_time_in_order() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (socket, sender) = pair(address);
            let before = Instant::now();
            for n in 0..6_u8 {
                let to = socket.local_addr().expect("bound");
                sender.send_to(&vec![n; 100 + usize::from(n)], to).expect("sent");
            }
            std::thread::sleep(Duration::from_millis(20));
            let mut batch = Batch::new();
            let mut seen = Vec::new();
            while seen.len() < 6 {
                let count = receive(&mut batch, &socket);
                for (arrival, source, payload) in batch.datagrams(count) {
                    assert_eq!(source, sender.local_addr().expect("bound"));
                    // Between the two clocks the thread may lose its core for a while.
                    let slack = Duration::from_secs(1);
                    assert!(arrival + slack > before && arrival < Instant::now(), "when it came");
                    seen.push(payload.to_vec());
                }
            }
            let expected: Vec<_> = (0..6_u8).map(|n| vec![n; 100 + usize::from(n)]).collect();
            assert_eq!(seen, expected);
            let error = batch.receive(&socket, &Clocks::read()).expect_err("nothing waits");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn stamps_from_before_a_clock_was_set_are_not_believed() {
        let clocks = Clocks { now: Instant::now(), wall: Duration::from_secs(1_000) };
        let ms = Duration::from_millis;
        assert_eq!(clocks.arrival(ms(999_990)), clocks.now.checked_sub(ms(10)).expect("after boot"));
        assert_eq!(clocks.arrival(ms(1_000_010)), clocks.now + ms(10));
        assert_eq!(clocks.arrival(ms(5_000)), clocks.now);
        assert_eq!(clocks.arrival(ms(9_000_000)), clocks.now);
    }
}

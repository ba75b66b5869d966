//! Digest authentication, RFC 3261 section 22 with RFC 7616 and RFC 8760: both sides.

mod client;
mod digest;
mod hmac;
mod nonce;
mod server;

pub use client::{Credentials, answer};
pub use digest::{DigestAlgorithm, DigestInput, ha1, ha1_md5, ha1_sha256};
pub use server::{Account, DigestServer, Verdict};

pub(crate) use hmac::hmac_sha256;

#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| partyline_fuzz::media_ports(data));

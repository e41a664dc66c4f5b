#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| akv_fuzz::identity_proof(input));

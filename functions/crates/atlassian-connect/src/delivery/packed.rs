//! Compression of messages: DEFLATE and base64, because a message is text.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// The maximum size of a decompressed text, in bytes: more than a receiver can get (AWS Lambda
/// Developer Guide, "Lambda quotas": 6 MB), and a limit for decompression bombs.
pub(super) const MAX_UNPACKED: usize = 16 * 1024 * 1024;

pub(super) fn pack(text: &str) -> String {
    // A low level, because a receiver has a quarter of a CPU: twice the time would save a tenth.
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(3));
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    STANDARD.encode(packed.expect("a Vec takes any bytes"))
}

pub(super) fn unpack(packed: &str) -> Option<String> {
    let packed = STANDARD.decode(packed).ok()?;
    let mut text = String::new();
    let limit = u64::try_from(MAX_UNPACKED).ok()? + 1;
    DeflateDecoder::new(&*packed).take(limit).read_to_string(&mut text).ok()?;
    (text.len() <= MAX_UNPACKED).then_some(text)
}

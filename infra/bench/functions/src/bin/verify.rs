//! Verifies one token again and again, and prints how long each time took, in nanoseconds.
//!
//! The arguments are a URL, the token of a POST to it, the secret, and the number of times.

use std::hint::black_box;
use std::time::Instant;

use atlassian_connect::jwt::Unverified;
use atlassian_connect::qsh::Request;
use atlassian_connect::tenant::SharedSecret;
use jiff::Timestamp;
use lambda_runtime::Error;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, token, secret, times] = arguments.as_slice() else {
        return Err("the arguments are URL TOKEN SECRET TIMES".into());
    };
    let (secret, times) = (SharedSecret::new(secret), times.parse::<u32>()?);
    let now = Timestamp::now();
    let start = Instant::now();
    for _ in 0..times {
        let request = Request::of_url("POST", black_box(url), "");
        let token = Unverified::webhook(black_box(token))?.screen(&request, now)?;
        black_box(token.verify(&secret)?);
    }
    println!("{}", start.elapsed().as_nanos() / u128::from(times.max(1)));
    Ok(())
}

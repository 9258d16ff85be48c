//! `X-Hub-Signature`: an HMAC of the body.
//!
//! WebSub (W3C Recommendation of 2018), section 7.1, "Authenticated Content Distribution". The value is
//! a method, `=`, and the HMAC in hexadecimal digits. The products document `sha256` alone and warn that
//! the method may change; a request must not choose it, so every other one is refused until this code
//! knows it.

use atlassian_connect::tenant::SharedSecret;
use ring::hmac;

use crate::Untrusted;

/// The method of every signature, in lower case as the products document it.
pub const METHOD: &str = "sha256";

/// The name of the header, in lower case.
pub(crate) const HEADER: &str = "x-hub-signature";

/// The value of an `X-Hub-Signature` header, not verified.
pub(crate) struct Signature([u8; LEN]);

impl Signature {
    /// Parses the value of a header.
    ///
    /// The method is a word and compared as it is. Digits are a number, in either case.
    pub(crate) fn parse(value: &str) -> Result<Self, Untrusted> {
        // Neither a method nor a digit contains one: it separates the values of several headers.
        if value.contains(',') {
            return Err(Untrusted::SeveralSignatures);
        }
        let (method, digits) = value.split_once('=').ok_or(Untrusted::MalformedSignature)?;
        if method != METHOD {
            return Err(Untrusted::Method);
        }
        bytes(digits).map(Self).ok_or(Untrusted::MalformedSignature)
    }

    /// Whether it is the signature of a body. Compares in constant time.
    pub(crate) fn is_of(&self, body: &[u8], secret: &SharedSecret) -> bool {
        hmac::verify(&key(secret), body, &self.0).is_ok()
    }
}

/// The value of the header for a body, as a product writes it.
pub fn sign(body: &[u8], secret: &SharedSecret) -> String {
    let tag = hmac::sign(&key(secret), body);
    let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("{METHOD}={}", digits.collect::<String>())
}

/// The length of an HMAC with SHA-256, in bytes.
const LEN: usize = 32;

fn key(secret: &SharedSecret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

fn bytes(digits: &str) -> Option<[u8; LEN]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != LEN || !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let mut bytes = [0; LEN];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Atlassian's documentation, "Webhooks", section "Secure admin webhooks".
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello World!";
    const SIGNATURE: &str = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";

    fn verify(header: &str, body: &[u8], secret: &str) -> Result<bool, Untrusted> {
        Ok(Signature::parse(header)?.is_of(body, &SharedSecret::new(secret)))
    }

    #[test]
    fn verifies_the_documented_example() {
        let header = format!("sha256={SIGNATURE}");
        assert_eq!(sign(BODY, &SharedSecret::new(SECRET)), header);
        assert_eq!(verify(&header, BODY, SECRET), Ok(true));
        assert_eq!(verify(&header, BODY, "It's a secret to everybody"), Ok(false));
        assert_eq!(verify(&header, b"Hello World", SECRET), Ok(false));
        assert_eq!(verify(&header, b"", SECRET), Ok(false));
    }

    #[test]
    fn trusts_no_changed_digit() {
        for position in 0..SIGNATURE.len() {
            let mut changed = SIGNATURE.to_owned().into_bytes();
            changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
            let changed = format!("sha256={}", String::from_utf8(changed).unwrap());
            assert_eq!(verify(&changed, BODY, SECRET), Ok(false), "digit {position}");
        }
    }

    #[test]
    fn takes_digits_in_either_case_and_the_method_in_one() {
        let upper = SIGNATURE.to_uppercase();
        assert_eq!(verify(&format!("sha256={upper}"), BODY, SECRET), Ok(true));
        for method in ["SHA256", "Sha256", "sha-256", "sha2", "sha256 ", " sha256", "", "sha1"] {
            let header = format!("{method}={SIGNATURE}");
            assert_eq!(verify(&header, BODY, SECRET), Err(Untrusted::Method), "{method:?}");
        }
        // Methods of which the accepted one is the beginning, or that begin it.
        for method in ["sha256sha256", "sha256/128", "sha25", "sha2567", "sha512/256"] {
            let header = format!("{method}={SIGNATURE}");
            assert_eq!(verify(&header, BODY, SECRET), Err(Untrusted::Method), "{method}");
        }
    }

    #[test]
    fn takes_no_other_form() {
        let cut = &SIGNATURE[..63];
        let half = &SIGNATURE[..32];
        for header in [
            "",
            "sha256",
            SIGNATURE,
            "sha256=",
            &format!("sha256={cut}"),
            &format!("sha256={half}"),
            &format!("sha256={SIGNATURE}0"),
            &format!("sha256={SIGNATURE}00"),
            &format!("sha256={SIGNATURE} "),
            &format!("sha256= {SIGNATURE}"),
            &format!("sha256=0x{}", &SIGNATURE[2..]),
            &format!("sha256={cut}g"),
            &format!("sha256={cut}+"),
            // Two bytes.
            &format!("sha256={}é", &SIGNATURE[..62]),
            // In base64.
            "sha256=pHccOfvpDzF8eCToPd7zyq6cs9l2whSs4fKTfhMyY8k=",
        ] {
            assert_eq!(
                verify(header, BODY, SECRET),
                Err(Untrusted::MalformedSignature),
                "{header}"
            );
        }
    }

    #[test]
    fn takes_one_header() {
        let good = format!("sha256={SIGNATURE}");
        for header in [
            format!("{good},{good}"),
            format!("{good}, sha1=00"),
            format!("sha1=00,{good}"),
            format!("{good},"),
        ] {
            assert_eq!(
                verify(&header, BODY, SECRET),
                Err(Untrusted::SeveralSignatures),
                "{header}"
            );
        }
    }

    /// RFC 4231, test case 2.
    #[test]
    fn signs_as_the_standard_does() {
        let short = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"what do ya want for nothing?", &SharedSecret::new("Jefe")), short);
    }
}

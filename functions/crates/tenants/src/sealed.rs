//! The stored form of a secret that a data key encrypts.
//!
//! ```text
//! DA 7A CE   01        n              n bytes     12 bytes   the rest
//! mark       version   name's length  data key    nonce      AES-256-GCM: ciphertext and tag
//! ```
//!
//! The additional data are everything before the nonce, and then the app and the tenant: a value that
//! is copied to another tenant's row, or to another app's table, does not open.
//!
//! A nonce is random. One data key may encrypt 2^32 values so (NIST SP 800-38D, 8.3), and is used for
//! the installs of one year.

use std::fmt;

use atlassian_connect::tenant::SharedSecret;
use contract::tenants_table::DATA_KEY_PREFIX;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::RowKey;

/// The name of a data key, which is also the partition key of its row.
///
/// It has a space, which no client key has: see [`ClientKey::new`](atlassian_connect::tenant::ClientKey::new).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DataKeyName(String);

impl DataKeyName {
    /// The name of a year's first data key, or of one that replaced it.
    pub(crate) fn new(year: i16, number: u16) -> Self {
        Self(match number {
            0 => format!("{DATA_KEY_PREFIX}{year:04}"),
            _ => format!("{DATA_KEY_PREFIX}{year:04}.{number}"),
        })
    }

    /// Accepts a name as [`DataKeyName::new`] writes it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let of = name.strip_prefix(DATA_KEY_PREFIX)?;
        let (year, number) = of.split_once('.').unwrap_or((of, "0"));
        let written = Self::new(year.parse().ok()?, number.parse().ok()?);
        (written.0 == name).then_some(written)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The year, and the number within it.
    pub(crate) fn order(&self) -> (i16, u16) {
        let of = &self.0[DATA_KEY_PREFIX.len()..];
        let (year, number) = of.split_once('.').unwrap_or((of, "0"));
        // Both are numbers, as the name was made of them.
        (year.parse().unwrap_or_default(), number.parse().unwrap_or_default())
    }
}

impl fmt::Display for DataKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose secret a value is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) app: &'a str,
    pub(crate) tenant: &'a RowKey,
}

/// A stored value, taken apart.
pub(crate) struct Sealed<'a> {
    /// The data key that encrypts it.
    pub(crate) data_key: DataKeyName,
    head: &'a [u8],
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Encrypts a secret. The data key has 32 bytes.
    pub(crate) fn seal(
        secret: &SharedSecret,
        owner: Owner<'_>,
        (name, data_key): (&DataKeyName, &[u8]),
    ) -> Result<Vec<u8>, Unsealed> {
        let len = u8::try_from(name.0.len()).map_err(|_| Unsealed::Format)?;
        let mut sealed = [&MARK[..], &[VERSION, len], name.0.as_bytes()].concat();
        let bound = bound(&sealed, owner);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Unsealed::Cipher)?;
        // Encrypted in place.
        let mut text = secret.expose().as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        cipher(data_key)?
            .seal_in_place_append_tag(unique, bound, &mut text)
            .map_err(|_| Unsealed::Cipher)?;
        sealed.extend(nonce);
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Whether a value has the mark of this form. A ciphertext of KMS begins with `01`.
    pub(crate) fn is_marked(stored: &[u8]) -> bool {
        stored.starts_with(&MARK)
    }

    /// Takes a marked value apart.
    pub(crate) fn parse(stored: &'a [u8]) -> Result<Self, Unsealed> {
        let rest = stored.strip_prefix(&MARK).ok_or(Unsealed::Format)?;
        let (&version, rest) = rest.split_first().ok_or(Unsealed::Format)?;
        if version != VERSION {
            return Err(Unsealed::Version(version));
        }
        let (&len, rest) = rest.split_first().ok_or(Unsealed::Format)?;
        let (name, rest) = rest.split_at_checked(len.into()).ok_or(Unsealed::Format)?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(Unsealed::Format)?;
        let name = str::from_utf8(name).ok().and_then(DataKeyName::parse);
        let head = &stored[..MARK.len() + 2 + usize::from(len)];
        Ok(Self { data_key: name.ok_or(Unsealed::Format)?, head, nonce: *nonce, ciphertext })
    }

    /// Decrypts it.
    pub(crate) fn open(&self, owner: Owner<'_>, data_key: &[u8]) -> Result<SharedSecret, Unsealed> {
        let mut text = Zeroizing::new(self.ciphertext.to_vec());
        let opened = cipher(data_key)?
            .open_in_place(
                Nonce::assume_unique_for_key(self.nonce),
                bound(self.head, owner),
                &mut text,
            )
            .map_err(|_| Unsealed::Cipher)?;
        // Without its source, which would tell where the bytes are wrong.
        Ok(SharedSecret::new(str::from_utf8(opened).map_err(|_| Unsealed::Format)?))
    }
}

/// Why a value cannot be sealed or opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unsealed {
    /// It is incomplete, or is no text.
    #[error("the value is not one that a data key encrypted")]
    Format,
    /// It has another version.
    #[error("the value has the version {0}; deploy the release of this app that wrote it")]
    Version(u8),
    /// The data key does not decrypt it.
    #[error("the value was changed, or is of another tenant, app or data key")]
    Cipher,
}

const MARK: [u8; 3] = [0xDA, 0x7A, 0xCE];
const VERSION: u8 = 1;

fn cipher(data_key: &[u8]) -> Result<LessSafeKey, Unsealed> {
    let key = UnboundKey::new(&AES_256_GCM, data_key).map_err(|_| Unsealed::Cipher)?;
    Ok(LessSafeKey::new(key))
}

/// The additional data. The app's length makes them unambiguous, and the head has the length of its
/// name.
fn bound(head: &[u8], Owner { app, tenant }: Owner<'_>) -> Aad<Vec<u8>> {
    let len = (app.len() as u64).to_be_bytes();
    Aad::from([head, &len, app.as_bytes(), tenant.as_str().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use atlassian_connect::tenant::ClientKey;
    use signed_webhooks::TenantName;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn tenant(key: &str) -> RowKey {
        RowKey::from(&ClientKey::new(key).unwrap())
    }

    fn sealed(app: &str, key: &RowKey) -> Vec<u8> {
        let owner = Owner { app, tenant: key };
        let name = DataKeyName::new(2026, 0);
        Sealed::seal(&SharedSecret::new("s3cr3t"), owner, (&name, &KEY)).unwrap()
    }

    fn opened(stored: &[u8], app: &str, key: &RowKey, data_key: &[u8]) -> Option<String> {
        let sealed = Sealed::parse(stored).ok()?;
        let secret = sealed.open(Owner { app, tenant: key }, data_key).ok()?;
        Some(secret.expose().to_owned())
    }

    #[test]
    fn opens_for_its_own_app_and_tenant_and_data_key_only() {
        let key = tenant("bc");
        let stored = sealed("a", &key);
        assert_eq!(opened(&stored, "a", &key, &KEY).as_deref(), Some("s3cr3t"));
        assert_eq!(opened(&stored, "a", &tenant("bd"), &KEY), None);
        assert_eq!(opened(&stored, "z", &key, &KEY), None);
        // A signed tenant with the name of this one.
        let signed = RowKey::from(&"bc".parse::<TenantName>().unwrap());
        assert_eq!(opened(&stored, "a", &signed, &KEY), None);
        assert_eq!(opened(&sealed("a", &signed), "a", &key, &KEY), None);
        // The same letters, divided in another way.
        assert_eq!(opened(&stored, "ab", &tenant("c"), &KEY), None);
        assert_eq!(opened(&stored, "a", &key, &[8; 32]), None);
        assert_eq!(opened(&stored, "a", &key, &KEY[1..]), None, "too short");
        assert_ne!(sealed("a", &key), stored, "each has a nonce of its own");
    }

    #[test]
    fn opens_nothing_of_which_a_byte_is_changed_or_missing() {
        let key = tenant("tenant");
        let stored = sealed("app", &key);
        for position in 0..stored.len() {
            let mut changed = stored.clone();
            changed[position] ^= 1;
            assert_eq!(opened(&changed, "app", &key, &KEY), None, "byte {position}");
            assert_eq!(opened(&stored[..position], "app", &key, &KEY), None, "{position} bytes");
        }
        let longer = [&stored[..], &[0]].concat();
        assert_eq!(opened(&longer, "app", &key, &KEY), None);
        let mut newer = stored.clone();
        newer[MARK.len()] = 2;
        assert_eq!(Sealed::parse(&newer).err(), Some(Unsealed::Version(2)));
    }

    #[test]
    fn takes_only_names_that_it_writes_and_that_no_tenant_has() {
        for (year, number, written) in [
            (2026, 0, "data-key 2026"),
            (2026, 12, "data-key 2026.12"),
            (9999, 1, "data-key 9999.1"),
        ] {
            let name = DataKeyName::new(year, number);
            assert_eq!(name.as_str(), written);
            assert_eq!(DataKeyName::parse(written), Some(name));
            assert!(ClientKey::new(written).is_err());
        }
        for name in [
            "data-key",
            "data-key ",
            "data-key 26",
            "data-key 2026.",
            "data-key 2026.0",
            "data-key 2026.01",
            "data-key +2026",
            "data-key 2026 ",
            "Data-key 2026",
            "tenant",
        ] {
            assert_eq!(DataKeyName::parse(name), None, "{name:?}");
        }
    }

    /// What KMS returns for a symmetric key, beginning `AQICAH`.
    #[test]
    fn takes_no_ciphertext_of_kms_for_its_own() {
        assert!(!Sealed::is_marked(&[0x01, 0x02, 0x02, 0x00, 0x78]));
        assert!(!Sealed::is_marked(b""));
        assert!(Sealed::is_marked(&sealed("app", &tenant("tenant"))));
    }
}

//! What Keystone said of tokens, in memcached, where other services find it and leave what they were told.
//!
//! Names and values are those of Python's keystonemiddleware, so that a token that any of them has asked about
//! is known to all.

use std::fmt::Write as _;
use std::time::Duration;

use aes::Aes128;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};

use super::token::Identity;
use crate::client::Memcached;
use crate::config::{MemcachedConfig, Protection};

/// An initialisation vector, and a block.
const BLOCK: usize = 16;
/// A signature in base64.
const SIGNATURE: usize = 64;

/// What Keystone said of tokens, where other services find it as well.
#[derive(Debug)]
pub struct SharedCache {
    servers: Memcached,
    protection: Protection,
    life: Duration,
}

impl SharedCache {
    /// Keeps what it is given for `life`.
    pub fn new(config: &MemcachedConfig, life: Duration) -> Self {
        Self {
            servers: Memcached::new(config),
            protection: config.protection.clone(),
            life,
        }
    }

    /// What somebody was told of the token not long ago. What is no answer of Keystone's, or was not signed
    /// with our key, is nothing.
    pub async fn get(&self, token: &str) -> Option<Identity> {
        let seal = Seal::of(token, &self.protection);
        let kept = self.servers.get(&seal.name).await?;
        let identity = seal.open(&kept).and_then(|body| Identity::read(&body));
        if identity.is_none() {
            tracing::warn!(
                "memcached has something that nobody with our memcache_secret_key and \
                 memcache_security_strategy put there"
            );
        }
        identity
    }

    /// Leaves Keystone's answer about the token to others.
    pub async fn put(&self, token: &str, body: &[u8]) {
        let seal = Seal::of(token, &self.protection);
        match seal.close(body) {
            Ok(kept) => self.servers.set(&seal.name, &kept, self.life).await,
            Err(error) => tracing::error!("nothing can be encrypted without randomness: {error}"),
        }
    }
}

/// Where the answer about a token lies, and what it is signed and encrypted with.
struct Seal {
    name: String,
    keys: Option<Keys>,
}

struct Keys {
    signing: [u8; BLOCK],
    /// Where it is encrypted at all.
    encryption: Option<[u8; BLOCK]>,
}

impl Seal {
    fn of(token: &str, protection: &Protection) -> Self {
        let (secret, strategy) = match protection {
            Protection::None => {
                let mut name = String::from("tokens/");
                for byte in Sha256::digest(token) {
                    // Writing to a String does not fail.
                    let _ = write!(name, "{byte:02x}");
                }
                return Self { name, keys: None };
            }
            Protection::Mac(secret) => (secret, "MAC"),
            Protection::Encrypt(secret) => (secret, "ENCRYPT"),
        };
        let derived = signature(secret.as_bytes(), &[token.as_bytes(), strategy.as_bytes()]);
        let third = |from: usize| {
            let mut key = [0; BLOCK];
            key.copy_from_slice(&derived[from..from + BLOCK]);
            key
        };
        Self {
            // With the letters that Python shows bytes in.
            name: format!("tokens/b'{}'", BASE64.encode(third(0))),
            keys: Some(Keys {
                signing: third(BLOCK),
                encryption: matches!(protection, Protection::Encrypt(_)).then(|| third(2 * BLOCK)),
            }),
        }
    }

    fn close(&self, body: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let Some(keys) = &self.keys else {
            return Ok(body.to_vec());
        };
        let text = match keys.encryption {
            None => BASE64.encode(body),
            Some(key) => {
                let mut vector = [0; BLOCK];
                getrandom::fill(&mut vector)?;
                let cipher = cbc::Encryptor::<Aes128>::new(&key.into(), &vector.into());
                let encrypted = cipher.encrypt_padded_vec::<Pkcs7>(body);
                BASE64.encode([&vector, encrypted.as_slice()].concat())
            }
        };
        let mut sealed = BASE64.encode(signature(&keys.signing, &[text.as_bytes()]));
        sealed.push_str(&text);
        Ok(sealed.into_bytes())
    }

    /// None where somebody without the key has written or changed it.
    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let Some(keys) = &self.keys else {
            return Some(sealed.to_vec());
        };
        let (signature, text) = sealed.split_at_checked(SIGNATURE)?;
        let mut mac = signing(&keys.signing);
        mac.update(text);
        mac.verify_slice(&BASE64.decode(signature).ok()?).ok()?;
        let bytes = BASE64.decode(text).ok()?;
        let Some(key) = keys.encryption else {
            return Some(bytes);
        };
        let (vector, encrypted) = bytes.split_first_chunk::<BLOCK>()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&key.into(), vector.into());
        cipher.decrypt_padded_vec::<Pkcs7>(encrypted).ok()
    }
}

fn signing(key: &[u8]) -> Hmac<Sha384> {
    Hmac::new_from_slice(key).expect("a key of any length")
}

fn signature(key: &[u8], parts: &[&[u8]]) -> [u8; 48] {
    let mut mac = signing(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What keystonemiddleware keeps as MAC and ENCRYPT for the token `gAAAA` with the key `geheim`.
    const BODY: &[u8] = br#"{"token": {}}"#;
    const UNPROTECTED: &str =
        "tokens/682eacd2d99a4d8b7b0292d88fff08d07aec015beb740f13fea3958df59cf18c";
    const SIGNED: (&str, &str) = (
        "tokens/b'g/cxgZrd54mZfL8t6AM3wA=='",
        "yVYbVvHEFaLKiP8eIJ5SzJnzsK1KL08Ka23lDrvheZ5Pwn+kVH87TNf5ngGmfBayeyJ0b2tlbiI6IHt9fQ==",
    );
    const ENCRYPTED: (&str, &str) = (
        "tokens/b'hVMec2UqonorurPekAK0vA=='",
        "ZwroRRY2lZ4JV0QO6fu7X3fJlqFfvN6Q6GjKSGHxYU1chuOvpBwu7P+0bo2KPWvn4vSbY3rAsAkxsBNk74hEuIeP8f3BEiA/\
         yM51ini747w=",
    );

    fn seal(protection: &Protection) -> Seal {
        Seal::of("gAAAA", protection)
    }

    fn mac() -> Protection {
        Protection::Mac("geheim".to_owned())
    }

    fn encrypt() -> Protection {
        Protection::Encrypt("geheim".to_owned())
    }

    #[test]
    fn names_and_values_are_those_of_the_original() {
        assert_eq!(seal(&Protection::None).name, UNPROTECTED);
        assert_eq!(seal(&Protection::None).open(BODY).unwrap(), BODY);
        for (protection, (name, kept)) in [(mac(), SIGNED), (encrypt(), ENCRYPTED)] {
            let seal = seal(&protection);
            assert_eq!(seal.name, name);
            assert_eq!(seal.open(kept.as_bytes()).unwrap(), BODY, "{name}");
        }
        assert_eq!(seal(&mac()).close(BODY).unwrap(), SIGNED.1.as_bytes());
    }

    #[test]
    fn what_is_sealed_can_be_opened_with_the_same_key_alone() {
        for protection in [mac(), encrypt()] {
            let seal = seal(&protection);
            let kept = seal.close(BODY).unwrap();
            assert_eq!(seal.open(&kept).unwrap(), BODY);
            let other = Protection::Encrypt("other".to_owned());
            assert_eq!(Seal::of("gAAAA", &other).open(&kept), None);
            assert_eq!(Seal::of("gAAAB", &protection).open(&kept), None);
            for at in 0..kept.len() {
                let mut changed = kept.clone();
                changed[at] ^= 1;
                assert_eq!(seal.open(&changed), None, "{at}");
            }
            for length in 0..kept.len() {
                assert_eq!(seal.open(&kept[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn nothing_is_encrypted_twice_the_same() {
        let seal = seal(&encrypt());
        assert_ne!(seal.close(BODY).unwrap(), seal.close(BODY).unwrap());
    }
}

//! What proves that data is an image's data.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use digest::DynDigest;

/// The digests of an image, in lower-case hexadecimal. None of them exists before the data does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    /// MD5, `checksum` on the wire.
    pub md5: Option<String>,
    /// `os_hash_algo` and `os_hash_value` on the wire.
    pub secure: Option<SecureHash>,
    /// What the digest that is being computed will be of: `os_hash_algo` without a value.
    pub announced: Option<HashAlgorithm>,
}

impl Checksums {
    /// `os_hash_algo` on the wire.
    #[must_use]
    pub fn algorithm(&self) -> Option<HashAlgorithm> {
        let secure = self.secure.as_ref().map(|hash| hash.algorithm);
        secure.or(self.announced)
    }

    /// The digest that data is judged by: the secure one, else MD5, as images have it that were uploaded
    /// before there were others.
    #[must_use]
    pub fn proof(&self) -> Option<(HashAlgorithm, &str)> {
        match (&self.secure, &self.md5) {
            (Some(hash), _) => Some((hash.algorithm, &hash.value)),
            (None, Some(md5)) => Some((HashAlgorithm::Md5, md5)),
            (None, None) => None,
        }
    }
}

/// The digest that images are bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureHash {
    pub algorithm: HashAlgorithm,
    /// Lower-case hexadecimal.
    pub value: String,
}

/// The values of `hashing_algorithm` (names as in Python's hashlib).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
    Blake2b,
    Blake2s,
}

impl HashAlgorithm {
    /// Every algorithm, in the order in which messages list them.
    pub const ALL: [HashAlgorithm; 12] = [
        HashAlgorithm::Md5,
        HashAlgorithm::Sha1,
        HashAlgorithm::Sha224,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
        HashAlgorithm::Sha3_224,
        HashAlgorithm::Sha3_256,
        HashAlgorithm::Sha3_384,
        HashAlgorithm::Sha3_512,
        HashAlgorithm::Blake2b,
        HashAlgorithm::Blake2s,
    ];

    /// The name in configuration, in the database and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            HashAlgorithm::Md5 => "md5",
            HashAlgorithm::Sha1 => "sha1",
            HashAlgorithm::Sha224 => "sha224",
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            HashAlgorithm::Sha512 => "sha512",
            HashAlgorithm::Sha3_224 => "sha3_224",
            HashAlgorithm::Sha3_256 => "sha3_256",
            HashAlgorithm::Sha3_384 => "sha3_384",
            HashAlgorithm::Sha3_512 => "sha3_512",
            HashAlgorithm::Blake2b => "blake2b",
            HashAlgorithm::Blake2s => "blake2s",
        }
    }

    /// A digest of this kind, of nothing yet.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            HashAlgorithm::Md5 => Box::<md5::Md5>::default(),
            HashAlgorithm::Sha1 => Box::<sha1::Sha1>::default(),
            HashAlgorithm::Sha224 => Box::<sha2::Sha224>::default(),
            HashAlgorithm::Sha256 => Box::<sha2::Sha256>::default(),
            HashAlgorithm::Sha384 => Box::<sha2::Sha384>::default(),
            HashAlgorithm::Sha512 => Box::<sha2::Sha512>::default(),
            HashAlgorithm::Sha3_224 => Box::<sha3::Sha3_224>::default(),
            HashAlgorithm::Sha3_256 => Box::<sha3::Sha3_256>::default(),
            HashAlgorithm::Sha3_384 => Box::<sha3::Sha3_384>::default(),
            HashAlgorithm::Sha3_512 => Box::<sha3::Sha3_512>::default(),
            HashAlgorithm::Blake2b => Box::<blake2::Blake2b512>::default(),
            HashAlgorithm::Blake2s => Box::<blake2::Blake2s256>::default(),
        })
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no hash algorithm of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no hash algorithm is called {0:?}")]
pub struct UnknownHashAlgorithm(pub String);

impl FromStr for HashAlgorithm {
    type Err = UnknownHashAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| UnknownHashAlgorithm(name.to_owned()))
    }
}

/// A digest in the making.
pub struct Hasher(Box<dyn DynDigest + Send>);

impl Hasher {
    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken in, in lower-case hexadecimal.
    #[must_use]
    pub fn finish(self) -> String {
        let digest = self.0.finalize();
        let mut hex = String::with_capacity(digest.len() * 2);
        for byte in digest {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hashlib.new(name, b"glance").hexdigest()`, as Python computes it.
    const OF_GLANCE: [(&str, &str); 12] = [
        ("md5", "ffb5ff6434d711e517b939faf00d331c"),
        ("sha1", "0a6ca81d300dbabb82140c80e76039139ef86644"),
        (
            "sha224",
            "9634b178635e362034be4098160129c8b0b9e6c44c05c7e3d65d68f7",
        ),
        (
            "sha256",
            "e776a070909341e9f27fd82968a85025f1d944f5bacdbd29e700f74d8a1c39ce",
        ),
        (
            "sha384",
            "2e7fe428b3988bf6f418226d7b68d9733e7b62108bae4ff83d3f44b04d20c1e9b64cfb72f99f9f20188d07020cd4bc79",
        ),
        (
            "sha512",
            "617b64671fca5f1aab1b7ac24f4f2d9715cdc2a2e495d3f317f8e0e32f49bb863810fe77535f64b250d393dd3f6155796a1a4b5942d9305fdba8f0dc75a09485",
        ),
        (
            "sha3_224",
            "25de01f281cc6787985680613b9f516b87589816c5260e611f3f9196",
        ),
        (
            "sha3_256",
            "a45a60f70660d8d21572fe3ea3ecd191503a41be40a390006df8108bcd44b3ab",
        ),
        (
            "sha3_384",
            "fc49d43307c828121c251918bee3aff1a83f4312827cc7c3f6078b7945c7c259306c04089ef17abcafa7cb2ff38d70ef",
        ),
        (
            "sha3_512",
            "85eefb399c3a7594d39297f2d4afef49b41c07f64cd03a337bf466d082060a0d1404567d7f6d07c80857b2cf0da849db6261354b35779c51438fe21a7783f931",
        ),
        (
            "blake2b",
            "75409eaaeec6963c9341798d5cd29645a7a38f858326c72da014538a3dd51b603a2ce0d57e8e2a85ceafeb26a6951d18d7fa04e1dbd4f17b6ad80b50c4248a2a",
        ),
        (
            "blake2s",
            "621f97005ec4ecbda571afafa082b50e63ba6b2176cd2d140ef0a64642870fbc",
        ),
    ];

    #[test]
    fn every_algorithm_agrees_with_python() {
        for (name, expected) in OF_GLANCE {
            let algorithm: HashAlgorithm = name.parse().unwrap();
            assert_eq!(algorithm.as_str(), name);
            let mut hasher = algorithm.hasher();
            hasher.update(b"gla");
            hasher.update(b"nce");
            assert_eq!(hasher.finish(), expected, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let refused = "sha42".parse::<HashAlgorithm>().unwrap_err();
        assert_eq!(refused.to_string(), "no hash algorithm is called \"sha42\"");
    }

    #[test]
    fn the_secure_hash_is_the_proof_before_md5() {
        let md5 = Some("aa".to_owned());
        let secure = Some(SecureHash {
            algorithm: HashAlgorithm::Sha512,
            value: "bb".to_owned(),
        });
        let both = Checksums {
            md5: md5.clone(),
            secure,
            announced: None,
        };
        assert_eq!(both.proof(), Some((HashAlgorithm::Sha512, "bb")));
        let old = Checksums {
            md5,
            ..Checksums::default()
        };
        assert_eq!(old.proof(), Some((HashAlgorithm::Md5, "aa")));
        assert_eq!(Checksums::default().proof(), None);
    }
}

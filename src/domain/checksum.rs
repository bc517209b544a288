//! What proves that data is an image's data.

/// The digests of an image, in lower-case hexadecimal. None of them exists before the data does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    /// MD5, `checksum` on the wire.
    pub md5: Option<String>,
    /// `os_hash_algo` and `os_hash_value` on the wire.
    pub secure: Option<SecureHash>,
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

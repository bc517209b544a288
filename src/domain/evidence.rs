//! `validation_data`: what a client says that the data of a new location is.

use serde_json::{Map, Value};

use super::checksum::{HashAlgorithm, SecureHash};
use super::image::Image;
use super::status::Status;

/// The digits of an MD5 sum.
const MD5_BYTES: usize = 16;

/// Why what a client says of data cannot be. The sentences are the original's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("Conflicting values for {0}")]
    Conflicting(&'static str),
    #[error("{0} is already set with a different value")]
    AlreadySet(&'static str),
    #[error("New value(s) for {} may only be provided when image status is 'queued'", .0.join(", "))]
    NotQueued(Vec<&'static str>),
    #[error("{name} ({value}) is not a valid hexadecimal value")]
    NotHexadecimal { name: &'static str, value: String },
    #[error("checksum ({0}) is not the correct size for md5 (should be 16 bytes)")]
    Md5Size(String),
    #[error("os_hash_algo must be {wanted}, not {got}")]
    Algorithm { wanted: HashAlgorithm, got: String },
    #[error(
        "os_hash_value ({value}) is not the correct size for {algorithm} (should be {wanted} bytes)"
    )]
    Size {
        value: String,
        algorithm: HashAlgorithm,
        wanted: usize,
    },
}

/// The same doubts about a location that comes by a call of its own, where some have other words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    #[error("os_hash_value ({0}) is not a valid hexadecimal value")]
    NotHexadecimal(String),
    #[error(
        "os_hash_value: ({value}) is not the correct size for ({algorithm}) (should be ({wanted}) bytes)"
    )]
    Size {
        value: String,
        algorithm: HashAlgorithm,
        wanted: usize,
    },
}

/// Digests that an image is to have from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    md5: Option<String>,
    secure: Option<SecureHash>,
}

/// What may be said, in the order in which it is looked at.
const NAMES: [&str; 3] = ["checksum", "os_hash_algo", "os_hash_value"];

impl Evidence {
    /// What new locations say of the data of `image`, where that can be true. `hash` is the algorithm of this
    /// site. What is known of the image already may be said again, and is nothing new.
    pub fn of<'l>(
        remarks: impl Iterator<Item = &'l Map<String, Value>>,
        image: &Image,
        hash: HashAlgorithm,
    ) -> Result<Self, Doubt> {
        let secure = image.checksums.secure.as_ref();
        let known = [
            image.checksums.md5.as_deref(),
            secure.map(|hash| hash.algorithm.as_str()),
            secure.map(|hash| hash.value.as_str()),
        ];
        let mut said: [Option<&str>; 3] = [None; 3];
        for data in remarks.filter_map(|remarks| remarks.get("validation_data")?.as_object()) {
            for (name, said) in NAMES.into_iter().zip(&mut said) {
                let Some(value) = data.get(name).and_then(Value::as_str) else {
                    continue;
                };
                if said.is_some_and(|before| before != value) {
                    return Err(Doubt::Conflicting(name));
                }
                *said = Some(value);
            }
        }
        let mut new = said;
        for ((name, new), known) in NAMES.into_iter().zip(&mut new).zip(known) {
            if *new == known {
                *new = None;
            } else if new.is_some() && known.is_some_and(|known| !known.is_empty()) {
                return Err(Doubt::AlreadySet(name));
            }
        }
        if new.iter().all(Option::is_none) {
            return Ok(Self::default());
        }
        if image.status != Status::Queued {
            let names = NAMES.into_iter().zip(new);
            let names = names.filter_map(|(name, value)| value.map(|_| name));
            return Err(Doubt::NotQueued(names.collect()));
        }
        Self::judged(new, hash)
    }

    fn judged(new: [Option<&str>; 3], hash: HashAlgorithm) -> Result<Self, Doubt> {
        let [md5, algorithm, value] = new;
        if let Some(md5) = md5 {
            let bytes = bytes_of(md5).ok_or_else(|| not_hexadecimal("checksum", md5))?;
            if bytes != MD5_BYTES {
                return Err(Doubt::Md5Size(md5.to_owned()));
            }
        }
        if algorithm != Some(hash.as_str()) {
            return Err(Doubt::Algorithm {
                wanted: hash,
                got: algorithm.unwrap_or("None").to_owned(),
            });
        }
        // The schema wants both or none; a value that is known already leaves nothing to say.
        let value = value.unwrap_or_default();
        let bytes = bytes_of(value).ok_or_else(|| not_hexadecimal("os_hash_value", value))?;
        let wanted = hash.hasher().finish().len() / 2;
        if bytes != wanted {
            return Err(Doubt::Size {
                value: value.to_owned(),
                algorithm: hash,
                wanted,
            });
        }
        Ok(Self {
            md5: md5.map(str::to_owned),
            secure: Some(SecureHash {
                algorithm: hash,
                value: value.to_owned(),
            }),
        })
    }

    /// Notes it with the image.
    pub fn apply(self, image: &mut Image) {
        if let Some(md5) = self.md5 {
            image.checksums.md5 = Some(md5);
        }
        if let Some(secure) = self.secure {
            image.checksums.secure = Some(secure);
        }
    }
}

/// What a call that adds one location says of its data. The schema has been asked before.
pub fn promised(data: Option<&Value>) -> Result<Option<SecureHash>, Objection> {
    let text = |name: &str| data?.get(name)?.as_str();
    let (Some(algorithm), Some(value)) = (
        text("os_hash_algo").and_then(|name| name.parse::<HashAlgorithm>().ok()),
        text("os_hash_value"),
    ) else {
        return Ok(None);
    };
    let bytes = bytes_of(value).ok_or_else(|| Objection::NotHexadecimal(value.to_owned()))?;
    let wanted = algorithm.hasher().finish().len() / 2;
    if bytes != wanted {
        return Err(Objection::Size {
            value: value.to_owned(),
            algorithm,
            wanted,
        });
    }
    Ok(Some(SecureHash {
        algorithm,
        value: value.to_owned(),
    }))
}

fn not_hexadecimal(name: &'static str, value: &str) -> Doubt {
    Doubt::NotHexadecimal {
        name,
        value: value.to_owned(),
    }
}

/// How many bytes hexadecimal digits stand for.
fn bytes_of(digits: &str) -> Option<usize> {
    let whole = digits.len().is_multiple_of(2);
    (whole && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits.len() / 2)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::super::draft::Draft;
    use super::super::schema::documents;
    use super::*;

    fn image() -> Image {
        let schema = documents::image(&["raw".to_owned()], &["bare".to_owned()]);
        let draft = Draft::read(&json!({}), &schema).unwrap();
        draft
            .into_image(None, DateTime::from_timestamp_nanos(0))
            .unwrap()
    }

    fn evidence(image: &Image, said: &[Value]) -> Result<Evidence, String> {
        let said: Vec<_> = (said.iter())
            .map(|said| {
                json!({"validation_data": said})
                    .as_object()
                    .cloned()
                    .unwrap()
            })
            .collect();
        let evidence = Evidence::of(said.iter(), image, HashAlgorithm::Sha1);
        evidence.map_err(|doubt| doubt.to_string())
    }

    fn sha1(value: &str) -> Value {
        json!({"os_hash_algo": "sha1", "os_hash_value": value})
    }

    #[test]
    fn what_may_be_true_is_noted() {
        let mut image = image();
        let value = "a".repeat(40);
        let said = [json!({
            "checksum": "b".repeat(32), "os_hash_algo": "sha1", "os_hash_value": value,
        })];
        evidence(&image, &said).unwrap().apply(&mut image);
        assert_eq!(image.checksums.md5, Some("b".repeat(32)));
        assert_eq!(image.checksums.secure.as_ref().unwrap().value, value);
        image.status = Status::Active;
        assert_eq!(evidence(&image, &said), Ok(Evidence::default()));
        let other = sha1(&"c".repeat(40));
        assert_eq!(
            evidence(&image, &[other]).unwrap_err(),
            "os_hash_value is already set with a different value"
        );
    }

    #[test]
    fn what_cannot_be_true_is_doubted_in_the_words_of_the_original() {
        let good = sha1(&"a".repeat(40));
        for (said, sentence) in [
            (
                vec![good.clone(), sha1(&"b".repeat(40))],
                "Conflicting values for os_hash_value",
            ),
            (
                vec![sha1("zz")],
                "os_hash_value (zz) is not a valid hexadecimal value",
            ),
            (
                vec![sha1("aa")],
                "os_hash_value (aa) is not the correct size for sha1 (should be 20 bytes)",
            ),
            (
                vec![json!({"os_hash_algo": "md5", "os_hash_value": "aa"})],
                "os_hash_algo must be sha1, not md5",
            ),
        ] {
            assert_eq!(evidence(&image(), &said), Err(sentence.to_owned()));
        }
        let mut active = image();
        active.status = Status::Active;
        assert_eq!(
            evidence(&active, &[good]).unwrap_err(),
            "New value(s) for os_hash_algo, os_hash_value may only be provided when image status is 'queued'"
        );
    }

    #[test]
    fn the_promise_of_a_new_location_has_the_length_of_its_algorithm() {
        let promise = |value: &str| promised(Some(&sha1(value)));
        assert_eq!(promised(None), Ok(None));
        assert!(promise(&"a".repeat(40)).unwrap().is_some());
        assert_eq!(
            promise("aabb").unwrap_err().to_string(),
            "os_hash_value: (aabb) is not the correct size for (sha1) (should be (20) bytes)"
        );
    }
}

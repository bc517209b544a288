//! `filesystem_store_metadata_file`: what clients on the same network file system are told beside a URL.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::super::{Error, Result};
use super::failure_at;

/// Mount points, each with an id and whatever else the operator notes.
#[derive(Debug, Default)]
pub(super) struct Mountpoints(Vec<Mountpoint>);

#[derive(Debug, Deserialize)]
struct Mountpoint {
    id: String,
    #[serde(rename = "mountpoint")]
    path: PathBuf,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// The file holds one, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    One(Mountpoint),
    Many(Vec<Mountpoint>),
}

impl Mountpoints {
    pub(super) fn load(file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let file = File::open(path).map_err(|error| failure_at(path, error))?;
        let content = serde_json::from_reader(io::BufReader::new(file)).map_err(|error| {
            let what = format!(
                "{}: should be a JSON object with \"id\" and \"mountpoint\", or a list of them: {error}",
                path.display()
            );
            Error::Failed(io::Error::new(io::ErrorKind::InvalidData, what))
        })?;
        Ok(Self(match content {
            Content::One(one) => vec![one],
            Content::Many(many) => many,
        }))
    }

    /// What is noted with data at `path`.
    pub(super) fn of(&self, path: &Path) -> BTreeMap<String, Value> {
        if self.0.is_empty() {
            return BTreeMap::new();
        }
        let Some(found) = self.0.iter().find(|one| path.starts_with(&one.path)) else {
            warn!(path = %path.display(), "no mount point of the metadata file holds {}", path.display());
            return BTreeMap::new();
        };
        let mut metadata = found.more.clone();
        metadata.insert("id".to_owned(), found.id.clone().into());
        let path = found.path.to_string_lossy().into_owned();
        metadata.insert("mountpoint".to_owned(), path.into());
        metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(content: &Value) -> Result<Mountpoints> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metadata.json");
        std::fs::write(&path, content.to_string()).unwrap();
        Mountpoints::load(Some(&path))
    }

    #[test]
    fn data_is_noted_with_the_mount_point_that_holds_it() {
        let points = load(&json!([
            {"id": "a", "mountpoint": "/mnt/a"},
            {"id": "b", "mountpoint": "/mnt/b", "share_location": "nfs://host/b"},
        ]))
        .unwrap();
        let noted = points.of(Path::new("/mnt/b/images/1"));
        let expected = json!({"id": "b", "mountpoint": "/mnt/b", "share_location": "nfs://host/b"});
        assert_eq!(serde_json::to_value(noted).unwrap(), expected);
        assert!(points.of(Path::new("/elsewhere/1")).is_empty());
    }

    #[test]
    fn a_single_object_will_do() {
        let points = load(&json!({"id": "a", "mountpoint": "/mnt/a"})).unwrap();
        assert_eq!(points.of(Path::new("/mnt/a/1"))["id"], "a");
    }

    #[test]
    fn a_file_without_mount_points_is_refused_by_name() {
        let error = load(&json!({"id": "a"})).unwrap_err().to_string();
        assert!(error.contains("metadata.json"), "{error}");
    }
}

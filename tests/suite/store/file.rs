//! What the file store promises beyond what every store does: the original's layout and options.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use glance::config::StoresConfig;
use glance::config::stores::{DriverConfig, StoreConfig};
use glance::domain::ImageId;
use glance::store::file::left_in;
use glance::store::{Error, FileStore, Registry, Store as _};

use super::{file_config, file_store, pattern, stream_of};

#[tokio::test]
async fn an_image_is_a_file_with_its_id_for_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(dir.path()).await;
    let id = ImageId::random();
    let put = store.put(id, stream_of(b"bytes"), Some(5));
    let location = put.await.unwrap().location;

    let path = dir.path().join(id.as_str());
    assert_eq!(location.url, format!("file://{}", path.display()));
    assert!(location.metadata.is_empty());
    assert_eq!(location.status, "active");
    assert_eq!(fs::read(path).unwrap(), b"bytes");
}

#[tokio::test]
async fn missing_directories_are_created_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("var/lib/glance/images");
    file_store(&deep).await;
    assert!(deep.is_dir());
}

#[tokio::test]
async fn what_a_crash_left_is_found_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let [left, written, image] = [(); 3].map(|()| ImageId::random());
    let leftover = dir.path().join(format!(".{left}.abc.part"));
    let in_use = dir.path().join(format!(".{written}.abc.part"));
    // Of an upload before; what is to become of the image is up to the one that lives.
    let before = dir.path().join(format!(".{written}.def.part"));
    let others = [".hidden.part", "notes.part", image.as_str()].map(|name| dir.path().join(name));
    for path in [&leftover, &in_use, &before].into_iter().chain(&others) {
        fs::write(path, b"bytes").unwrap();
    }
    let writer = File::open(&in_use).unwrap();
    writer.lock().unwrap();

    let dirs = || vec![dir.path().to_owned(), dir.path().join("missing")];
    let mut found = left_in(dirs()).await;
    assert_eq!(found.len(), 1);
    assert!(left_in(dirs()).await.is_empty(), "another node judges it");
    let found = found.remove(0);
    assert_eq!(found.image(), left);
    found.take_back().await;
    assert!(!leftover.exists());
    assert!(in_use.exists() && before.exists());
    assert!(others.iter().all(|path| path.exists()));
}

#[tokio::test]
async fn data_is_a_leftover_until_it_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(dir.path()).await;
    let dirs = || vec![dir.path().to_owned()];
    let [kept, lost] = [(); 2].map(|()| ImageId::random());
    let shown = |id: ImageId| dir.path().join(id.as_str());
    for id in [kept, lost] {
        let stored = store.put(id, stream_of(b"bytes"), None).await.unwrap();
        assert!(left_in(dirs()).await.is_empty(), "its process lives");
        drop(stored);
        let mut found = left_in(dirs()).await;
        assert_eq!(found.len(), 1);
        let found = found.remove(0);
        if id == kept {
            found.keep().await;
        } else {
            // Somebody else's file of that name is not taken for it.
            fs::rename(shown(lost), dir.path().join("aside")).unwrap();
            fs::write(shown(lost), b"other").unwrap();
            found.take_back().await;
            assert_eq!(fs::read(shown(lost)).unwrap(), b"other");
        }
    }
    assert_eq!(fs::read(shown(kept)).unwrap(), b"bytes");
    assert!(left_in(dirs()).await.is_empty());
}

#[tokio::test]
async fn files_get_the_permissions_that_are_configured() {
    let dir = tempfile::tempdir().unwrap();
    let config = glance::config::stores::FileStoreConfig {
        file_perm: 0o640,
        ..file_config(dir.path())
    };
    let store = FileStore::open(&config, None).await.unwrap();
    let id = ImageId::random();
    store.put(id, stream_of(b"bytes"), None).await.unwrap();
    let metadata = fs::metadata(dir.path().join(id.as_str())).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn zeros_take_no_room_where_that_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let config = glance::config::stores::FileStoreConfig {
        thin_provisioning: true,
        ..file_config(dir.path())
    };
    let store = FileStore::open(&config, None).await.unwrap();
    let mut bytes = pattern(100_000);
    bytes.extend(vec![0; 2_000_000]);
    bytes.extend(pattern(70_000));
    bytes.extend(vec![0; 1_000_000]);
    let id = ImageId::random();
    let put = store.put(id, stream_of(&bytes), None);

    assert_eq!(put.await.unwrap().size, bytes.len() as u64);
    let path = dir.path().join(id.as_str());
    assert!(fs::read(&path).unwrap() == bytes, "other bytes came back");
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 600_000);
}

#[tokio::test]
async fn new_data_goes_where_the_priority_is_highest() {
    let dir = tempfile::tempdir().unwrap();
    let [low, high] = ["low", "high"].map(|name| dir.path().join(name));
    let config = glance::config::stores::FileStoreConfig {
        dirs: vec![(low, 100), (high.clone(), 200)],
        ..file_config(dir.path())
    };
    let store = FileStore::open(&config, None).await.unwrap();
    let id = ImageId::random();
    store.put(id, stream_of(b"bytes"), Some(5)).await.unwrap();
    assert!(high.join(id.as_str()).exists());
}

#[tokio::test]
async fn a_directory_that_vanished_makes_the_store_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(&dir.path().join("images")).await;
    fs::remove_dir(dir.path().join("images")).unwrap();
    let refused = store
        .put(ImageId::random(), stream_of(b"bytes"), None)
        .await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_location_names_its_store_where_there_are_several() {
    let dir = tempfile::tempdir().unwrap();
    let store = |name: &str| StoreConfig {
        id: name.to_owned(),
        description: None,
        weight: 0,
        driver: DriverConfig::File(file_config(&dir.path().join(name))),
    };
    let config = StoresConfig {
        multi: true,
        reserved: Vec::new(),
        patience: std::time::Duration::from_secs(30),
        default: "fast".to_owned(),
        stores: vec![store("cheap"), store("fast")],
    };
    let registry = Registry::open(&config).await.unwrap();
    let (name, fast) = registry.default_store();
    assert_eq!(name, "fast");
    let id = ImageId::random();
    let put = fast.put(id, stream_of(b"bytes"), None);
    let mut location = put.await.unwrap().location;
    assert_eq!(location.store(), Some("fast"));

    // One from before there were several is found by where it is.
    location.metadata.clear();
    registry
        .of(&location)
        .unwrap()
        .delete(&location)
        .await
        .unwrap();
    assert!(!dir.path().join("fast").join(id.as_str()).exists());
}

#[tokio::test]
async fn a_driver_that_is_absent_is_named_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let store = |name: &str, driver| StoreConfig {
        id: name.to_owned(),
        description: None,
        weight: 0,
        driver,
    };
    let config = StoresConfig {
        multi: true,
        reserved: Vec::new(),
        patience: std::time::Duration::from_secs(30),
        default: "pool".to_owned(),
        stores: vec![
            store("local", DriverConfig::File(file_config(dir.path()))),
            store(
                "pool",
                DriverConfig::Absent {
                    driver: "rbd".to_owned(),
                },
            ),
        ],
    };
    let registry = Registry::open(&config).await.unwrap();
    let (_, pool) = registry.default_store();
    let refused = pool.put(ImageId::random(), stream_of(b"bytes"), None).await;
    assert!(refused.unwrap_err().to_string().contains("rbd"));
}

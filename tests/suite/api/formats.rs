//! Uploads that are not what they say, or dangerous to whoever uses them.

use http::StatusCode;
use serde_json::json;

use crate::inspect::made::{self, OWN_EXTENT, Qcow2};
use crate::support::Cloud;

const UNSAFE: &str = "Image failed safety checks";
const INCOMPLETE: &str = "Incomplete file cannot be safety checked";

/// Uploads data as an image of a format, and expects it to be refused: the image waits for data as before,
/// and the store has none.
async fn refused(cloud: &Cloud, format: &str, data: Vec<u8>, reason: &str) {
    let document = json!({"disk_format": format, "container_format": "bare"});
    let id = cloud.member().create(&document).await;
    let answer = cloud.member().upload(&id, data.leak()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let explained = format!(
        "The request media type application/octet-stream is not supported by this server. {reason}"
    );
    assert_eq!(answer.sentence(), explained);
    let image = cloud.member().get(&format!("/v2/images/{id}")).await;
    assert_eq!(image.json()["status"], "queued");
    assert_eq!(image.json()["size"], json!(null));
    assert!(!cloud.store_dir().join(&id).exists());
}

/// Uploads data as an image of a format, and says what virtual size it then has.
async fn taken(cloud: &Cloud, format: &str, data: Vec<u8>) -> serde_json::Value {
    let document = json!({"disk_format": format, "container_format": "bare"});
    let id = cloud.member().create(&document).await;
    let answer = cloud.member().upload(&id, data.leak()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    let image = cloud.member().get(&format!("/v2/images/{id}")).await;
    image.json()["virtual_size"].clone()
}

#[tokio::test]
async fn cve_2015_5163_a_qcow2_with_a_backing_file_on_the_host_is_refused() {
    let cloud = Cloud::new().await;
    for version in [2, 3] {
        let qcow2 = Qcow2 {
            version,
            backing: "/etc/passwd",
            ..Qcow2::default()
        };
        for format in ["qcow2", "raw"] {
            refused(&cloud, format, qcow2.data(), UNSAFE).await;
        }
    }
}

#[tokio::test]
async fn cve_2024_32498_a_qcow2_with_a_data_file_on_the_host_is_refused() {
    let cloud = Cloud::new().await;
    let qcow2 = Qcow2 {
        incompatible: 4,
        data_file: "/etc/shadow",
        ..Qcow2::default()
    };
    for format in ["qcow2", "raw"] {
        refused(&cloud, format, qcow2.data(), UNSAFE).await;
    }
    let in_another_way = Qcow2 {
        incompatible: 64,
        ..qcow2
    };
    refused(&cloud, "qcow2", in_another_way.data(), UNSAFE).await;
}

#[tokio::test]
async fn cve_2022_47951_a_vmdk_with_an_extent_on_the_host_is_refused() {
    let cloud = Cloud::new().await;
    let host = "RW 4096 FLAT \"/etc/passwd\" 0";
    for text in [
        made::vmdk_text("monolithicFlat", host),
        made::vmdk_text("monolithicSparse", host),
        made::vmdk_text("vmfsSparse", OWN_EXTENT),
        made::vmdk_text("monolithicSparse", &format!("{OWN_EXTENT}\n{host}")),
        made::vmdk_text("monolithicSparse", OWN_EXTENT).to_uppercase()
            + &made::vmdk_text("monolithicFlat", "RW\t4096\tFLAT\t\"/etc/passwd\"\t0\t="),
    ] {
        for format in ["vmdk", "raw"] {
            refused(&cloud, format, made::vmdk(&text, 20, 21), UNSAFE).await;
        }
    }
    let description = made::vmdk_text("monolithicFlat", host).into_bytes();
    refused(&cloud, "vmdk", description, UNSAFE).await;
}

#[tokio::test]
async fn cve_2015_5162_headers_that_ask_for_all_memory_are_refused() {
    let cloud = Cloud::new().await;
    let tables = Qcow2 {
        l1_entries: u32::MAX,
        ..Qcow2::default()
    };
    refused(&cloud, "qcow2", tables.data(), UNSAFE).await;
    let snapshots = Qcow2 {
        snapshots: u32::MAX,
        ..Qcow2::default()
    };
    refused(&cloud, "qcow2", snapshots.data(), UNSAFE).await;
    let text = made::vmdk_text("monolithicSparse", OWN_EXTENT);
    let endless = made::vmdk(&text, u64::MAX / 512, 21);
    refused(&cloud, "vmdk", endless, INCOMPLETE).await;
}

#[tokio::test]
async fn danger_is_refused_even_where_formats_are_not_enforced() {
    let cloud = Cloud::with("[image_format]\nrequire_image_format_match = false").await;
    let qcow2 = Qcow2 {
        backing: "/etc/passwd",
        ..Qcow2::default()
    };
    refused(&cloud, "qcow2", qcow2.data(), UNSAFE).await;
    assert_eq!(taken(&cloud, "vmdk", made::vdi()).await, json!(null));
}

#[tokio::test]
async fn a_partition_table_that_can_be_read_in_two_ways_is_refused_unless_the_operator_tolerates_it()
 {
    let strict = Cloud::new().await;
    refused(&strict, "raw", made::gpt(7), UNSAFE).await;
    let tolerant = Cloud::with("[image_format]\ngpt_safety_checks_nonfatal = mbr").await;
    assert_eq!(
        taken(&tolerant, "raw", made::gpt(7)).await,
        json!(1_048_576)
    );
    refused(&tolerant, "raw", made::qed(), UNSAFE).await;
}

#[tokio::test]
async fn a_bootable_iso_is_taken_as_an_iso_alone() {
    let cloud = Cloud::new().await;
    assert_eq!(taken(&cloud, "iso", made::hybrid()).await, json!(61_440));
    let several = "Multiple formats detected: iso,gpt";
    refused(&cloud, "raw", made::hybrid(), several).await;
}

#[tokio::test]
async fn a_size_that_no_disk_has_is_not_believed() {
    let cloud = Cloud::new().await;
    let mut data = Qcow2::default().data();
    data[24..32].fill(0xff);
    assert_eq!(taken(&cloud, "qcow2", data).await, json!(null));
}

#[tokio::test]
async fn what_is_in_a_container_is_not_looked_at() {
    let cloud = Cloud::new().await;
    let document = json!({"disk_format": "qcow2", "container_format": "ova"});
    let id = cloud.member().create(&document).await;
    let answer = cloud.member().upload(&id, made::qed().leak()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

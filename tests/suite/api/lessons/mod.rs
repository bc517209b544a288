//! What went wrong in the original once, tried here: each test is an attack, and is named after the report.

mod data;
mod places;

use serde_json::{Value, json};

fn formats() -> Value {
    json!({"disk_format": "raw", "container_format": "bare"})
}

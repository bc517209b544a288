//! What one address and one project may ask of a process (`[request_limits]`).

use super::MIB;
use super::eventually;
use super::http::Upload;
use super::site::Site;

#[test]
fn an_address_that_asks_too_often_is_refused_and_its_balancer_still_hears_of_our_health() {
    let limits = "[request_limits]\naddress_rate = 0.01\naddress_burst = 20";
    let site = Site::with("", limits);
    let node = site.start();
    let statuses: Vec<_> = (0..25).map(|_| node.get("/v2/images").status).collect();
    assert_eq!((statuses[0], statuses[24]), (200, 429), "{statuses:?}");
    for _ in 0..5 {
        assert_eq!(node.get("/healthcheck").status, 200);
    }
    node.stop();
}

#[test]
fn a_project_has_no_more_uploads_at_once_than_it_may() {
    let site = Site::with("", "[request_limits]\nproject_uploads = 1");
    let node = site.start();
    let [first, second] = [0; 2].map(|_| node.planned(MIB));
    let mut upload = Upload::begin(node.address, &first.file(), MIB).unwrap();
    upload.send(&first.data[..MIB / 2]).unwrap();
    let status = |path: &str| node.get(path).json()["status"].clone();
    let path = format!("/v2/images/{}", first.id);
    eventually(|| (status(&path) == "saving").then_some(()));

    assert_eq!(node.upload(&second, &second.data).status, 429);
    upload.send(&first.data[MIB / 2..]).unwrap();
    assert_eq!(upload.answer().unwrap().status, 204);
    assert_eq!(node.upload(&second, &second.data).status, 204);
    node.serves(&second);
    node.stop();
}

//! Clients that stop in the middle.

use super::*;

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    let server = Home::with("[server]\nbody_timeout = 0.5").start();
    let document = "POST /v2/images HTTP/1.1\r\ncontent-type: application/json\r\n\
                    content-length: 20\r\n";
    for head in [document, &server.upload_head(20)] {
        let answer = ask(&mut server.connect(), head, "{");
        assert_eq!(status(&answer), "408", "{answer}");
    }
}

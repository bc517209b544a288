//! What clients write in the target of a request and HTTP does not allow there: curl sends quotes as they are
//! typed, and a list of images is asked for with quotes (`?name=in:"a,b"`). They are escaped before anything
//! else reads them.

/// What is left to look at of the first line of a request.
#[derive(Debug, Default)]
pub struct RequestLine {
    reading: bool,
}

impl RequestLine {
    /// A request begins with the next bytes.
    pub fn begin(&mut self) {
        self.reading = true;
    }

    /// The bytes with the first line escaped, as far as it is in them; none where they may stay as they are.
    pub fn escaped(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if !self.reading {
            return None;
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        self.reading = end.is_none();
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if !line.iter().any(|byte| escape(*byte).is_some()) {
            return None;
        }
        let mut escaped = Vec::with_capacity(bytes.len() + 64);
        for byte in line {
            match escape(*byte) {
                Some(text) => escaped.extend_from_slice(text),
                None => escaped.push(*byte),
            }
        }
        escaped.extend_from_slice(rest);
        Some(escaped)
    }
}

fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'"' => Some(b"%22"),
        b'<' => Some(b"%3C"),
        b'>' => Some(b"%3E"),
        b'`' => Some(b"%60"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_escaped_and_nothing_after_it() {
        let mut line = RequestLine::default();
        line.begin();
        let head = b"GET /v2/images?name=in:\"a,b\" HTTP/1.1\r\nX-Name: \"x\"\r\n\r\n\"body\"";
        let escaped = line.escaped(head).expect("quotes");
        let escaped = String::from_utf8(escaped).expect("text");
        assert_eq!(
            escaped,
            "GET /v2/images?name=in:%22a,b%22 HTTP/1.1\r\nX-Name: \"x\"\r\n\r\n\"body\""
        );
        assert_eq!(line.escaped(b"\"more of the body\""), None);
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        let mut line = RequestLine::default();
        line.begin();
        assert_eq!(line.escaped(b"GET /"), None);
        assert_eq!(line.escaped(b"<>"), Some(b"%3C%3E".to_vec()));
        assert_eq!(
            line.escaped(b"` HTTP/1.1\r\n\""),
            Some(b"%60 HTTP/1.1\r\n\"".to_vec())
        );
        assert_eq!(line.escaped(b"\""), None);
    }
}

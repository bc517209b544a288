//! Lines into assignments, as `oslo_config/iniparser.py` reads them.
//!
//! A line that begins with a blank goes on with the value above it, even where it looks like a
//! comment; an empty line ends a value; quotes around a whole value are taken off.

use std::path::Path;
use std::sync::Arc;

use crate::config::error::{Error, Origin, Place};
use crate::config::options;

/// One `option = value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub section: String,
    pub option: String,
    /// As written, before substitution; continuation lines are joined by newlines.
    pub text: String,
    pub origin: Origin,
}

impl Entry {
    /// Where it stands, for errors and warnings.
    pub fn place(&self) -> Place {
        Place {
            origin: self.origin.clone(),
            section: self.section.clone(),
            option: self.option.clone(),
        }
    }
}

/// What stands on a line of its own.
enum Line<'a> {
    Empty,
    Continuation(&'a str),
    Comment,
    Section(&'a str),
    Assignment(&'a str, &'a str),
}

/// Reads the assignments of `text`, in their order.
pub fn read(path: &Arc<Path>, text: &str) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section: Option<String> = None;
    // Whether the last entry may still be continued.
    let mut open = false;
    for (line, number) in text.lines().zip(1..) {
        let wrong = |problem| Error::Syntax {
            path: path.to_path_buf(),
            line: number,
            problem,
        };
        match classify(line.trim_end()).map_err(wrong)? {
            Line::Empty | Line::Comment => open = false,
            Line::Continuation(more) => match entries.last_mut() {
                Some(entry) if open => {
                    entry.text.push('\n');
                    entry.text.push_str(more);
                }
                _ => return Err(wrong("a line that begins with a blank continues no value")),
            },
            Line::Section(name) => {
                let name = normal(name);
                if options::rule_of(&name).is_some_and(|rule| rule.trim().is_empty()) {
                    return Err(wrong(
                        "[image_cache_prefetch:] is a rule without a name: write [image_cache_prefetch:NAME]",
                    ));
                }
                section = Some(name);
                open = false;
            }
            Line::Assignment(option, value) => {
                let Some(section) = &section else {
                    return Err(wrong("an option must stand in a [section]"));
                };
                entries.push(Entry {
                    section: section.clone(),
                    option: option.to_owned(),
                    text: value.to_owned(),
                    origin: Origin::File {
                        path: Arc::clone(path),
                        line: number,
                    },
                });
                open = true;
            }
        }
    }
    Ok(entries)
}

/// Section names count without regard to case, except `DEFAULT`, which is always written so.
pub fn normal(section: &str) -> String {
    if section == "DEFAULT" {
        section.to_owned()
    } else {
        section.to_lowercase()
    }
}

fn classify(line: &str) -> Result<Line<'_>, &'static str> {
    if line.is_empty() {
        return Ok(Line::Empty);
    }
    if line.starts_with([' ', '\t']) {
        return Ok(Line::Continuation(line.trim_start()));
    }
    if line.starts_with(['#', ';']) {
        return Ok(Line::Comment);
    }
    if let Some(rest) = line.strip_prefix('[') {
        return match rest.strip_suffix(']') {
            None => Err("a section must end with ]"),
            Some("") => Err("a section must have a name"),
            Some(name) => Ok(Line::Section(name)),
        };
    }
    let Some((option, value)) = line.split_once(['=', ':']) else {
        return Err("there is neither = nor : on this line");
    };
    match option.trim() {
        "" => Err("there is no option before the = or :"),
        option => Ok(Line::Assignment(option, unquote(value.trim()))),
    }
}

/// Takes the quotes off a value that begins and ends with the same kind.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if value.len() == 1 && value.starts_with(quote) {
            return "";
        }
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, String)> {
        read(&Arc::from(Path::new("t.conf")), text)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.section, entry.option, entry.text))
            .collect()
    }

    fn problem(text: &str) -> String {
        read(&Arc::from(Path::new("t.conf")), text)
            .unwrap_err()
            .to_string()
    }

    fn value(line: &str) -> String {
        pairs(&format!("[s]\n{line}\n")).remove(0).2
    }

    #[test]
    fn the_first_of_equals_sign_and_colon_divides() {
        assert_eq!(value("a = b:c"), "b:c");
        assert_eq!(value("a: b=c"), "b=c");
        assert_eq!(value("a="), "");
    }

    #[test]
    fn quotes_around_a_whole_value_are_taken_off() {
        assert_eq!(value(r#"a = " b ""#), " b ");
        assert_eq!(value("a = 'b'"), "b");
        assert_eq!(value(r#"a = "b'"#), r#""b'"#);
        assert_eq!(value(r#"a = ""#), "");
        assert_eq!(value(r#"a = "a" and "b""#), r#"a" and "b"#);
    }

    #[test]
    fn a_line_that_begins_with_a_blank_continues_even_like_a_comment() {
        assert_eq!(value("a = 1,\n  # 2,\n\t3"), "1,\n# 2,\n3");
    }

    #[test]
    fn an_empty_line_ends_a_value() {
        assert_eq!(
            problem("[s]\na = 1\n\n b"),
            "t.conf:4: a line that begins with a blank continues no value"
        );
    }

    #[test]
    fn comments_begin_a_line() {
        assert_eq!(value("# x\n; y\na = 1 # z"), "1 # z");
    }

    #[test]
    fn section_names_lose_their_case_except_default() {
        let entries = pairs("[DEFAULT]\na=1\n[Fast]\nb=2\n[default]\nc=3");
        let sections: Vec<_> = entries
            .iter()
            .map(|(section, ..)| section.as_str())
            .collect();
        assert_eq!(sections, ["DEFAULT", "fast", "default"]);
    }

    #[test]
    fn what_is_no_configuration_is_told_with_its_line() {
        assert_eq!(
            problem("a = 1"),
            "t.conf:1: an option must stand in a [section]"
        );
        assert_eq!(problem("\n[s"), "t.conf:2: a section must end with ]");
        assert_eq!(problem("[]"), "t.conf:1: a section must have a name");
        for rule in [
            "[image_cache_prefetch:]",
            "[Image_cache_prefetch: ]\non = upload",
        ] {
            assert_eq!(
                problem(rule),
                "t.conf:1: [image_cache_prefetch:] is a rule without a name: write [image_cache_prefetch:NAME]"
            );
        }
        assert_eq!(
            problem("[s]\n= 1"),
            "t.conf:2: there is no option before the = or :"
        );
        assert_eq!(
            problem("[s]\nhunter2"),
            "t.conf:2: there is neither = nor : on this line"
        );
    }
}

//! The dialect of a protection file: Python's `configparser`, whose section names keep their case.

use std::collections::BTreeMap;

/// A section, and its options in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) options: BTreeMap<String, String>,
}

/// The sections in their order. Options of `[DEFAULT]` are every section's.
pub(super) fn sections(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    let mut defaults = BTreeMap::new();
    let mut inside_default = false;
    // The option that an indented line goes on with.
    let mut last: Option<String> = None;
    for (line, number) in text.lines().zip(1..) {
        let wrong = |problem: &str| format!("line {number}: {problem}");
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let options = match sections.last_mut() {
            _ if inside_default => Some(&mut defaults),
            Some(section) => Some(&mut section.options),
            None => None,
        };
        if line.starts_with([' ', '\t'])
            && let Some(value) =
                (options.zip(last.as_ref())).and_then(|(all, last)| all.get_mut(last))
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        last = None;
        if let Some(name) = header(trimmed) {
            inside_default = name == "DEFAULT";
            if sections.iter().any(|section| section.name == name) {
                return Err(wrong(&format!("there is another [{name}]")));
            }
            if !inside_default {
                sections.push(Section {
                    name: name.to_owned(),
                    options: BTreeMap::new(),
                });
            }
            continue;
        }
        let (option, value) = (trimmed.split_once(['=', ':']))
            .ok_or_else(|| wrong("an option is written as name = value"))?;
        let options = match sections.last_mut() {
            _ if inside_default => &mut defaults,
            Some(section) => &mut section.options,
            None => return Err(wrong("an option must stand in a [section]")),
        };
        let option = option.trim().to_lowercase();
        if options.contains_key(&option) {
            return Err(wrong(&format!("there is another {option}")));
        }
        options.insert(option.clone(), value.trim().to_owned());
        last = Some(option);
    }
    for section in &mut sections {
        for (option, value) in &defaults {
            let options = &mut section.options;
            (options.entry(option.clone())).or_insert_with(|| value.clone());
        }
    }
    Ok(sections)
}

/// The name in brackets, which may itself have some.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.rsplit_once(']')?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keep_their_case_and_options_do_not() {
        let read = sections("# who\n[^X_[a-z]+$]\nCreate = a, B\n  ; not\nread: @\n[y]\n");
        let section = |name: &str, options: &[(&str, &str)]| Section {
            name: name.to_owned(),
            options: (options.iter())
                .map(|(option, value)| ((*option).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let expected = [
            section("^X_[a-z]+$", &[("create", "a, B"), ("read", "@")]),
            section("y", &[]),
        ];
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn an_indented_line_goes_on_with_the_option_above() {
        let read = sections("[a]\ncreate = x,\n  # not\n  y\nread = @\n").unwrap();
        assert_eq!(read[0].options["create"], "x,\ny");
        assert_eq!(read[0].options["read"], "@");
        assert!(sections("[a]\n  y\n").is_err());
    }

    #[test]
    fn defaults_are_every_sections() {
        let read = sections("[DEFAULT]\nread = @\ncreate = !\n[a]\nread = x\n").unwrap();
        assert_eq!(read[0].options["read"], "x");
        assert_eq!(read[0].options["create"], "!");
    }

    #[test]
    fn what_is_no_such_file_is_refused_with_its_line() {
        for (text, problem) in [
            ("create = @", "line 1: an option must stand in a [section]"),
            (
                "[a]\n\ncreate",
                "line 3: an option is written as name = value",
            ),
            ("[a]\n[a]", "line 2: there is another [a]"),
            ("[a]\nread=@\nread=!", "line 3: there is another read"),
        ] {
            assert_eq!(sections(text).unwrap_err(), problem);
        }
    }
}

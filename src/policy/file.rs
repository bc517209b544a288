//! One policy file: names and rules, in YAML or JSON.

use std::path::{Path, PathBuf};

use saphyr::{Scalar, ScanError, Yaml, YamlLoader};
use saphyr_parser::Parser;

use super::Error;
use super::parse::{self, Parsed};

/// A rule as a policy file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) parsed: Parsed,
}

/// Reads what stands in `file`. Both forms are one to us, for JSON is YAML.
pub(super) fn definitions(file: &Path, text: &str) -> Result<Vec<Definition>, Error> {
    let documents = documents(text).map_err(|error| Error::Syntax {
        file: file.to_owned(),
        problem: error.to_string(),
    })?;
    let rules = match documents.into_iter().next() {
        None | Some(Yaml::Value(Scalar::Null)) => return Ok(Vec::new()),
        Some(Yaml::Mapping(rules)) => rules,
        Some(_) => return Err(Error::NoRules(file.to_owned())),
    };
    rules
        .into_iter()
        .map(|(name, rule)| {
            let name = spelled(&name).ok_or_else(|| Error::NoRules(file.to_owned()))?;
            let Some(parsed) = parsed(&rule) else {
                let (file, rule) = (file.to_owned(), name);
                return Err(Error::NoRule { file, rule });
            };
            Ok(Definition {
                file: file.to_owned(),
                name,
                parsed,
            })
        })
        .collect()
}

/// Reads YAML. Of a name that stands twice the last rule counts, as for the original.
fn documents(text: &str) -> Result<Vec<Yaml<'_>>, ScanError> {
    let mut loader = YamlLoader::default();
    loader.allow_duplicate_keys(true);
    Parser::new_from_str(text).load(&mut loader, true)?;
    match loader.error() {
        Some(error) => Err(error.clone()),
        None => Ok(loader.into_documents()),
    }
}

/// A rule is a text, or a list of texts and lists of them. A name with nothing behind it is an empty rule.
fn parsed(rule: &Yaml) -> Option<Parsed> {
    match rule {
        Yaml::Value(Scalar::Null) => Some(parse::text("")),
        Yaml::Sequence(alternatives) => {
            let lists: Option<Vec<_>> = alternatives.iter().map(together).collect();
            Some(parse::lists(&lists?))
        }
        text => Some(parse::text(text.as_str()?)),
    }
}

/// What must hold together: a list of checks, or a single one.
fn together(rule: &Yaml) -> Option<Vec<String>> {
    match rule {
        Yaml::Sequence(checks) => checks
            .iter()
            .map(|check| check.as_str().map(str::to_owned))
            .collect(),
        check => {
            let check = check.as_str()?;
            Some(
                (!check.is_empty())
                    .then(|| check.to_owned())
                    .into_iter()
                    .collect(),
            )
        }
    }
}

fn spelled(name: &Yaml) -> Option<String> {
    name.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule::Rule;

    fn read(text: &str) -> Result<Vec<(String, Rule)>, String> {
        let definitions = definitions(Path::new("policy.yaml"), text);
        let definitions = definitions.map_err(|error| error.to_string())?;
        Ok(definitions
            .into_iter()
            .map(|definition| (definition.name, definition.parsed.rule))
            .collect())
    }

    fn rule(text: &str) -> Rule {
        parse::text(text).rule
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "# who may\nget_images: role:reader\n\"add_image\": \"@\"\n";
        let json = "{\"get_images\": \"role:reader\",\n \"add_image\": \"\\u0040\"}";
        let expected = [
            ("get_images".to_owned(), rule("role:reader")),
            ("add_image".to_owned(), Rule::Allow),
        ];
        assert_eq!(read(yaml).unwrap(), expected);
        assert_eq!(read(json).unwrap(), expected);
    }

    #[test]
    fn an_empty_file_has_no_rules() {
        for text in ["", "# nothing yet\n", "---\n", "{}"] {
            assert_eq!(read(text), Ok(Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn a_rule_may_be_a_list() {
        let text = "a: [[\"role:x\", \"role:y\"], \"role:z\", []]\nb: []\nc: [[]]\nd:\n- role:x\n";
        assert_eq!(
            read(text).unwrap(),
            [
                ("a".to_owned(), rule("role:x and role:y or role:z")),
                ("b".to_owned(), Rule::Allow),
                ("c".to_owned(), Rule::Deny),
                ("d".to_owned(), rule("role:x")),
            ]
        );
    }

    #[test]
    fn nothing_behind_a_name_is_an_empty_rule() {
        assert_eq!(
            read("a:\nb: ''\n").unwrap(),
            [("a".to_owned(), Rule::Allow), ("b".to_owned(), Rule::Allow),]
        );
    }

    #[test]
    fn what_is_no_rule_is_refused_by_name() {
        for value in ["true", "5", "{x: y}", "[5]", "[[[role:x]]]"] {
            assert_eq!(
                read(&format!("get_images: {value}\n")).unwrap_err(),
                "policy file policy.yaml: rule \"get_images\" must be a text or a list of texts",
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for text in ["- a\n- b\n", "just words\n", "5: '@'\n"] {
            assert_eq!(
                read(text).unwrap_err(),
                "policy file policy.yaml: must hold rules by name (name: rule)",
                "{text}"
            );
        }
    }

    #[test]
    fn broken_yaml_is_refused_with_its_place() {
        let error = read("get_images: '@'\nadd_image: @\n").unwrap_err();
        assert!(
            error.contains("policy.yaml") && error.contains("line 2"),
            "{error}"
        );
    }

    #[test]
    fn of_a_rule_that_stands_twice_the_last_counts() {
        for text in [
            "get_images: '@'\nadd_image: '@'\nget_images: '!'\n",
            "{\"get_images\": \"@\", \"add_image\": \"@\", \"get_images\": \"!\"}",
        ] {
            let rules = read(text).unwrap();
            assert_eq!(rules.len(), 2, "{text}");
            assert!(
                rules.contains(&("get_images".to_owned(), Rule::Deny)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_exclamation_mark_without_quotes_is_no_empty_rule() {
        // To YAML it is a tag with no text behind it, to its writer the rule that denies.
        assert_eq!(
            read("get_images: !\n").unwrap_err(),
            "policy file policy.yaml: rule \"get_images\" must be a text or a list of texts"
        );
    }
}

//! The oslo.policy language.
//!
//! A rule is read from left to right and put together as soon as it can be, as the original does it: `not`
//! binds the check after it, `and` binds closer than `or`, parentheses make one check of what they hold.
//! What cannot be put together denies. Nothing here fails: a rule with problems is still a rule, and the
//! problems are for the log.

use super::credential;
use super::rule::Rule;
use super::template::Template;

/// How many parts of a rule may wait for their other half: more than anybody writes, and few enough that
/// judging the tree fits on a stack.
const MAX_PENDING: usize = 200;

const MALFORMED: &str = "cannot be judged: \"%\" stands for a value as %(name)s, for itself as %%";

/// A rule, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) rule: Rule,
    pub(super) problems: Vec<String>,
}

/// Reads a rule from its text. No text at all allows everything.
pub(super) fn text(text: &str) -> Parsed {
    let mut problems = Vec::new();
    let rule = if text.is_empty() {
        Rule::Allow
    } else {
        let rule = expression(text, &mut problems);
        rule.unwrap_or_else(|| {
            problems.push(format!("\"{text}\" is no rule: it denies"));
            Rule::Deny
        })
    };
    Parsed { rule, problems }
}

/// Reads the older form: any of the lists must hold, and of a list everything.
pub(super) fn lists(lists: &[Vec<String>]) -> Parsed {
    let mut problems = Vec::new();
    let mut any = Vec::new();
    for list in lists.iter().filter(|list| !list.is_empty()) {
        let all = list.iter().map(|text| check(text, &mut problems));
        any.push(one_or(all.collect(), Rule::All));
    }
    let rule = if lists.is_empty() {
        Rule::Allow
    } else if any.is_empty() {
        Rule::Deny
    } else {
        one_or(any, Rule::Any)
    };
    Parsed { rule, problems }
}

fn one_or(mut rules: Vec<Rule>, several: fn(Vec<Rule>) -> Rule) -> Rule {
    match (rules.pop(), rules.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            rules.extend(last);
            several(rules)
        }
    }
}

/// What waits for its other half: words, checks, and expressions that may still grow.
#[derive(Debug)]
enum Token {
    Open,
    And,
    Or,
    Not,
    Check(Rule),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Token {
    fn into_rule(self) -> Option<Rule> {
        match self {
            Token::Check(rule) => Some(rule),
            Token::All(rules) => Some(Rule::All(rules)),
            Token::Any(rules) => Some(Rule::Any(rules)),
            Token::Open | Token::And | Token::Or | Token::Not => None,
        }
    }
}

/// Reads an expression; none where its words do not fit together.
fn expression(text: &str, problems: &mut Vec<String>) -> Option<Rule> {
    let mut stack = Stack(Vec::new());
    for word in text.split_whitespace() {
        let inner = word.trim_start_matches('(');
        for _ in 0..word.len() - inner.len() {
            stack.0.push(Token::Open);
        }
        let clean = inner.trim_end_matches(')');
        match clean.to_lowercase().as_str() {
            "" => {}
            "and" => stack.0.push(Token::And),
            "or" => stack.0.push(Token::Or),
            "not" => stack.0.push(Token::Not),
            // A text alone is compared with nothing.
            _ if is_quoted(inner) => return None,
            _ => stack.check(check(clean, problems))?,
        }
        for _ in 0..inner.len() - clean.len() {
            stack.close()?;
        }
        if stack.0.len() > MAX_PENDING {
            return None;
        }
    }
    let last = stack.0.pop()?;
    stack.0.is_empty().then(|| last.into_rule()).flatten()
}

fn is_quoted(word: &str) -> bool {
    let mut ends = word.chars();
    matches!(
        (ends.next(), ends.next_back()),
        (Some('"'), Some('"')) | (Some('\''), Some('\''))
    )
}

struct Stack(Vec<Token>);

impl Stack {
    /// Adds a check, together with the `not`, `and` or `or` that waits for it.
    fn check(&mut self, check: Rule) -> Option<()> {
        match self.0.pop() {
            Some(Token::Not) => return self.check(Rule::Not(Box::new(check))),
            Some(Token::And) => {
                let whole = and(self.0.pop()?, check)?;
                self.0.push(whole);
            }
            Some(Token::Or) => {
                let whole = or(self.0.pop()?, check)?;
                self.0.push(whole);
            }
            before => {
                self.0.extend(before);
                self.0.push(Token::Check(check));
            }
        }
        Some(())
    }

    /// Makes one check of what the parentheses hold.
    fn close(&mut self) -> Option<()> {
        let inner = self.0.pop()?.into_rule()?;
        match self.0.pop()? {
            Token::Open => self.check(inner),
            _ => None,
        }
    }
}

fn and(left: Token, right: Rule) -> Option<Token> {
    Some(match left {
        Token::Check(left) => Token::All(vec![left, right]),
        Token::All(mut all) => {
            all.push(right);
            Token::All(all)
        }
        // `a or b and c`: the `and` takes the last of them.
        Token::Any(mut any) => {
            let mut all = match any.pop()? {
                Rule::All(all) => all,
                last => vec![last],
            };
            all.push(right);
            any.push(Rule::All(all));
            Token::Any(any)
        }
        Token::Open | Token::And | Token::Or | Token::Not => return None,
    })
}

fn or(left: Token, right: Rule) -> Option<Token> {
    Some(match left {
        Token::Check(left) => Token::Any(vec![left, right]),
        Token::All(all) => Token::Any(vec![Rule::All(all), right]),
        Token::Any(mut any) => {
            any.push(right);
            Token::Any(any)
        }
        Token::Open | Token::And | Token::Or | Token::Not => return None,
    })
}

/// Reads `@`, `!` or `kind:match`.
fn check(text: &str, problems: &mut Vec<String>) -> Rule {
    let Some((kind, expected)) = text.split_once(':') else {
        return match text {
            "@" => Rule::Allow,
            "!" => Rule::Deny,
            _ => {
                problems.push(format!("\"{text}\" is no check: it denies"));
                Rule::Deny
            }
        };
    };
    if kind == "rule" {
        return Rule::Reference(expected.to_owned());
    }
    if matches!(kind, "http" | "https") {
        return remote(text, problems);
    }
    let (rule, problem) = comparison(kind, Template::parse(expected));
    problems.extend(problem.map(|problem| format!("\"{text}\" {problem}")));
    rule
}

/// Reads the address of a server that is to be asked.
fn remote(text: &str, problems: &mut Vec<String>) -> Rule {
    let address = Template::parse(text);
    if !address.is_well_formed() {
        problems.push(format!("\"{text}\" {MALFORMED}"));
    }
    Rule::Remote(address)
}

/// Reads `kind`, and says what is wrong with the whole.
fn comparison(kind: &str, expected: Template) -> (Rule, Option<&'static str>) {
    let malformed = (!expected.is_well_formed()).then_some(MALFORMED);
    if kind == "role" {
        return (Rule::Role(expected), malformed);
    }
    if let Some(text) = literal(kind) {
        return (Rule::Literal(text.to_owned(), expected), malformed);
    }
    let path: Vec<_> = kind.split('.').map(str::to_owned).collect();
    if !path.iter().all(|name| is_name(name)) {
        let problem = "cannot be judged: left of \":\" belongs a quoted text or a credential";
        return (Rule::Unanswerable(expected), Some(problem));
    }
    let known = path
        .first()
        .is_some_and(|name| credential::NAMES.contains(&name.as_str()));
    let unknown = (!known).then_some("is never met: no caller has such a credential");
    (Rule::Credential(path, expected), malformed.or(unknown))
}

/// The text of a Python literal: a quoted text, a number, `True`, `False` or `None`.
fn literal(kind: &str) -> Option<&str> {
    let quoted = |quote: char| {
        let inner = kind.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains([quote, '\\'])).then_some(inner)
    };
    if let Some(text) = quoted('\'').or_else(|| quoted('"')) {
        return Some(text);
    }
    // Python refuses leading zeros, and so do we by not taking it for a number.
    let number = kind == "0" || (!kind.starts_with('0') && is_digits(kind));
    (number || matches!(kind, "True" | "False" | "None")).then_some(kind)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::Caller;
    use crate::policy::Target;
    use crate::policy::rule::Question;

    fn tree(rule: &str) -> String {
        let parsed = text(rule);
        assert_eq!(parsed.problems, Vec::<String>::new(), "{rule}");
        spell(&parsed.rule)
    }

    fn spell(rule: &Rule) -> String {
        let all = |rules: &[Rule]| rules.iter().map(spell).collect::<Vec<_>>();
        match rule {
            Rule::Allow => "@".to_owned(),
            Rule::Deny => "!".to_owned(),
            Rule::Not(rule) => format!("not {}", spell(rule)),
            Rule::All(rules) => format!("({})", all(rules).join(" and ")),
            Rule::Any(rules) => format!("({})", all(rules).join(" or ")),
            Rule::Reference(name) => name.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn and_binds_closer_than_or() {
        assert_eq!(
            tree("rule:a or rule:b and rule:c or rule:d"),
            "(a or (b and c) or d)"
        );
        assert_eq!(tree("rule:a and rule:b or rule:c"), "((a and b) or c)");
    }

    #[test]
    fn parentheses_and_not_bind_first() {
        assert_eq!(
            tree("not (rule:a or rule:b) AND not not rule:c"),
            "(not (a or b) and not not c)"
        );
    }

    #[test]
    fn no_text_allows_and_no_list_allows() {
        assert_eq!(text("").rule, Rule::Allow);
        assert_eq!(lists(&[]).rule, Rule::Allow);
        assert_eq!(lists(&[vec![]]).rule, Rule::Deny);
    }

    #[test]
    fn lists_are_alternatives_of_what_must_hold_together() {
        let rule = |name: &str| format!("rule:{name}");
        let parsed = lists(&[vec![rule("a"), rule("b")], vec![], vec![rule("c")]]);
        assert_eq!(spell(&parsed.rule), "((a and b) or c)");
    }

    #[test]
    fn a_rule_that_cannot_be_put_together_denies_and_says_so() {
        for bad in [
            " ",
            "and",
            "rule:a rule:b",
            "rule:a and",
            "(rule:a",
            "rule:a)",
            "'text'",
            "not",
            "()",
        ] {
            let parsed = text(bad);
            assert_eq!(parsed.rule, Rule::Deny, "{bad:?}");
            assert_eq!(parsed.problems.len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_check_without_an_answer_says_why() {
        for bad in [
            "user_id:100%",
            "5x:%(a)s",
            "http://host/%(a)d",
            "'a:%(b)s",
            ":a",
        ] {
            let parsed = text(bad);
            assert!(
                !allows(&parsed.rule) && !allows(&Rule::Not(parsed.rule.into())),
                "{bad}"
            );
            assert_eq!(parsed.problems.len(), 1, "{bad}");
        }
    }

    fn allows(rule: &Rule) -> bool {
        let question = Question {
            caller: &Caller::default(),
            facts: &Target::from([("a", "a".into()), ("b", "b".into())]),
            rules: &HashMap::new(),
            said: &HashMap::new(),
        };
        question.judge(rule) == Ok(true)
    }

    #[test]
    fn a_credential_that_no_caller_has_is_named() {
        let parsed = text("tenant:%(tenant)s");
        assert_eq!(
            parsed.problems,
            ["\"tenant:%(tenant)s\" is never met: no caller has such a credential"]
        );
    }

    #[test]
    fn a_rule_of_endless_depth_denies() {
        assert_eq!(text(&"(".repeat(100_000)).rule, Rule::Deny);
        assert_eq!(text(&("not ".repeat(100_000) + "@")).rule, Rule::Deny);
    }
}

//! A JSON value over as many lines as it needs, as Python's `pprint` lays it out: the original shows with a
//! refused document what was demanded, and clients show that in turn.

use serde_json::Value;

use super::literal::{CONSTANT, literal, quoted};

/// The columns that a line may have.
const WIDTH: usize = 72;
/// What all lines but the first begin with.
const MARGIN: &str = "    ";

/// The value as a Python literal, broken into lines where it is too long for one.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    Layout { out: &mut out }.write(value, 0, 0, true);
    out.replace('\n', &format!("\n{MARGIN}"))
}

struct Layout<'o> {
    out: &'o mut String,
}

impl Layout<'_> {
    /// Writes a value at a column, with room for so many characters behind it.
    fn write(&mut self, value: &Value, column: usize, behind: usize, outermost: bool) {
        let spelled = literal(value);
        if width(&spelled) <= WIDTH.saturating_sub(column + behind) {
            self.out.push_str(&spelled);
            return;
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.out.push('[');
                for (i, item) in items.iter().enumerate() {
                    let last = i + 1 == items.len();
                    self.write(item, column + 1, if last { behind + 1 } else { 1 }, false);
                    self.part(last, column + 1);
                }
                self.out.push(']');
            }
            Value::Object(members) if !members.is_empty() && !members.contains_key(CONSTANT) => {
                self.out.push('{');
                for (i, (name, member)) in members.iter().enumerate() {
                    let last = i + 1 == members.len();
                    let name = format!("{}: ", quoted(name));
                    self.out.push_str(&name);
                    let column = column + 1 + width(&name);
                    self.write(member, column, if last { behind + 1 } else { 1 }, false);
                    self.part(last, column - width(&name));
                }
                self.out.push('}');
            }
            Value::String(text) => self.write_text(text, column, behind, outermost),
            _ => self.out.push_str(&spelled),
        }
    }

    /// Goes on to the next of several.
    fn part(&mut self, last: bool, column: usize) {
        if !last {
            self.out.push(',');
            self.line(column);
        }
    }

    fn line(&mut self, column: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// A long text is several that stand one below the other, in parentheses where nothing else is around it.
    fn write_text(&mut self, text: &str, column: usize, behind: usize, outermost: bool) {
        let (column, behind) = if outermost {
            (column + 1, behind + 1)
        } else {
            (column, behind)
        };
        let parts = broken(text, WIDTH.saturating_sub(column), behind);
        if let [only] = parts.as_slice() {
            self.out.push_str(only);
            return;
        }
        if outermost {
            self.out.push('(');
        }
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.line(column);
            }
            self.out.push_str(part);
        }
        if outermost {
            self.out.push(')');
        }
    }
}

/// The text in parts of so many columns at most, broken behind lines and words; the last one has less room.
fn broken(text: &str, room: usize, behind: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    for (i, line) in lines.iter().enumerate() {
        let last_line = i + 1 == lines.len();
        let short = room.saturating_sub(behind);
        let whole = quoted(line);
        if width(&whole) <= if last_line { short } else { room } {
            parts.push(whole);
            continue;
        }
        let words = words(line);
        let mut current = String::new();
        for (j, word) in words.iter().enumerate() {
            let last = last_line && j + 1 == words.len();
            let candidate = format!("{current}{word}");
            if width(&quoted(&candidate)) > if last { short } else { room } {
                if !current.is_empty() {
                    parts.push(quoted(&current));
                }
                (*word).clone_into(&mut current);
            } else {
                current = candidate;
            }
        }
        if !current.is_empty() {
            parts.push(quoted(&current));
        }
    }
    parts
}

/// Words, each with the blanks behind it.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let blanks = rest[word..]
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len() - word);
        let (one, after) = rest.split_at(word + blanks);
        words.push(one);
        rest = after;
    }
    words
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_on_a_line_is_one() {
        assert_eq!(pretty(&json!({"type": "string"})), "{'type': 'string'}");
        assert_eq!(pretty(&json!([])), "[]");
    }

    #[test]
    fn members_and_items_stand_one_below_the_other() {
        let schema = json!({
            "type": ["null", "string"], "description": "Format of the disk",
            "enum": [null, "a".repeat(30), "b".repeat(30)],
        });
        let expected = format!(
            "{{'type': ['null', 'string'],\n     'description': 'Format of the disk',\n     'enum': \
             [None,\n              '{}',\n              '{}']}}",
            "a".repeat(30),
            "b".repeat(30)
        );
        assert_eq!(pretty(&schema), expected);
    }

    #[test]
    fn long_texts_are_broken_behind_words() {
        let text = format!("{} {}", "a".repeat(50), "b".repeat(50));
        assert_eq!(
            pretty(&json!(text)),
            format!("('{} '\n     '{}')", "a".repeat(50), "b".repeat(50))
        );
        assert_eq!(
            pretty(&json!([text])),
            format!("['{} '\n     '{}']", "a".repeat(50), "b".repeat(50))
        );
        let word = "x".repeat(100);
        assert_eq!(pretty(&json!(word)), format!("'{word}'"));
    }
}

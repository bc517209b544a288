//! Tables as operators know them, framed with `+`, `-` and `|`: scripts read them by column.

use std::iter;

/// Where a cell stands in its column, and so does the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Center,
    Right,
}

/// Draws a table without a final newline. Every row has as many cells as there are columns.
pub fn draw(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, (title, _))| {
            let cells = rows.iter().filter_map(|row| row.get(i));
            cells.map(|cell| width(cell)).chain([width(title)]).max()
        })
        .map(Option::unwrap_or_default)
        .collect();
    let rule: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .chain(["+".to_owned()])
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| -> String {
        cells
            .zip(columns.iter().zip(&widths))
            .map(|(cell, ((_, align), width))| format!("| {} ", padded(cell, *width, *align)))
            .chain(["|".to_owned()])
            .collect()
    };

    let header = line(&mut columns.iter().map(|(title, _)| *title));
    let body = rows
        .iter()
        .map(|row| line(&mut row.iter().map(String::as_str)));
    [rule.clone(), header, rule.clone()]
        .into_iter()
        .chain(body)
        .chain(iter::once(rule))
        .collect::<Vec<_>>()
        .join("\n")
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn padded(cell: &str, width: usize, align: Align) -> String {
    match align {
        Align::Right => format!("{cell:>width$}"),
        Align::Center => {
            let room = width.saturating_sub(cell.chars().count());
            // An odd blank goes left in a column of odd width, right in an even one.
            let left = room / 2 + (room & width & 1);
            format!("{}{cell}{}", " ".repeat(left), " ".repeat(room - left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_as_operators_know_it() {
        let columns = [
            ("ID", Align::Center),
            ("Last Accessed (UTC)", Align::Center),
            ("Size", Align::Right),
            ("Hits", Align::Right),
        ];
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [
            row([
                "6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9",
                "2026-11-21T10:00:00.123456",
                "10485760",
                "3",
            ]),
            row(["7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9", "N/A", "1", "30000"]),
        ];
        let expected = "\
+--------------------------------------+----------------------------+----------+-------+
|                  ID                  |    Last Accessed (UTC)     |     Size |  Hits |
+--------------------------------------+----------------------------+----------+-------+
| 6b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 | 2026-11-21T10:00:00.123456 | 10485760 |     3 |
| 7b7bd5b9-c5e0-4f3b-a0be-5d0e4dc8c2b9 |            N/A             |        1 | 30000 |
+--------------------------------------+----------------------------+----------+-------+";
        assert_eq!(draw(&columns, &rows), expected);
    }

    #[test]
    fn an_odd_blank_goes_left_in_a_column_of_odd_width() {
        assert_eq!(padded("ab", 5, Align::Center), "  ab ");
        assert_eq!(padded("abc", 6, Align::Center), " abc  ");
    }
}

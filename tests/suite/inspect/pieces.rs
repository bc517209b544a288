//! Networks cut data anywhere, and what it is doesn't depend on that.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{find, made};

/// The data, cut at some positions.
fn pieces<'d>(data: &'d [u8], cuts: &[Index]) -> Vec<&'d [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
    cuts.sort_unstable();
    let mut rest = data;
    let mut pieces = Vec::new();
    let mut start = 0;
    for cut in cuts {
        let (piece, later) = rest.split_at(cut - start);
        pieces.push(piece);
        (rest, start) = (later, cut);
    }
    pieces.push(rest);
    pieces
}

#[test]
fn everything_is_found_to_be_what_it_is() {
    for (format, data) in made::all() {
        let found = find([&data[..]]);
        let names: Vec<&str> = found.iter().map(|found| found.format.as_str()).collect();
        assert!(names.contains(&format), "{format}: {names:?}");
    }
}

#[test]
fn one_cut_anywhere_in_a_header_changes_nothing() {
    for (format, data) in made::all() {
        let whole = find([&data[..]]);
        for cut in 0..=data.len().min(1200) {
            let (first, second) = data.split_at(cut);
            assert_eq!(find([first, second]), whole, "{format} cut at {cut}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_anywhere_change_nothing(
        which in any::<Index>(),
        cuts in vec(any::<Index>(), 0..12),
        damage in vec((0usize..1100, any::<u8>()), 0..3),
        end in proptest::option::of(any::<Index>()),
    ) {
        let made = made::all();
        let mut data = which.get(&made).1.clone();
        for (at, byte) in damage {
            if let Some(place) = data.get_mut(at) {
                *place = byte;
            }
        }
        if let Some(end) = end {
            data.truncate(end.index(data.len() + 1));
        }
        prop_assert_eq!(find(pieces(&data, &cuts)), find([&data[..]]));
    }
}

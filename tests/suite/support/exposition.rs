//! What Prometheus would understand of a page of metrics.

use std::collections::BTreeMap;

/// A page, read.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// The type of each metric.
    pub(crate) types: BTreeMap<String, String>,
    /// Every sample, by its name and labels as they are written.
    pub(crate) samples: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a page; whatever is no sample of a metric whose type and help were told before is refused.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self {
            types: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        let mut helped = String::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                help.split(' ').next().unwrap().clone_into(&mut helped);
            } else if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').unwrap();
                assert_eq!(name, helped, "no help for {name}");
                let before = page.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} twice");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(page.knows(series), "no type for {series}");
                let before = page.samples.insert(series.to_owned(), value.to_owned());
                assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{line}");
                assert_eq!(before, None, "{series} twice");
            }
        }
        page
    }

    /// Whether a sample belongs to a metric whose type was told.
    fn knows(&self, series: &str) -> bool {
        let name = name(series);
        let histogram = ["_bucket", "_sum", "_count"].iter().any(|part| {
            let name = name.strip_suffix(part);
            let kind = name.and_then(|name| self.types.get(name));
            kind.is_some_and(|kind| kind == "histogram")
        });
        histogram || self.types.contains_key(name)
    }

    /// The value of a sample that is a whole number.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> u64 {
        let value = self.samples.get(series);
        let value = value.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in {:#?}", self.samples))
    }
}

fn name(series: &str) -> &str {
    series.split('{').next().unwrap()
}

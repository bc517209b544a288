//! Where the configuration stands: flags, environment, and the search of oslo.config.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use super::error::{Error, Origin};
use super::ini::{self, Entry, Settings};
use super::options::{self, Kind};

/// What a program was told about its configuration.
#[derive(Debug, Clone)]
pub struct Sources {
    pub program: Program,
    /// `--config-file`; none means that files are searched.
    pub files: Vec<PathBuf>,
    /// `--config-dir`: its `*.conf`, after the files.
    pub dirs: Vec<PathBuf>,
    /// Options of `[DEFAULT]` that were flags, over all else.
    pub flags: Vec<(&'static str, String)>,
    /// The environment, which names directories and may set options (`OS_SECTION__OPTION`).
    pub environment: BTreeMap<String, String>,
}

/// Whose configuration it is: this decides which files are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `glance-api.conf`
    Api,
    /// `glance-api.conf`, and `glance-cache.conf` over it.
    Cache,
    /// `glance-api.conf`, and `glance-manage.conf` over it.
    Manage,
}

/// The settings that were found.
#[derive(Debug)]
pub struct Found {
    pub settings: Settings,
    /// The files, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// Where other files are looked for, see [`Found::find_file`].
    beside: Vec<PathBuf>,
    /// `--config-file` or what the search found in its place, without the files of directories.
    main_files: Vec<PathBuf>,
    /// Where the state goes when there is no configuration at all.
    pub state_dir: Option<PathBuf>,
    sources: Sources,
}

impl Sources {
    /// No flags, and the environment of this process.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            files: Vec::new(),
            dirs: Vec::new(),
            flags: Vec::new(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        }
    }

    /// Reads everything, the strongest last: files, directories, environment, flags.
    pub(super) fn read(&self) -> Result<Found, Error> {
        let search = self.search_path();
        let main_files = if self.files.is_empty() {
            self.default_files(&search)
        } else {
            self.files.iter().map(|file| self.full(file)).collect()
        };
        let dirs = if self.dirs.is_empty() {
            let names = ["glance.conf.d", self.program.directory()];
            names
                .iter()
                .filter_map(|name| first(&search, name))
                .collect()
        } else {
            self.dirs
                .iter()
                .map(|dir| self.full(dir))
                .collect::<Vec<_>>()
        };
        let mut files = main_files.clone();
        for dir in &dirs {
            files.extend(configurations(dir)?);
        }

        let mut settings = Settings::default();
        let nothing_given = self.files.is_empty() && self.dirs.is_empty() && files.is_empty();
        let state_dir = nothing_given.then(|| self.state_dir()).transpose()?;
        if let Some(state_dir) = &state_dir {
            settings.push(standalone(state_dir)?);
        }
        for file in &files {
            let text = std::fs::read_to_string(file).map_err(Error::read(file))?;
            settings.push(ini::read(&Arc::from(file.as_path()), &text)?);
        }
        settings.push(self.environment_entries());
        settings.push(self.flag_entries());

        let given_dirs = dirs.iter().filter(|_| !self.dirs.is_empty()).cloned();
        let parents = main_files.iter().rev().filter_map(|file| file.parent());
        let beside = given_dirs
            .chain(parents.map(Path::to_path_buf))
            .chain(search)
            .collect();
        Ok(Found {
            settings,
            files,
            beside,
            main_files,
            state_dir,
            sources: self.clone(),
        })
    }

    /// The directories that oslo.config searches for the project `glance`.
    fn search_path(&self) -> Vec<PathBuf> {
        let home = self.directory("HOME");
        let snap = |name| Some(self.directory(name)?.join("etc/glance"));
        let places = [
            home.as_ref().map(|home| home.join(".glance")),
            home,
            Some(PathBuf::from("/etc/glance")),
            Some(PathBuf::from("/etc")),
            snap("SNAP_COMMON"),
            snap("SNAP"),
        ];
        places.into_iter().flatten().collect()
    }

    /// The files to read where no flag names any.
    fn default_files(&self, search: &[PathBuf]) -> Vec<PathBuf> {
        if let Some(files) = self.files_from_environment() {
            return files;
        }
        let mut files: Vec<PathBuf> = first(search, "glance.conf").into_iter().collect();
        if let Some(api) = first(search, "glance-api.conf") {
            // As in the original, a file beside it that may hold the options of imports.
            files.extend(
                api.parent()
                    .map(|dir| dir.join(IMPORT_FILE))
                    .filter(|file| file.exists()),
            );
            files.push(api);
        }
        match self.program {
            Program::Api => {}
            Program::Cache => files.extend(first(search, "glance-cache.conf")),
            Program::Manage => files.extend(first(search, "glance-manage.conf")),
        }
        files
    }

    /// The files that `OS_GLANCE_CONFIG_DIR` and `OS_GLANCE_CONFIG_FILES` name.
    fn files_from_environment(&self) -> Option<Vec<PathBuf>> {
        let dir = self.directory("OS_GLANCE_CONFIG_DIR");
        let names = self.environment.get("OS_GLANCE_CONFIG_FILES");
        if self.program != Program::Api || (dir.is_none() && names.is_none()) {
            return None;
        }
        let dir = dir.unwrap_or_else(|| PathBuf::from("/etc/glance"));
        let default = format!("{IMPORT_FILE};glance-api.conf");
        let names = names.unwrap_or(&default).split(';').map(str::trim);
        let files = names
            .filter(|name| !name.is_empty())
            .map(|name| dir.join(name));
        Some(
            files
                .filter(|file| !file.ends_with(IMPORT_FILE) || file.exists())
                .collect(),
        )
    }

    fn state_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.directory("GLANCE_STATE_DIR") {
            return Ok(dir);
        }
        let xdg = self.directory("XDG_STATE_HOME");
        let home = || Some(self.directory("HOME")?.join(".local/state"));
        let base = xdg.or_else(home).ok_or(Error::NoStateDirectory)?;
        Ok(base.join("glance"))
    }

    fn environment_entries(&self) -> Vec<Entry> {
        let settable = options::all()
            .iter()
            .filter(|known| known.kind != Kind::Removed);
        settable
            .filter_map(|known| {
                let name = format!("OS_{}__{}", known.section, known.option).to_uppercase();
                Some(Entry {
                    section: known.section.to_owned(),
                    option: known.option.to_owned(),
                    text: self.environment.get(&name)?.clone(),
                    origin: Origin::Environment(name),
                })
            })
            .collect()
    }

    fn flag_entries(&self) -> Vec<Entry> {
        let entry = |(option, text): &(&'static str, String)| Entry {
            section: "DEFAULT".to_owned(),
            option: (*option).to_owned(),
            text: ini::escape(text),
            origin: Origin::Flag(option),
        };
        self.flags.iter().map(entry).collect()
    }

    /// An absolute directory that the environment names.
    fn directory(&self, name: &str) -> Option<PathBuf> {
        let text = self.environment.get(name)?.trim();
        (!text.is_empty()).then(|| absolute(text).ok()).flatten()
    }

    /// An absolute path, with `~` as the shell has it.
    fn full(&self, path: &Path) -> PathBuf {
        let path = match (path.strip_prefix("~"), self.directory("HOME")) {
            (Ok(below), Some(home)) => home.join(below),
            _ => path.to_path_buf(),
        };
        absolute(&path).unwrap_or(path)
    }
}

const IMPORT_FILE: &str = "glance-image-import.conf";

impl Program {
    fn directory(self) -> &'static str {
        match self {
            Self::Api => "glance-api.conf.d",
            Self::Cache => "glance-cache.conf.d",
            Self::Manage => "glance-manage.conf.d",
        }
    }
}

impl Found {
    /// A file named in the configuration: beside its files, else where they are searched.
    pub fn find_file(&self, name: &str) -> Option<PathBuf> {
        self.beside
            .iter()
            .map(|dir| dir.join(name))
            .find(|path| path.exists())
    }

    /// The same, and where it would be if it were there.
    pub fn expect_file(&self, name: &str) -> Option<PathBuf> {
        let place = || Some(self.beside.first()?.join(name));
        self.find_file(name).or_else(place)
    }

    /// The settings of a start that names no files, whatever files this one names.
    pub fn searched(&self) -> Result<Settings, Error> {
        let nothing_named = self.sources.files.is_empty() && self.sources.dirs.is_empty();
        if nothing_named {
            return Ok(self.settings.clone());
        }
        let sources = Sources {
            files: Vec::new(),
            dirs: Vec::new(),
            ..self.sources.clone()
        };
        let search = sources.search_path();
        let mut settings = Settings::default();
        for file in sources.default_files(&search) {
            let text = std::fs::read_to_string(&file).map_err(Error::read(&file))?;
            settings.push(ini::read(&Arc::from(file.as_path()), &text)?);
        }
        settings.push(sources.environment_entries());
        Ok(settings)
    }

    /// The last of the files that are no directory's.
    pub fn main_file(&self) -> Option<&Path> {
        self.main_files.last().map(PathBuf::as_path)
    }
}

/// The first directory that has it.
fn first(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    dirs.iter()
        .map(|dir| dir.join(name))
        .find(|path| path.exists())
}

/// The `*.conf` of a directory, sorted.
fn configurations(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let names: io::Result<Vec<PathBuf>> = std::fs::read_dir(dir)
        .map_err(Error::read(dir))?
        .map(|entry| Ok(entry?.path()))
        .collect();
    let mut files = names.map_err(Error::read(dir))?;
    files.retain(|file| {
        let hidden = file
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        file.extension() == Some(OsStr::new("conf")) && !hidden
    });
    files.sort();
    Ok(files)
}

/// The configuration of a start that has none.
fn standalone(state_dir: &Path) -> Result<Vec<Entry>, Error> {
    let dir = ini::escape(&state_dir.to_string_lossy());
    let text = include_str!("standalone.conf").replace("STATE_DIR", &dir);
    let mut entries = ini::read(&Arc::from(Path::new("standalone.conf")), &text)?;
    for entry in &mut entries {
        entry.origin = Origin::BuiltIn;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;

//! What others do to a cache directory. All of it can be repaired.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::answer::Image;
use crate::chance::Chance;
use crate::flips::Place;
use crate::site::Site;

/// An image that nobody has.
pub const NOBODY: &str = "0f6dd1b4-9b0d-4a3e-8e0a-111111111111";

/// Does some harm, and says what.
pub fn do_some(site: &Site, images: &[Image], chance: &mut Chance) -> io::Result<&'static str> {
    let index = site.cache("cache.db");
    match chance.below(14) {
        0..=2 => {
            if let Some(path) = some_copy(site, chance) {
                flip(site, images, &path, chance)?;
            }
            Ok("flipped a bit of a copy")
        }
        3 => {
            let growing = [".glance/partial", "incomplete"].map(|dir| {
                let names = site.files(dir).into_iter();
                names.map(move |name| site.cache(dir).join(name))
            });
            let growing: Vec<PathBuf> = growing.into_iter().flatten().collect();
            if let Some(path) = chance.pick(&growing) {
                flip(site, images, path, chance)?;
            }
            Ok("flipped a bit of a part or a fill")
        }
        4 => {
            if let Some(path) = some_copy(site, chance) {
                let file = File::options().write(true).open(path)?;
                let length = file.metadata()?.len();
                file.set_len(chance.below(usize::try_from(length).unwrap_or(0)) as u64)?;
            }
            Ok("cut a copy off")
        }
        5 => {
            let file = File::options().write(true).open(index)?;
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
            file.set_len(chance.below(length) as u64)?;
            Ok("truncated the index")
        }
        6 => {
            fs::write(index, vec![0; 8192])?;
            Ok("zeroed the index")
        }
        7 => {
            fs::write(index, chance.bytes(9000))?;
            Ok("made the index noise")
        }
        8 => {
            fs::remove_file(index)?;
            Ok("removed the index")
        }
        9 => {
            lose_tables(images);
            for name in site.files(".glance/spans") {
                if chance.percent(50) {
                    fs::write(site.cache(".glance/spans").join(name), chance.bytes(300))?;
                }
            }
            Ok("made tables of spans noise")
        }
        10 => {
            lose_tables(images);
            for name in site.files(".glance/spans") {
                fs::remove_file(site.cache(".glance/spans").join(name))?;
            }
            Ok("removed the tables of spans")
        }
        11 => {
            fs::write(site.cache("queue/rubbish"), b"")?;
            fs::write(
                site.cache(".glance/fills").join(format!("{NOBODY}.7")),
                b"99\n",
            )?;
            fs::write(site.cache(".glance/partial").join(NOBODY), b"rubbish")?;
            Ok("left rubbish")
        }
        12 => {
            if !site.cache(NOBODY).exists() {
                symlink("/etc/hostname", site.cache(NOBODY))?;
            }
            fs::create_dir_all(site.cache("incomplete").join(NOBODY))?;
            Ok("put a link and a directory there")
        }
        _ => {
            fs::write(site.cache(".glance/format"), b"")?;
            Ok("tore the mark of the format")
        }
    }
}

fn some_copy(site: &Site, chance: &mut Chance) -> Option<PathBuf> {
    let names = site.files("");
    let copies: Vec<&String> = names.iter().filter(|name| name.len() == 36).collect();
    chance.pick(&copies).map(|name| site.cache(name))
}

/// From here on nothing tells which bits were turned around.
fn lose_tables(images: &[Image]) {
    for image in images {
        image.kept.flips.lose_table();
    }
}

/// Turns one bit of a file around.
fn flip(site: &Site, images: &[Image], path: &Path, chance: &mut Chance) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    if length == 0 {
        return Ok(());
    }
    let (at, mut byte) = (chance.below(length), [0]);
    file.read_exact_at(&mut byte, at as u64)?;
    let bit = 1 << chance.below(8);
    let name = path.file_name().unwrap_or_default();
    if let Some(image) = images.iter().find(|image| image.id.as_str() == name) {
        let table = fs::read(site.cache(".glance/spans").join(name));
        let told = table.is_ok_and(|table| table.starts_with(b"glspans1"));
        let place = if told { Place::Told } else { Place::Untold };
        image.kept.flips.note(place, at, bit);
    }
    file.write_all_at(&[byte[0] ^ bit], at as u64)
}

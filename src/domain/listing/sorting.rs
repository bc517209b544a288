//! The order of a list, in both forms: `sort=name:asc,size` and `sort_key=name&sort_dir=asc`.

use super::{Direction, Parameters, SortKey, Unlistable};

/// The order. It ends with the time of creation and the id, so that it is total.
pub(super) fn read(parameters: &mut Parameters) -> Result<Vec<(SortKey, Direction)>, Unlistable> {
    let mut keys = Vec::new();
    let mut directions = Vec::new();
    if let Some(sort) = parameters.take("sort") {
        if parameters.has("sort_key") || parameters.has("sort_dir") {
            return Err(Unlistable::MixedSorting);
        }
        for part in sort.trim().split(',') {
            let (name, wish) = part.split_once(':').unwrap_or((part, ""));
            keys.push(key(name.trim())?);
            directions.push(match wish {
                "" => Direction::Desc,
                wish => direction(wish.trim())?,
            });
        }
    } else {
        for name in parameters.take_all("sort_key") {
            keys.push(key(&name)?);
        }
        for wish in parameters.take_all("sort_dir") {
            directions.push(direction(&wish)?);
        }
        if directions.len() > 1 && directions.len() != keys.len() {
            return Err(Unlistable::UnevenSorting);
        }
    }
    // One direction is for every key, those that are added too.
    let common = match directions.as_slice() {
        [] => Some(Direction::Desc),
        [one] => Some(*one),
        _ => None,
    };
    let mut sort: Vec<_> = match common {
        Some(direction) => keys.into_iter().map(|key| (key, direction)).collect(),
        None => keys.into_iter().zip(directions).collect(),
    };
    for last in [SortKey::CreatedAt, SortKey::Id] {
        if !sort.iter().any(|(key, _)| *key == last) {
            sort.push((last, common.unwrap_or(Direction::Desc)));
        }
    }
    Ok(sort)
}

fn key(name: &str) -> Result<SortKey, Unlistable> {
    Ok(match name {
        "name" => SortKey::Name,
        "status" => SortKey::Status,
        "container_format" => SortKey::ContainerFormat,
        "disk_format" => SortKey::DiskFormat,
        "size" => SortKey::Size,
        "id" => SortKey::Id,
        "created_at" => SortKey::CreatedAt,
        "updated_at" => SortKey::UpdatedAt,
        other => return Err(Unlistable::UnknownSortKey(other.to_owned())),
    })
}

fn direction(name: &str) -> Result<Direction, Unlistable> {
    match name {
        "asc" => Ok(Direction::Asc),
        "desc" => Ok(Direction::Desc),
        other => Err(Unlistable::UnknownSortDirection(other.to_owned())),
    }
}

//! Which images a list is of, as SQL conditions.
//!
//! What a viewer sees and what it asks for are two conditions, as in the original. Both are spelled so that no
//! index serves them (`CASE`, `NOT`): an index on `visibility` finds half of all images and leaves them to be
//! sorted, where the index on the sort key gives a page after a few steps. Which way is better depends on how
//! much is visible; `list` decides it, with what [`sources`] says.

use super::dialect::{List, Statement};
use super::{Error, Result};
use crate::domain::query::{Comparison, Filter, ImageQuery, Viewer, VisibilityFilter};
use crate::domain::{MemberStatus, Visibility};

/// A set of images that an index finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Hidden,
    Of(Visibility),
    OwnedBy(String),
    SharedWith(String),
}

/// Sets that have all images of the list among them, the cheapest first. None where only the whole table has.
pub fn sources(query: &ImageQuery) -> Option<Vec<Source>> {
    if query.hidden {
        return Some(vec![Source::Hidden]);
    }
    let owner = query.filters.iter().find_map(|filter| match filter {
        Filter::Text("owner", owner) => Some(owner.clone()),
        _ => None,
    });
    if let Some(owner) = owner {
        return Some(vec![Source::OwnedBy(owner)]);
    }
    let own = |project: &String| Source::OwnedBy(project.clone());
    let shared = |project: &String| Source::SharedWith(project.clone());
    let public = Source::Of(Visibility::Public);
    let community = Source::Of(Visibility::Community);
    Some(match (&query.viewer, query.visibility) {
        (_, VisibilityFilter::Only(open @ (Visibility::Public | Visibility::Community))) => {
            vec![Source::Of(open)]
        }
        (
            Viewer::Administrator | Viewer::AdministratorOf(_),
            VisibilityFilter::Usual | VisibilityFilter::All,
        ) => return None,
        (
            Viewer::Administrator | Viewer::AdministratorOf(_),
            VisibilityFilter::Only(other @ (Visibility::Private | Visibility::Shared)),
        ) => vec![Source::Of(other)],
        (Viewer::Project(project), VisibilityFilter::Usual) => {
            vec![public, own(project), shared(project)]
        }
        (Viewer::Project(project), VisibilityFilter::All) => {
            vec![public, community, own(project), shared(project)]
        }
        (Viewer::Project(project), VisibilityFilter::Only(Visibility::Private)) => {
            vec![own(project)]
        }
        (Viewer::Project(project), VisibilityFilter::Only(Visibility::Shared)) => {
            vec![own(project), shared(project)]
        }
        (Viewer::Anonymous, VisibilityFilter::All) => vec![public, community],
        (Viewer::Anonymous, VisibilityFilter::Usual | VisibilityFilter::Only(_)) => vec![public],
    })
}

/// Adds all conditions of `query` but its marker; the first without `AND`.
pub fn push_conditions(sql: &mut Statement, query: &ImageQuery) -> Result<()> {
    sql.push("NOT deleted AND status <> 'killed'");
    sql.push(if query.hidden {
        " AND os_hidden"
    } else {
        " AND NOT os_hidden"
    });
    push_seen(sql, query);
    push_wanted(sql, query);
    for filter in &query.filters {
        sql.push(" AND ");
        push_filter(sql, filter)?;
    }
    Ok(())
}

/// What the viewer may see.
fn push_seen(sql: &mut Statement, query: &ImageQuery) {
    match &query.viewer {
        Viewer::Administrator | Viewer::AdministratorOf(_) => {}
        Viewer::Anonymous => {
            sql.push(
                " AND CASE WHEN visibility IN ('public', 'community') THEN TRUE ELSE FALSE END",
            );
        }
        Viewer::Project(project) => {
            sql.push(" AND CASE WHEN visibility IN ('public', 'community') OR owner = ")
                .push_bind(project)
                .push(" THEN TRUE WHEN visibility = 'shared' THEN EXISTS (SELECT 1 FROM image_members AS m WHERE m.image_id = images.id AND ");
            push_member(sql, project, query.member_status);
            sql.push(") ELSE FALSE END");
        }
    }
}

fn push_member(sql: &mut Statement, project: &str, status: Option<MemberStatus>) {
    sql.push("m.member = ")
        .push_bind(project)
        .push(" AND NOT m.deleted");
    if let Some(status) = status {
        sql.push(" AND m.status = ").push_bind(status.as_str());
    }
}

/// What the viewer asks for of it.
fn push_wanted(sql: &mut Statement, query: &ImageQuery) {
    match (query.visibility, query.viewer.project()) {
        (VisibilityFilter::All, _) => {}
        (VisibilityFilter::Only(visibility), _) => {
            push_equal(sql.push(" AND "), "visibility", visibility.as_str());
        }
        (VisibilityFilter::Usual, None) => {
            sql.push(" AND visibility <> 'community'");
        }
        (VisibilityFilter::Usual, Some(project)) => {
            sql.push(" AND (visibility <> 'community' OR owner = ")
                .push_bind(project)
                .push(")");
        }
    }
}

/// Equality that no index serves, and that no planner takes for so rare that it sorts all it finds.
fn push_equal(sql: &mut Statement, column: &str, value: &str) {
    sql.push(format!("CASE {column} WHEN "))
        .push_bind(value)
        .push(" THEN TRUE ELSE FALSE END");
}

fn push_filter(sql: &mut Statement, filter: &Filter) -> Result<()> {
    match filter {
        Filter::Text(column @ ("id" | "checksum" | "os_hash_value"), value) => {
            sql.push(*column).push(" = ").push_bind(value);
        }
        Filter::Text(column, value) => push_equal(sql, text(column)?, value),
        Filter::In("id", values) => {
            sql.push("id IN ").push_bind(List::texts(values));
        }
        Filter::In(column, values) => {
            sql.push("CASE WHEN ")
                .push(text(column)?)
                .push(" IN ")
                .push_bind(List::texts(values))
                .push(" THEN TRUE ELSE FALSE END");
        }
        Filter::Number(column, value) => push_number(sql, column, " = ", *value)?,
        Filter::AtLeast(column, value) => push_number(sql, column, " >= ", *value)?,
        Filter::AtMost(column, value) => push_number(sql, column, " <= ", *value)?,
        Filter::Protected(true) => {
            sql.push("protected");
        }
        Filter::Protected(false) => {
            sql.push("NOT protected");
        }
        Filter::Property(name, value) => {
            sql.push("EXISTS (SELECT 1 FROM image_properties AS p WHERE p.image_id = images.id AND NOT p.deleted AND p.name = ")
                .push_bind(name)
                .push(" AND p.value = ")
                .push_bind(value)
                .push(")");
        }
        Filter::Tag(tag) => {
            sql.push("EXISTS (SELECT 1 FROM image_tags AS t WHERE t.image_id = images.id AND NOT t.deleted AND t.value = ")
                .push_bind(tag)
                .push(")");
        }
        Filter::Time(column, comparison, time) => {
            let column = known(column, &["created_at", "updated_at"])?;
            sql.push(column)
                .push(match comparison {
                    Comparison::Gt => " > ",
                    Comparison::Gte => " >= ",
                    Comparison::Lt => " < ",
                    Comparison::Lte => " <= ",
                    Comparison::Eq => " = ",
                    Comparison::Neq => " <> ",
                })
                .push_bind(*time);
        }
        Filter::Nothing => {
            sql.push("FALSE");
        }
    }
    Ok(())
}

fn push_number(
    sql: &mut Statement,
    column: &'static str,
    comparison: &'static str,
    value: i64,
) -> Result<()> {
    let column = known(column, &["size", "virtual_size", "min_disk", "min_ram"])?;
    sql.push("CASE WHEN ")
        .push(column)
        .push(comparison)
        .push_bind(value)
        .push(" THEN TRUE ELSE FALSE END");
    Ok(())
}

fn text(column: &'static str) -> Result<&'static str> {
    known(
        column,
        &[
            "name",
            "status",
            "container_format",
            "disk_format",
            "owner",
            "os_hash_algo",
        ],
    )
}

/// Names of columns become part of a statement, so only these.
fn known(column: &'static str, columns: &[&str]) -> Result<&'static str> {
    if columns.contains(&column) {
        Ok(column)
    } else {
        Err(Error::Failed(format!(
            "images are not filtered by {column}"
        )))
    }
}

impl Source {
    /// Adds what finds the rows of the set, with those of deleted images among them.
    pub fn push(&self, sql: &mut Statement) {
        match self {
            Source::Hidden => {
                sql.push(" FROM images WHERE os_hidden = TRUE");
            }
            Source::Of(visibility) => {
                sql.push(" FROM images WHERE visibility = ")
                    .push_bind(visibility.as_str());
            }
            Source::OwnedBy(project) => {
                sql.push(" FROM images WHERE owner = ").push_bind(project);
            }
            Source::SharedWith(project) => {
                sql.push(" FROM image_members WHERE member = ")
                    .push_bind(project);
            }
        }
    }

    /// The column of these rows that says which image it is.
    pub fn id(&self) -> &'static str {
        match self {
            Source::Hidden | Source::Of(_) | Source::OwnedBy(_) => "id",
            Source::SharedWith(_) => "image_id",
        }
    }
}

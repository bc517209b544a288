//! Where the engines part: the same meaning, in three spellings.

/// A part of a statement that each engine spells in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub sqlite: &'static str,
    pub mysql: &'static str,
    pub postgres: &'static str,
}

/// What belongs to the row of `images` that a query is at, as three columns of JSON.
///
/// MySQL has no order in its JSON aggregates, so there the texts are joined.
pub const BELONGINGS: Word = Word {
    sqlite: "\
        (SELECT json_group_object(p.name, p.value) FROM image_properties AS p \
         WHERE p.image_id = images.id AND NOT p.deleted) AS properties, \
        (SELECT json_group_array(t.value ORDER BY t.id) FROM image_tags AS t \
         WHERE t.image_id = images.id AND NOT t.deleted) AS tags, \
        (SELECT json_group_array(json_object('url', l.value, 'metadata', l.meta_data, 'status', l.status) \
         ORDER BY l.id) FROM image_locations AS l \
         WHERE l.image_id = images.id AND NOT l.deleted) AS locations",
    mysql: "\
        (SELECT CONCAT('{', COALESCE(GROUP_CONCAT(JSON_QUOTE(p.name), ':', COALESCE(JSON_QUOTE(p.value), 'null')), ''), '}') \
         FROM image_properties AS p WHERE p.image_id = images.id AND NOT p.deleted) AS properties, \
        (SELECT CONCAT('[', COALESCE(GROUP_CONCAT(JSON_QUOTE(t.value) ORDER BY t.id), ''), ']') \
         FROM image_tags AS t WHERE t.image_id = images.id AND NOT t.deleted) AS tags, \
        (SELECT CONCAT('[', COALESCE(GROUP_CONCAT(\
         JSON_OBJECT('url', l.value, 'metadata', l.meta_data, 'status', l.status) ORDER BY l.id), ''), ']') \
         FROM image_locations AS l WHERE l.image_id = images.id AND NOT l.deleted) AS locations",
    postgres: "\
        (SELECT COALESCE(json_object_agg(p.name, p.value), '{}')::text FROM image_properties AS p \
         WHERE p.image_id = images.id AND NOT p.deleted) AS properties, \
        (SELECT COALESCE(json_agg(t.value ORDER BY t.id), '[]')::text FROM image_tags AS t \
         WHERE t.image_id = images.id AND NOT t.deleted) AS tags, \
        (SELECT COALESCE(json_agg(json_build_object('url', l.value, 'metadata', l.meta_data, 'status', l.status) \
         ORDER BY l.id), '[]')::text FROM image_locations AS l \
         WHERE l.image_id = images.id AND NOT l.deleted) AS locations",
};

/// What `INSERT` does with a property that has a row already, usually a deleted one: the row lives again.
/// Its `deleted_at` stays, as the original leaves it.
pub const OR_REPLACE_PROPERTY: Word = Word {
    sqlite: OR_REPLACE,
    // To its key `Name` is `name`: such a row may be taken over only where it is dead. No name is null, so this is
    // refused otherwise.
    mysql: " ON DUPLICATE KEY UPDATE \
        name = IF(deleted OR BINARY name = BINARY VALUES(name), VALUES(name), NULL), \
        value = VALUES(value), updated_at = VALUES(updated_at), deleted = FALSE",
    postgres: OR_REPLACE,
};

const OR_REPLACE: &str = " ON CONFLICT (image_id, name) DO UPDATE \
    SET value = excluded.value, updated_at = excluded.updated_at, deleted = FALSE";

/// The column `id` of all rows, as one list of JSON.
pub const IDS: Word = Word {
    sqlite: "json_group_array(id)",
    mysql: "CONCAT('[', COALESCE(GROUP_CONCAT(JSON_QUOTE(id)), ''), ']')",
    postgres: "COALESCE(json_agg(id), '[]')::text",
};

/// Holds the rows of a query for this transaction alone. Where one writes at a time, all are held already.
pub const FOR_UPDATE: Word = Word {
    sqlite: "",
    mysql: " FOR UPDATE",
    postgres: " FOR UPDATE",
};

/// After `WITH name AS`: the rows are found first, and what is asked of them only then.
pub const MATERIALIZED: Word = Word {
    sqlite: " MATERIALIZED ",
    mysql: " ",
    postgres: " MATERIALIZED ",
};

/// After `ASC`: nulls are the least of all, as they are in the two other engines.
pub const NULLS_FIRST: Word = Word {
    sqlite: "",
    mysql: "",
    postgres: " NULLS FIRST",
};

/// The same after `DESC`.
pub const NULLS_LAST: Word = Word {
    sqlite: "",
    mysql: "",
    postgres: " NULLS LAST",
};

/// What a sum is cast to, to be read as a number.
pub const BIGINT: Word = Word {
    sqlite: "BIGINT",
    mysql: "SIGNED",
    postgres: "BIGINT",
};

/// A query for the `name` of each table here.
pub const TABLES: Word = Word {
    sqlite: "SELECT name FROM sqlite_master WHERE type = 'table'",
    mysql: "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
    postgres: "SELECT table_name::text AS name FROM information_schema.tables \
        WHERE table_schema = ANY (current_schemas(FALSE))",
};

//! Every rule of the API, as the original ships them.
//!
//! The older ones, which let in everybody whom the new ones keep out, count where a site wants them to.

/// A rule that holds unless a policy file says otherwise.
#[derive(Debug)]
pub(super) struct Default {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    /// It is an action of the API, which takes the token of a project; the others are only referred to.
    for_projects: bool,
}

/// Whether `action` takes the token of a project and no other.
pub(super) fn is_for_projects(action: &str) -> bool {
    let mut actions = DEFAULTS.iter().filter(|default| default.for_projects);
    actions.any(|default| default.name == action)
}

/// What a rule was before, where that was another one.
pub(super) fn older(name: &str) -> Option<&'static str> {
    Some(match name {
        "default" | "stores_info_detail" => ADMIN,
        "cache_image" | "cache_list" | "cache_delete" => "rule:manage_image_cache",
        "add_image"
        | "delete_image"
        | "get_image"
        | "get_images"
        | "modify_image"
        | "communitize_image"
        | "download_image"
        | "upload_image"
        | "delete_image_location"
        | "get_image_location"
        | "set_image_location"
        | "add_member"
        | "delete_member"
        | "get_member"
        | "get_members"
        | "modify_member"
        | "deactivate"
        | "reactivate" => ANYBODY,
        "get_metadef_namespace"
        | "get_metadef_namespaces"
        | "get_metadef_object"
        | "get_metadef_objects"
        | "list_metadef_resource_types"
        | "get_metadef_resource_type"
        | "get_metadef_property"
        | "get_metadef_properties"
        | "get_metadef_tag"
        | "get_metadef_tags" => "rule:metadef_default",
        _ => return None,
    })
}

const fn part(name: &'static str, rule: &'static str) -> Default {
    let for_projects = false;
    Default {
        name,
        rule,
        for_projects,
    }
}

const fn action(name: &'static str, rule: &'static str) -> Default {
    let for_projects = true;
    Default {
        name,
        rule,
        for_projects,
    }
}

const ADMIN: &str = "rule:context_is_admin";
const METADEF_ADMIN: &str = "rule:metadef_admin";
const ANYBODY: &str = "rule:default";
const ADMIN_OR_MEMBER: &str =
    "rule:context_is_admin or (role:member and project_id:%(project_id)s)";
const ADMIN_OR_READER: &str =
    "rule:context_is_admin or (role:reader and project_id:%(project_id)s)";
const ADMIN_OR_READER_OR_PUBLIC: &str = "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))";
const ADMIN_OR_READER_OR_SHARED_WITH: &str = "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)";
const ADMIN_OR_MEMBER_WHO_SEES: &str = "rule:context_is_admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))";

/// The rules, in the order of the original's documentation.
pub(super) const DEFAULTS: &[Default] = &[
    part("default", ""),
    part("context_is_admin", "role:admin"),
    part("service_api", "role:service or role:admin"),
    action(
        "add_image",
        "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    ),
    action("delete_image", ADMIN_OR_MEMBER),
    action(
        "get_image",
        "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))",
    ),
    action("get_images", ADMIN_OR_READER),
    action("modify_image", ADMIN_OR_MEMBER),
    action("publicize_image", ADMIN),
    action("communitize_image", ADMIN_OR_MEMBER),
    action("download_image", ADMIN_OR_MEMBER_WHO_SEES),
    action("download_from_store", ADMIN_OR_MEMBER_WHO_SEES),
    action("upload_image", ADMIN_OR_MEMBER),
    action("delete_image_location", ADMIN),
    action("get_image_location", ADMIN_OR_READER),
    action("set_image_location", ADMIN_OR_MEMBER),
    action(
        "add_image_location",
        "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    ),
    action("fetch_image_location", "rule:service_api"),
    action("add_member", ADMIN_OR_MEMBER),
    action("delete_member", ADMIN_OR_MEMBER),
    action("get_member", ADMIN_OR_READER_OR_SHARED_WITH),
    action("get_members", ADMIN_OR_READER_OR_SHARED_WITH),
    action(
        "modify_member",
        "rule:context_is_admin or (role:member and project_id:%(member_id)s)",
    ),
    action("manage_image_cache", ADMIN),
    action("deactivate", ADMIN_OR_MEMBER),
    action("reactivate", ADMIN_OR_MEMBER),
    action("copy_image", ADMIN),
    action("list_cached_nodes", ADMIN),
    action("get_task", ANYBODY),
    action("get_tasks", ANYBODY),
    action("add_task", ANYBODY),
    action("modify_task", ANYBODY),
    action("tasks_api_access", ADMIN),
    part("metadef_default", ""),
    part("metadef_admin", ADMIN),
    action("get_metadef_namespace", ADMIN_OR_READER_OR_PUBLIC),
    action("get_metadef_namespaces", ADMIN_OR_READER),
    action("modify_metadef_namespace", METADEF_ADMIN),
    action("add_metadef_namespace", METADEF_ADMIN),
    action("delete_metadef_namespace", METADEF_ADMIN),
    action("get_metadef_object", ADMIN_OR_READER_OR_PUBLIC),
    action("get_metadef_objects", ADMIN_OR_READER_OR_PUBLIC),
    action("modify_metadef_object", METADEF_ADMIN),
    action("add_metadef_object", METADEF_ADMIN),
    action("delete_metadef_object", METADEF_ADMIN),
    action("list_metadef_resource_types", ADMIN_OR_READER_OR_PUBLIC),
    action("get_metadef_resource_type", ADMIN_OR_READER_OR_PUBLIC),
    action("add_metadef_resource_type_association", METADEF_ADMIN),
    action("remove_metadef_resource_type_association", METADEF_ADMIN),
    action("get_metadef_property", ADMIN_OR_READER_OR_PUBLIC),
    action("get_metadef_properties", ADMIN_OR_READER_OR_PUBLIC),
    action("modify_metadef_property", METADEF_ADMIN),
    action("add_metadef_property", METADEF_ADMIN),
    action("remove_metadef_property", METADEF_ADMIN),
    action("get_metadef_tag", ADMIN_OR_READER_OR_PUBLIC),
    action("get_metadef_tags", ADMIN_OR_READER_OR_PUBLIC),
    action("modify_metadef_tag", METADEF_ADMIN),
    action("add_metadef_tag", METADEF_ADMIN),
    action("add_metadef_tags", METADEF_ADMIN),
    action("delete_metadef_tag", METADEF_ADMIN),
    action("delete_metadef_tags", METADEF_ADMIN),
    action("cache_image", ADMIN),
    action("cache_list", ADMIN),
    action("cache_delete", ADMIN),
    action("cache_clean", ADMIN),
    action("cache_prune", ADMIN),
    action(
        "stores_info_detail",
        "rule:context_is_admin or rule:service_api",
    ),
];

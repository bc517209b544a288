//! Who asks. There is no Keystone: callers come with the headers that its middleware would have written.

use serde::Deserialize;

/// What steps call the projects, and their ids.
pub(super) const PROJECTS: [(&str, &str); 4] = [
    ("project_a", "aaaa0000aaaa0000aaaa0000aaaa0000"),
    ("project_b", "bbbb0000bbbb0000bbbb0000bbbb0000"),
    ("project_admin", "adad0000adad0000adad0000adad0000"),
    ("project_service", "5e5e00005e5e00005e5e00005e5e0000"),
];

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Caller {
    Admin,
    Alice,
    Amy,
    Bob,
    Ben,
    Service,
    Stranger,
    /// Without any headers.
    #[default]
    Nobody,
}

impl Caller {
    /// The headers that tell who this is.
    pub(super) fn headers(self) -> Vec<(String, String)> {
        let [(_, a), (_, b), (_, admins), (_, services)] = PROJECTS;
        let (name, project, roles) = match self {
            Self::Admin => ("admin", admins, "admin,manager,member,reader"),
            Self::Alice => ("alice", a, "member,reader"),
            Self::Amy => ("amy", a, "reader"),
            Self::Bob => ("bob", b, "member,reader"),
            Self::Ben => ("ben", b, "reader"),
            Self::Service => ("service", services, "service"),
            Self::Stranger => ("stranger", a, "auditor"),
            Self::Nobody => return Vec::new(),
        };
        let headers = [
            ("X-Identity-Status", "Confirmed".to_owned()),
            ("X-User-Id", format!("user-{name}")),
            ("X-Project-Id", project.to_owned()),
            ("X-Tenant-Id", project.to_owned()),
            ("X-Roles", roles.to_owned()),
            ("X-Auth-Token", format!("token-of-{name}")),
        ];
        headers.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

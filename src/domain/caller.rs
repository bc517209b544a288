//! Who is asking.

/// The person or service behind a request, as the identity layer found them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user_id: Option<String>,
    pub project_id: Option<String>,
    /// Of a token that is valid for a whole domain.
    pub domain_id: Option<String>,
    pub user_domain_id: Option<String>,
    pub project_domain_id: Option<String>,
    /// Of a token that is valid for the whole cloud: `all`.
    pub system_scope: Option<String>,
    /// Lower case, implied ones included.
    pub roles: Vec<String>,
    /// The project is the cloud's own, which is what everybody has to assume who is told nothing.
    pub is_admin_project: bool,
    /// The service that passes the request on, where one does.
    pub service_user_id: Option<String>,
    pub service_user_domain_id: Option<String>,
    pub service_project_id: Option<String>,
    pub service_project_domain_id: Option<String>,
    pub service_roles: Vec<String>,
    /// The administrator: the pipeline without identity makes everyone one, policy the others.
    pub is_admin: bool,
    /// May only read: an anonymous caller where those are let in.
    pub read_only: bool,
    /// The `req-...` id of this request.
    pub request_id: String,
}

impl Caller {
    /// Whether the token is for the whole cloud, not for a project.
    #[must_use]
    pub fn has_system_scope(&self) -> bool {
        is_given(self.system_scope.as_deref())
    }

    /// Whether the token is for a whole domain, not for a project.
    #[must_use]
    pub fn has_domain_scope(&self) -> bool {
        is_given(self.domain_id.as_deref())
    }
}

fn is_given(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

impl Default for Caller {
    /// Nobody known, with no rights at all.
    fn default() -> Self {
        Self {
            user_id: None,
            project_id: None,
            domain_id: None,
            user_domain_id: None,
            project_domain_id: None,
            system_scope: None,
            roles: Vec::new(),
            is_admin_project: true,
            service_user_id: None,
            service_user_domain_id: None,
            service_project_id: None,
            service_project_domain_id: None,
            service_roles: Vec::new(),
            is_admin: false,
            read_only: false,
            request_id: String::new(),
        }
    }
}

//! Who is asking.

/// The person or service behind a request, as the identity layer found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    pub user_id: Option<String>,
    pub project_id: Option<String>,
    pub domain_id: Option<String>,
    pub user_domain_id: Option<String>,
    pub project_domain_id: Option<String>,
    pub system_scope: Option<String>,
    /// Lower case, implied ones included.
    pub roles: Vec<String>,
    pub service_user_id: Option<String>,
    pub service_roles: Vec<String>,
    /// The administrator: the pipeline without identity makes everyone one, policy the others.
    pub is_admin: bool,
    /// May only read: an anonymous caller where those are let in.
    pub read_only: bool,
    /// The `req-...` id of this request.
    pub request_id: String,
}

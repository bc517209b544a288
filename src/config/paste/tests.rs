use super::*;
use crate::config::ini::Settings;

/// A search that finds no file.
const NOTHING: fn() -> Result<Settings, Error> = || Ok(Settings::default());

fn walk(text: &str, flavor: &str) -> Result<Walk, String> {
    let file = PasteFile::parse(Path::new("/etc/glance/paste.ini"), text).unwrap();
    Walk::through(&file, flavor, &Settings::default(), &NOTHING).map_err(|error| error.to_string())
}

fn filters(walk: &Walk) -> String {
    let names: Vec<String> = walk
        .pipeline
        .filters
        .iter()
        .map(ToString::to_string)
        .collect();
    names.join(" ")
}

const PARTS: &str = "
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:cache]
paste.filter_factory = glance.api.middleware.cache:CacheFilter.factory
[filter:strange]
paste.filter_factory = site.filters:Strange.factory
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
";

fn with_parts(text: &str) -> String {
    format!("{PARTS}{text}")
}

#[test]
fn the_shipped_flavors_are_those_of_the_original() {
    let before = "cors http_proxy_to_wsgi versionnegotiation osprofiler";
    for (flavor, after) in [
        ("", "unauthenticated-context"),
        ("caching", "unauthenticated-context cache"),
        (
            "cachemanagement",
            "unauthenticated-context cache cachemanage",
        ),
        ("keystone", "authtoken context"),
        ("keystone+caching", "authtoken context cache"),
        (
            "keystone+cachemanagement",
            "authtoken context cache cachemanage",
        ),
    ] {
        let file = PasteFile::shipped().unwrap();
        let walk = Walk::through(&file, flavor, &Settings::default(), &NOTHING).unwrap();
        assert_eq!(filters(&walk), format!("{before} {after}"));
        let healthcheck = walk.pipeline.healthcheck.unwrap();
        assert_eq!(
            healthcheck.disable_by_file.as_deref(),
            Some(Path::new("/etc/glance/healthcheck_disable"))
        );
    }
}

#[test]
fn the_older_form_is_a_section_per_pipeline() {
    let text = with_parts(
        "[pipeline:glance-api-caching]\npipeline = healthcheck context\n  cache rootapp\n\
         [composite:rootapp]\nuse = egg:Paste#urlmap\n/v2: apiv2app\n\
         [filter:healthcheck]\nuse = egg:oslo.middleware#healthcheck\n\
         backends = disable_by_files_ports, enable_by_files, entrails\n\
         disable_by_file_paths = 9292:/a, 9393:/b\nenable_by_file_paths = /c\ndetailed = yes\n",
    );
    let walk = walk(&text, "caching").unwrap();
    assert_eq!(filters(&walk), "context cache");
    assert_eq!(
        walk.pipeline.healthcheck,
        Some(HealthcheckConfig {
            detailed: true,
            disable_by_file: None,
            disable_by_file_ports: vec![(9292, "/a".into()), (9393, "/b".into())],
            enable_by_files: vec!["/c".into()],
        })
    );
    assert_eq!(walk.warnings.len(), 1);
    assert!(walk.warnings[0].to_string().contains("entrails"));
}

#[test]
fn what_a_pipeline_says_of_itself() {
    let file = PasteFile::shipped().unwrap();
    let of = |flavor| {
        Walk::through(&file, flavor, &Settings::default(), &NOTHING)
            .unwrap()
            .pipeline
    };
    let open = of("");
    assert!(!open.has_context() && !open.has_authtoken());
    assert!(!open.caches() && !open.manages_cache());
    let full = of("keystone+cachemanagement");
    assert!(full.has_context() && full.has_authtoken());
    assert!(full.caches() && full.manages_cache());
}

#[test]
fn options_in_filter_sections_count() {
    let text = with_parts(
        "[DEFAULT]\nsite = https://a.example\n\
         [pipeline:glance-api]\npipeline = cors http_proxy_to_wsgi apiv2app\n\
         [filter:cors]\npaste.filter_factory = oslo_middleware.cors:filter_factory\n\
         allowed_origin = %(site)s, https://b.example\nmax_age = 5\n\
         [filter:http_proxy_to_wsgi]\npaste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory\n\
         enable_proxy_headers_parsing = true\n",
    );
    let walk = walk(&text, "").unwrap();
    assert_eq!(walk.proxy_headers, Some(true));
    let cors = walk.pipeline.cors().unwrap();
    assert_eq!(
        cors.allowed_origin,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(cors.max_age, Some(5));
    assert_eq!(
        cors.allow_methods,
        ["GET", "PUT", "POST", "DELETE", "PATCH"]
    );
}

#[test]
fn options_of_authtoken_are_those_of_its_section() {
    let text = with_parts(
        "[DEFAULT]\nhost = keystone.example\nregion_name = here\n\
         [pipeline:glance-api]\npipeline = authtoken context apiv2app\n\
         [filter:authtoken]\npaste.filter_factory = keystonemiddleware.auth_token:filter_factory\n\
         delay_auth_decision = true\nauth_url = https://%(host)s\npassword = a$b\nnonsense = 1\n",
    );
    let walk = walk(&text, "").unwrap();
    let set: Vec<_> = { walk.authtoken.iter() }
        .map(|entry| (&*entry.section, &*entry.option, &*entry.text))
        .collect();
    let section = "keystone_authtoken";
    assert_eq!(
        set,
        [
            (section, "auth_url", "https://keystone.example"),
            (section, "delay_auth_decision", "true"),
            (section, "nonsense", "1"),
            (section, "password", "a$$b"),
            (section, "region_name", "here"),
        ]
    );
}

#[test]
fn what_the_chosen_pipeline_does_not_use_may_be_unknown() {
    let text = with_parts("[pipeline:glance-api]\npipeline = context apiv2app\n");
    assert_eq!(filters(&walk(&text, "").unwrap()), "context");
}

#[test]
fn what_leads_nowhere_is_refused_with_its_section() {
    for (text, flavor, problem) in [
        (
            "[pipeline:glance-api]\npipeline = strange apiv2app\n",
            "",
            "[filter:strange]: the filter site.filters:Strange.factory is unknown here \
             (in the pipeline of the flavor default)",
        ),
        (
            "[pipeline:glance-api]\npipeline = gone apiv2app\n",
            "",
            "[pipeline:glance-api]: there is no [filter:gone]",
        ),
        (
            "[pipeline:glance-api]\npipeline = context gone\n",
            "",
            "[pipeline:glance-api]: there is no application gone",
        ),
        (
            "[pipeline:glance-api]\npipeline = context glance-api\n",
            "",
            "[pipeline:glance-api]: it contains itself",
        ),
        (
            "[pipeline:glance-api-a]\npipeline = apiv2app\n[composite:glance-api-b]\n/: x\n",
            "c",
            "there is no pipeline for [paste_deploy] flavor = c; there is one for a, b",
        ),
        (
            "[composite:glance-api]\npaste.composite_factory = glance.api:pipeline_factory\nkeystone = apiv2app\n",
            "",
            "[composite:glance-api]: there is no pipeline for the flavor default",
        ),
    ] {
        let expected = format!("/etc/glance/paste.ini: {problem}");
        assert_eq!(walk(&with_parts(text), flavor).unwrap_err(), expected);
    }
}

#[test]
fn a_cors_filter_with_a_project_asks_the_files_that_a_search_finds() {
    let allowing = |origin: &str| {
        let mut settings = Settings::default();
        let text = format!("[cors]\nallowed_origin = {origin}\n");
        let path: std::sync::Arc<Path> = Path::new("glance-api.conf").into();
        settings.push(crate::config::ini::read(&path, &text).unwrap());
        settings
    };
    let origins = |options: &str| {
        let text = with_parts(&format!(
            "[pipeline:glance-api]\npipeline = cors apiv2app\n\
             [filter:cors]\npaste.filter_factory = oslo_middleware.cors:filter_factory\n{options}"
        ));
        let file = PasteFile::parse(Path::new("paste.ini"), &text).unwrap();
        let searched = || Ok(allowing("http://searched"));
        let walk = Walk::through(&file, "", &allowing("http://named"), &searched).unwrap();
        walk.pipeline.cors().unwrap().allowed_origin.clone()
    };
    assert_eq!(origins(""), ["http://named"]);
    let project = "oslo_config_project = glance\noslo_config_program = glance-api\n";
    assert_eq!(origins(project), ["http://searched"]);
    let own = format!("{project}allowed_origin = http://own\n");
    assert_eq!(origins(&own), ["http://own"]);
}

//! What a newcomer reads: only where nothing was configured, and nobody knows where things are.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::Config;

/// Prints it where it is due.
pub fn print(config: &Config, address: SocketAddr) {
    if let Some(state) = &config.state_dir {
        // Nobody may be reading, and that is fine.
        let _ = std::io::stdout().write_all(text(state, address).as_bytes());
    }
}

fn text(state: &Path, address: SocketAddr) -> String {
    let state = state.display();
    format!(
        "glance listens on http://{address} and keeps its state in {state}.\n\
         Every caller is an administrator here. Try next:\n\n  \
         openstack --os-auth-type none --os-endpoint http://{address} image create \
         --disk-format qcow2 --container-format bare --file disk.qcow2 first\n  \
         glance --os-image-url http://{address} --os-auth-token none image-list\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_learns_where_things_are_and_what_to_try() {
        let text = text(
            Path::new("/state"),
            SocketAddr::from(([127, 0, 0, 1], 9292)),
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "glance listens on http://127.0.0.1:9292 and keeps its state in /state."
        );
        assert!(lines[3].starts_with("  openstack --os-auth-type none --os-endpoint http://127"));
        assert!(lines[4].starts_with("  glance --os-image-url http://127.0.0.1:9292 "));
    }
}

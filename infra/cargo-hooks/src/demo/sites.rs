//! The demo sites of a local stack, which outlive it in the folder for the state.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::session::{self, write_private};
use atlassian_simulator::Site;

/// The file in the folder for the state.
const FILE: &str = "sites.json";

/// A demo site, and whether an earlier stack had it already.
#[derive(Debug)]
pub struct DemoSite {
    /// The site.
    pub site: Site,
    /// Whether an earlier stack had it already.
    pub is_kept: bool,
}

#[derive(Default, Deserialize, Serialize)]
struct Kept {
    sites: Vec<session::DemoSite>,
}

/// The sites with these products and base URLs: those that are kept in the folder, and these new ones
/// for the others, which are kept from now on.
///
/// # Errors
///
/// Fails if the file cannot be read or written.
pub(super) fn open(state: Option<&Path>, new: Vec<Site>) -> anyhow::Result<Vec<DemoSite>> {
    let Some(path) = state.map(|folder| folder.join(FILE)) else {
        return Ok(new.into_iter().map(|site| DemoSite { site, is_kept: false }).collect());
    };
    let kept = match fs::read(&path) {
        Ok(json) => serde_json::from_slice(&json).with_context(|| {
            format!("{} is damaged; remove it, and new demo sites are installed", path.display())
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
        Err(error) => {
            let what = format!("{} cannot be read; let its owner run this", path.display());
            return Err(error).context(what);
        }
    };
    let mut kept: Vec<Site> = kept.sites.iter().map(session::DemoSite::site).collect();
    let mut demos = Vec::new();
    for site in new {
        let is_same = |kept: &Site| kept.product == site.product && kept.base_url == site.base_url;
        demos.push(match kept.iter().position(is_same) {
            Some(found) => DemoSite { site: kept.swap_remove(found), is_kept: true },
            None => DemoSite { site, is_kept: false },
        });
    }
    // What was not asked for this time may be asked for the next.
    write(&path, demos.iter().map(|demo| &demo.site).chain(&kept))?;
    Ok(demos)
}

/// Replaces the sites that are kept, after one of them has a new secret.
///
/// # Errors
///
/// Fails if the file cannot be written.
pub(super) fn keep(state: Option<&Path>, sites: &[Site]) -> anyhow::Result<()> {
    state.map_or(Ok(()), |folder| write(&folder.join(FILE), sites))
}

fn write<'a>(path: &Path, sites: impl IntoIterator<Item = &'a Site>) -> anyhow::Result<()> {
    let kept = Kept { sites: sites.into_iter().map(session::DemoSite::of).collect() };
    write_private(path, &serde_json::to_vec_pretty(&kept)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use atlassian_connect::event::Product;

    use super::*;

    fn demos() -> Vec<Site> {
        vec![Site::new(Product::Jira, "demo"), Site::new(Product::Confluence, "demo")]
    }

    fn secrets(demos: &[DemoSite]) -> Vec<(String, String)> {
        let secret = |demo: &DemoSite| {
            (demo.site.client_key.to_string(), demo.site.secret.expose().to_owned())
        };
        demos.iter().map(secret).collect()
    }

    #[test]
    fn keeps_the_same_sites_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(Some(folder.path()), demos()).unwrap();
        let one = open(Some(folder.path()), vec![Site::new(Product::Jira, "demo")]).unwrap();
        let again = open(Some(folder.path()), demos()).unwrap();

        assert!(first.iter().all(|demo| !demo.is_kept));
        assert!(again.iter().all(|demo| demo.is_kept));
        assert_eq!(secrets(&again), secrets(&first));
        assert_eq!(secrets(&one), secrets(&first)[..1]);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn are_new_without_a_folder() {
        let [first, second] = [(); 2].map(|()| secrets(&open(None, demos()).unwrap()));
        assert_ne!(first, second);
    }

    #[test]
    fn says_what_to_do_about_a_damaged_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = format!("{:#}", open(Some(folder.path()), demos()).unwrap_err());
        assert!(error.contains("sites.json is damaged; remove it"), "{error}");
    }
}

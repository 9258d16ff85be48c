//! The template is what the descriptor asks for.

use std::path::Path;

use connect::descriptor::Descriptor;

use super::{Finding, shown};

pub(super) fn check(descriptor: &Descriptor, path: &Path) -> Vec<Finding> {
    let wanted = match crate::template::render(descriptor) {
        Ok(wanted) => wanted,
        Err(error) => return vec![Finding::error("infra/src/template.yaml.j2", error.to_string())],
    };
    let advice = match std::fs::read_to_string(path) {
        Ok(written) if written == wanted => return Vec::new(),
        Ok(written) => {
            let same = written.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
            format!(
                "it is not what the descriptor asks for, from line {} on; run `cargo hooks \
                 template` and commit the result",
                same + 1,
            )
        }
        Err(error) => format!("it cannot be read: {error}; run `cargo hooks template`"),
    };
    vec![Finding::error(shown(path), advice)]
}

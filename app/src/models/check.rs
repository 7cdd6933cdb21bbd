//! Whether a fetched model is still what it was on the hub, or when it was converted.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use engine::{Cancel, check_import};

use super::catalogue::Kind;
use super::manifest::{Manifest, NAME};
use super::place::Place;

/// What was found of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    /// Below the model's folder.
    pub(crate) path: String,
    /// What is wrong with it; nothing where `None`.
    pub(crate) fault: Option<&'static str>,
}

/// Reads all files of a model that was fetched; `told` hears of each. With `mend`, files that are not right are deleted, so
/// that the next download fetches them alone.
///
/// # Errors
/// It was not fetched by this program, or a file cannot be read.
pub(crate) fn check(
    place: &Place,
    kind: Kind,
    mend: bool,
    told: &mut dyn FnMut(&Finding),
) -> Result<Vec<Finding>> {
    let name = kind.name();
    let _lock = place.lock(&name)?;
    let folder = place.of(&name);
    if kind.format.is_some() {
        return compare(&folder, &name, told);
    }
    let manifest = Manifest::read(&folder)?
        .with_context(|| format!("{name} is not here as fetched: {} has no {NAME}", folder.display()))?
        .checked()?;
    let mut findings = Vec::new();
    for part in manifest.files {
        let file = folder.join(&part.path);
        let fault = match fs::metadata(&file) {
            Err(_) => Some("is missing"),
            Ok(found) if found.len() != part.size => Some("has another size"),
            Ok(_) => match part.digest.fits(&file, &|| true)? {
                Some(true) => None,
                _ => Some("has other bytes than on the hub"),
            },
        };
        let finding = Finding { path: part.path, fault };
        told(&finding);
        findings.push(finding);
    }
    if mend && findings.iter().any(|finding| finding.fault.is_some()) {
        let unfinished = place.unfinished(&name);
        fs::rename(&folder, &unfinished)
            .with_context(|| format!("cannot rename {} to {}", folder.display(), unfinished.display()))?;
        for finding in findings.iter().filter(|finding| finding.fault.is_some()) {
            let file = unfinished.join(&finding.path);
            if file.exists() {
                fs::remove_file(&file).with_context(|| format!("cannot delete {}", file.display()))?;
            }
        }
    }
    Ok(findings)
}

/// Compares a converted model with its own checksums.
fn compare(folder: &Path, name: &str, told: &mut dyn FnMut(&Finding)) -> Result<Vec<Finding>> {
    if !folder.is_dir() {
        bail!("{name} is not here");
    }
    let mut findings = Vec::new();
    check_import(folder, &Cancel::new(), &mut |file| {
        let finding = Finding { path: file.name.clone(), fault: file.fault };
        told(&finding);
        findings.push(finding);
    })?;
    Ok(findings)
}

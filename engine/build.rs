//! Takes the shaders into the program: resolves their imports, checks every variant as the graphics driver's front end will, and
//! embeds the table that `src/shader/table.rs` reads.

#[path = "src/shader/preprocess.rs"]
mod preprocess;

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs};

use naga::valid::{Capabilities, ValidationFlags, Validator};

fn main() {
    if let Err(error) = embed() {
        // Debug output, as returning the error would give, has no line breaks.
        eprintln!("{error}");
        exit(1);
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../shaders");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, Box<dyn Error>>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "wgsl"));
    files.sort();

    let mut table = String::from(
        "/// Every shader with its imports in place.\npub(super) static SHADERS: &[(&str, &str)] = &[\n",
    );
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = preprocess::import(&fs::read_to_string(&path)?, &|import| {
            fs::read_to_string(folder.join(import)).map_err(|e| format!("{import}: {e}"))
        })
        .map_err(|e| format!("{}: {e}", path.display()))?;
        for defines in preprocess::variants(&text) {
            check(&text, &defines).map_err(|e| format!("{} with {defines:?}:\n{e}", path.display()))?;
        }
        writeln!(table, "    ({name:?}, {text:?}),")?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shaders.rs"), table)?;
    Ok(())
}

/// Parses and validates one variant.
fn check(text: &str, defines: &[&str]) -> Result<(), String> {
    let source = preprocess::select(text, defines)?;
    let module = naga::front::wgsl::parse_str(&source).map_err(|e| e.emit_to_string(&source))?;
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map(drop)
        .map_err(|e| e.emit_to_string(&source))
}

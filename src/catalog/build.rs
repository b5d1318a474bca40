//! Lists the files of `controls/` for `include_bytes!`, so that a released binary carries its catalogue.

use std::{env, fmt::Write, fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut list = String::from("&[");
    for folder in ["checks", "frameworks"] {
        let path = Path::new(&root).join("controls").join(folder);
        println!("cargo::rerun-if-changed=controls/{folder}");
        let mut names: Vec<String> = fs::read_dir(&path)?
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        names.retain(|name| name.ends_with(".toml"));
        names.sort();
        for name in names {
            let file = path.join(&name);
            write!(list, "({:?}, include_bytes!({file:?})),", format!("{folder}/{name}")).map_err(io::Error::other)?;
        }
    }
    list.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("catalog.rs"), list)
}

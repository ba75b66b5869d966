//! Puts a placeholder where the built page is missing, so that the crate builds without Node.

use std::path::Path;
use std::{fs, io};

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Partyline</title>\n\
    <p>The page has not been built. Run <code>npm ci &amp;&amp; npm run build</code> in <code>api/web</code>, \
    then build again. The API works without it: see <a href=\"/v1/openapi.json\">/v1/openapi.json</a>.\n</html>\n";

fn main() -> io::Result<()> {
    // Names that begin with the placeholder's path are enough: a directory stands for everything below it.
    println!("cargo:rerun-if-changed=web/dist");
    println!("cargo:rerun-if-changed=build.rs");
    let page = Path::new("web/dist/index.html");
    if page.exists() {
        return Ok(());
    }
    fs::create_dir_all("web/dist")?;
    fs::write(page, PLACEHOLDER)
}

//! What SECURITY.md says of the library's own code: it opens no connection.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What a program needs to speak to another machine, with the standard library or with crates.
const NETWORK: [&str; 7] =
    ["std::net", "TcpStream", "UdpSocket", "ToSocketAddrs", "reqwest", "ureq", "hyper::"];

#[test]
fn the_library_opens_no_connection() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 100);
    for path in found {
        let Ok(code) = fs::read_to_string(&path) else { continue };
        let named = NETWORK.iter().find(|name| code.contains(**name));
        assert!(named.is_none(), "{} names {}", path.display(), named.unwrap());
    }
}

#[test]
fn no_crate_of_the_library_speaks_to_the_network() {
    let root = env!("CARGO_MANIFEST_DIR");
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--package",
            "neural-composer",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--target", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .unwrap();
    let crates = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.status.success() && crates.lines().count() > 100, "{crates}");
    for name in ["reqwest", "ureq", "hyper", "curl", "tokio", "mio", "socket2", "rustls", "openssl"]
    {
        let is_named = |line: &&str| line.split(' ').next() == Some(name);
        assert!(!crates.lines().any(|line| is_named(&line)), "{name}");
    }
}

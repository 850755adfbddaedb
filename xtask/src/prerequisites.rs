//! What must be on the machine before anything is built or tested, and how a bare CI machine gets it.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::test::succeeds;
use crate::tidy;

/// Programs that come from the system's packages.
struct Need {
    is_there: fn() -> bool,
    packages: &'static [&'static str],
    missing: fn() -> String,
}

const NEEDS: &[Need] = &[
    Need {
        is_there: || succeeds(Command::new(compiler()).arg("--version")),
        packages: &["gcc", "libc6-dev"],
        missing: || {
            let compiler = compiler();
            format!(
                "no C compiler `{}` (the bundled SQLite is built with it); get gcc and libc6-dev, or set CC",
                compiler.display()
            )
        },
    },
    Need {
        is_there: || has_postgresql(&folders()),
        packages: &["postgresql"],
        missing: || {
            "no PostgreSQL (the store is tested on servers of its own); get postgresql, or put initdb, postgres and \
             pg_basebackup on the PATH"
                .to_owned()
        },
    },
    Need {
        is_there: || {
            succeeds(Command::new("openssl").arg("version"))
                && succeeds(Command::new("pgrep").arg("--version"))
        },
        packages: &["openssl", "procps"],
        missing: || {
            "no openssl or no pgrep (the tests on PostgreSQL use them); get openssl and procps"
                .to_owned()
        },
    },
];

/// Whether everything is there, once what is missing has been installed where we may.
pub(crate) fn check() -> Result<(), String> {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds(Command::new(tidy::cargo()).args([command, "--version"])) {
            return Err(format!(
                "{component} is missing; get it: rustup component add {component}"
            ));
        }
    }
    NEEDS.iter().try_for_each(|need| ensure(need, install))
}

fn ensure(need: &Need, install: impl FnOnce(&[&str])) -> Result<(), String> {
    if (need.is_there)() {
        return Ok(());
    }
    install(need.packages);
    if (need.is_there)() { Ok(()) } else { Err((need.missing)()) }
}

fn compiler() -> PathBuf {
    env::var_os("CC").unwrap_or_else(|| "cc".into()).into()
}

/// Where a server's programs may be: Debian keeps them, by version, off the `PATH`.
fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
}

fn has_postgresql(folders: &[PathBuf]) -> bool {
    let programs = ["initdb", "postgres", "pg_basebackup"];
    folders.iter().any(|folder| programs.iter().all(|program| folder.join(program).exists()))
}

/// On a bare CI machine we may install what is missing. Whether that worked shows when it is asked for again, so the
/// results here do not matter.
fn install(packages: &[&str]) {
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    if root && succeeds(Command::new("apt-get").arg("--version")) {
        println!("installing {}", packages.join(" and "));
        succeeds(Command::new("apt-get").args(["-q", "update"]));
        succeeds(
            Command::new("apt-get")
                .args(["-q", "install", "-y", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn need(is_there: fn() -> bool) -> Need {
        Need { is_there, packages: &["one", "two"], missing: || "no such thing".to_owned() }
    }

    #[test]
    fn only_what_is_missing_is_installed_and_what_stays_missing_is_told() {
        for (is_there, installed, told) in [
            ((|| true) as fn() -> bool, vec![], Ok(())),
            (|| false, vec!["one", "two"], Err("no such thing".to_owned())),
        ] {
            let asked = RefCell::new(Vec::new());
            let install = |packages: &[&str]| {
                asked.borrow_mut().extend(packages.iter().map(|package| (*package).to_owned()));
            };
            assert_eq!(ensure(&need(is_there), install), told);
            assert_eq!(asked.into_inner(), installed);
        }
    }

    #[test]
    fn a_folder_counts_only_if_it_has_all_programs_of_a_server() {
        let folder = env::temp_dir().join(format!("fuseboard-programs-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let there = || has_postgresql(&[PathBuf::from("/nowhere"), folder.clone()]);
        for program in ["initdb", "postgres", "pg_basebackup"] {
            assert!(!there(), "{program}");
            fs::write(folder.join(program), "").unwrap();
        }
        assert!(there());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn each_need_is_told_in_one_line() {
        for need in NEEDS {
            let told = (need.missing)();
            assert!(told.contains("; get ") && !told.contains('\n'), "{told}");
            assert!(!told.contains("  "), "{told}");
        }
    }
}

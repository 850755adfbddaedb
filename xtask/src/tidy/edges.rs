//! Which crate may depend on which, as ARCHITECTURE draws it; core stays nearly alone.

use serde_json::Value;

use super::Violation;

struct Edges {
    folder: &'static str,
    may_use: &'static [&'static str],
    /// Only behind a feature.
    optional: &'static [&'static str],
}

/// Development dependencies are free, and so is xtask.
const EDGES: &[Edges] = &[
    Edges { folder: "core", may_use: &[], optional: &[] },
    Edges { folder: "store", may_use: &["core"], optional: &[] },
    Edges { folder: "services", may_use: &["store", "core"], optional: &[] },
    Edges { folder: "tower", may_use: &["core"], optional: &["services"] },
    Edges { folder: "macros", may_use: &[], optional: &[] },
    Edges {
        folder: "server",
        may_use: &["core", "store", "services", "tower", "macros", "fuseboard"],
        optional: &[],
    },
    Edges { folder: "python", may_use: &["core", "store", "services"], optional: &[] },
    Edges {
        folder: "fuseboard",
        may_use: &["core", "store", "services", "tower", "macros"],
        optional: &[],
    },
];

/// How many crates from outside core may use.
const CORE_EXTERNAL: usize = 6;

/// Checks what `cargo metadata --no-deps` says; `files` are for the lines to point at.
pub(crate) fn check(metadata: &Value, files: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in array(metadata, "packages") {
        let manifest = manifest_path(metadata, package);
        let Some(folder) = manifest.strip_prefix("crates/").and_then(|path| path.split('/').next())
        else {
            continue;
        };
        let text = files.iter().find(|(path, _)| *path == manifest).map_or("", |(_, text)| text);
        let edges = EDGES.iter().find(|edges| edges.folder == folder);
        let Some(edges) = edges else {
            let right = "add the crate and its edges to xtask's tidy/edges.rs";
            let wrong = format!("the crate `{folder}` has no place in the house");
            found.push(Violation::new(&manifest, 1, wrong, right));
            continue;
        };
        found.extend(wrong_edges(&manifest, text, edges, package));
    }
    found
}

fn wrong_edges(manifest: &str, text: &str, edges: &Edges, package: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut external = Vec::new();
    for dependency in array(package, "dependencies") {
        let name = string(dependency, "name");
        match (string(dependency, "kind"), target_folder(dependency)) {
            ("dev", _) => {}
            (kind, None) => external.extend((kind != "build").then_some(name)),
            (_, Some(target)) => {
                let wrong = wrong_edge(edges, target, dependency["optional"] == true);
                found.extend(wrong.map(|(wrong, right)| {
                    Violation::new(manifest, line_naming(text, name), wrong, right)
                }));
            }
        }
    }
    external.sort_unstable();
    external.dedup();
    if edges.folder == "core" && external.len() > CORE_EXTERNAL {
        let line = line_naming(text, "[dependencies]");
        let wrong = format!("core uses {} crates: {}", external.len(), external.join(", "));
        found.push(Violation::new(manifest, line, wrong, format!("at most {CORE_EXTERNAL}")));
    }
    found
}

/// What is wrong with the edge to `target`, and what would be right.
fn wrong_edge(edges: &Edges, target: &str, optional: bool) -> Option<(String, String)> {
    let Edges { folder, may_use, .. } = edges;
    if may_use.contains(&target) {
        return None;
    }
    if edges.optional.contains(&target) {
        let right = "make it optional, behind a feature".to_owned();
        return (!optional).then(|| (format!("{folder} always uses {target}"), right));
    }
    let allowed = if may_use.is_empty() { "nothing".to_owned() } else { may_use.join(", ") };
    Some((format!("{folder} uses {target}"), format!("of our crates it may use: {allowed}")))
}

/// The folder of a dependency that is a crate of this repository.
fn target_folder(dependency: &Value) -> Option<&str> {
    dependency["path"].as_str()?.rsplit(['/', '\\']).next()
}

fn manifest_path(metadata: &Value, package: &Value) -> String {
    let root = string(metadata, "workspace_root");
    let path = string(package, "manifest_path");
    let path = path.strip_prefix(root).unwrap_or(path);
    path.trim_start_matches(['/', '\\']).replace('\\', "/")
}

fn line_naming(text: &str, name: &str) -> usize {
    text.lines().position(|line| line.starts_with(name)).map_or(1, |index| index + 1)
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours(folder: &str) -> Value {
        json!({ "name": format!("fuseboard-{folder}"), "path": format!("/w/crates/{folder}") })
    }

    fn with(mut dependency: Value, key: &str, value: Value) -> Value {
        dependency[key] = value;
        dependency
    }

    /// What is wrong with a crate that has these dependencies.
    fn objections(folder: &str, dependencies: &[Value]) -> Vec<String> {
        let metadata = json!({ "workspace_root": "/w", "packages": [{
            "manifest_path": format!("/w/crates/{folder}/Cargo.toml"),
            "dependencies": dependencies,
        }] });
        check(&metadata, &[]).into_iter().map(|violation| violation.wrong).collect()
    }

    #[test]
    fn only_the_edges_of_the_house_are_allowed() {
        let cases: &[(&str, Value, &[&str])] = &[
            ("store", ours("core"), &[]),
            ("core", ours("store"), &["core uses store"]),
            ("core", with(ours("store"), "kind", json!("dev")), &[]),
            ("core", with(ours("store"), "kind", json!("build")), &["core uses store"]),
            ("services", ours("server"), &["services uses server"]),
            ("tower", ours("core"), &[]),
            ("tower", ours("services"), &["tower always uses services"]),
            ("tower", with(ours("services"), "optional", json!(true)), &[]),
            ("tower", with(ours("store"), "optional", json!(true)), &["tower uses store"]),
            ("macros", ours("core"), &["macros uses core"]),
            ("server", ours("fuseboard"), &[]),
            ("server", ours("python"), &["server uses python"]),
            ("python", ours("services"), &[]),
            ("python", ours("tower"), &["python uses tower"]),
            ("fuseboard", ours("macros"), &[]),
            ("fuseboard", ours("server"), &["fuseboard uses server"]),
            ("cellar", ours("core"), &["the crate `cellar` has no place in the house"]),
            ("store", json!({ "name": "rusqlite" }), &[]),
        ];
        for (folder, dependency, expected) in cases {
            let found = objections(folder, std::slice::from_ref(dependency));
            assert_eq!(found, *expected, "{folder}: {dependency}");
        }
    }

    #[test]
    fn the_edges_are_those_that_architecture_names() {
        let page = include_str!("../../../ARCHITECTURE.md");
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for Edges { folder, may_use, optional } in EDGES {
            let uses = if may_use.is_empty() { "nothing".to_owned() } else { may_use.join(", ") };
            let behind = match optional {
                [] => String::new(),
                optional => format!(" (behind a feature {})", optional.join(", ")),
            };
            let edge = format!("{folder}→{uses}{behind}");
            let found = [";", "."].iter().any(|end| page.contains(&format!(" {edge}{end}")));
            assert!(found, "ARCHITECTURE.md does not name `{edge}`");
        }
    }

    #[test]
    fn core_uses_at_most_six_crates_from_outside() {
        let external = |count: usize| -> Vec<Value> {
            (0..count).map(|index| json!({ "name": format!("crate-{index}") })).collect()
        };
        let mut with_development = external(6);
        with_development.push(json!({ "name": "proptest", "kind": "dev" }));
        assert_eq!(objections("core", &with_development), [""; 0]);
        assert_eq!(objections("core", &external(7)).len(), 1);
        assert_eq!(objections("store", &external(7)), [""; 0]);
    }

    #[test]
    fn a_wrong_edge_is_shown_where_the_manifest_names_it() {
        let metadata = json!({ "workspace_root": "/w", "packages": [{
            "manifest_path": "/w/crates/core/Cargo.toml", "dependencies": [ours("store")],
        }, {
            "manifest_path": "/w/xtask/Cargo.toml", "dependencies": [ours("store")],
        }] });
        let text = "[dependencies]\nthiserror = \"2\"\nfuseboard-store.workspace = true\n";
        let files = [("crates/core/Cargo.toml".to_owned(), text.to_owned())];
        let [violation] = check(&metadata, &files).try_into().unwrap();
        assert_eq!((violation.path.as_str(), violation.line), ("crates/core/Cargo.toml", 3));
        assert_eq!(violation.right, "of our crates it may use: nothing");
    }
}

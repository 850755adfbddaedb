//! TLS to a server that has it.

use std::path::Path;
use std::process::Command;

use fuseboard_core::time::WallTime;
use fuseboard_store::{Letters, Postgres, PostgresOptions, StoreError, conformance};

use crate::server::Server;

#[tokio::test]
async fn sslmode_says_how_far_the_server_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let (certificate, key) = certificate(folder.path());
    let options = format!("-c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}");
    let server = Server::start_with(&options, &[&key]);
    let client = server.client().await;
    let table = [
        ("disable", "localhost", false, Some(false)),
        ("prefer", "localhost", false, Some(true)),
        ("require", "127.0.0.1", false, Some(true)),
        ("verify-full", "localhost", true, Some(true)),
        // The certificate is for another name, or from nobody who is trusted.
        ("verify-full", "127.0.0.1", true, None),
        ("verify-full", "localhost", false, None),
    ];
    for (mode, host, trusted, encrypted) in table {
        let url = format!("{}?sslmode={mode}&application_name={mode}", server.url());
        let url = url.replace("127.0.0.1", host);
        let root_certificates = trusted.then(|| Path::new(&certificate).to_owned());
        let options = PostgresOptions { url, root_certificates, ..server.options() };
        let opened = Postgres::open(options).await;
        let Some(encrypted) = encrypted else {
            assert!(
                matches!(opened, Err(StoreError::Unavailable { .. })),
                "{mode} {host}: {opened:?}"
            );
            continue;
        };
        let store = opened.unwrap();
        let now = WallTime::from_unix_millis(1_000);
        store.insert(conformance::draft("payments", "k", now)).await.unwrap();
        let ssl = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1";
        let ssl: bool = client.query_one(ssl, &[&mode]).await.unwrap().get(0);
        assert_eq!(ssl, encrypted, "{mode} {host}");
        store.close().await.unwrap();
    }
    let plain = Server::shared();
    let url = format!("{}?sslmode=require", plain.url());
    let refused = Postgres::open(PostgresOptions { url, ..plain.options() }).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

/// A certificate for localhost that vouches for itself, and its key.
fn certificate(folder: &Path) -> (String, String) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("server.crt"), path("server.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args([
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ])
        .output()
        .expect("this test needs `openssl`");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

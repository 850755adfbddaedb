//! Who may ask.

use crate::rig::{CONFIG, Server};

#[tokio::test]
async fn only_requests_meant_for_this_server_are_answered() {
    let names = "[server]\nadmin_hosts = [\"fuseboard.internal\"]\n";
    let server = Server::with_config(&format!("{CONFIG}{names}")).await;
    let port = server.address.port();
    let own = format!("127.0.0.1:{port}");
    let rows = [
        (format!("Host: {own}\r\n"), 200),
        (format!("Host: localhost:{port}\r\n"), 200),
        ("Host: LOCALHOST\r\n".to_owned(), 200),
        ("Host: [::1]:9999\r\n".to_owned(), 200),
        (format!("Host: {own}\r\nOrigin: http://{own}\r\n"), 200),
        ("Host: Fuseboard.Internal\r\n".to_owned(), 200),
        (format!("Host: fuseboard.internal:{port}\r\n"), 200),
        ("Host: u@fuseboard.internal\r\n".to_owned(), 403),
        ("Host: x.fuseboard.internal\r\n".to_owned(), 403),
        (format!("Host: evil.example:{port}\r\n"), 403),
        ("Host: localhost.evil.example\r\n".to_owned(), 403),
        ("Host: 10.1.2.3\r\n".to_owned(), 403),
        (format!("Host: u@localhost:{port}\r\n"), 403),
        ("Host:\r\n".to_owned(), 403),
        (format!("Host: {own}\r\nOrigin: http://evil.example\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: http://localhost:{port}\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: null\r\n"), 403),
    ];
    for (headers, status) in rows {
        for path in ["/v1/circuits", "/healthz", "/nothing"] {
            let reply = server.ask("GET", path, &headers).await;
            let expected = if status == 200 && path == "/nothing" { 404 } else { status };
            assert_eq!(reply.status, expected, "{path} {headers}");
            if status == 403 {
                let detail = reply.problem(403);
                assert!(
                    detail.starts_with("Host: expected") || detail.starts_with("Origin: expected")
                );
            }
        }
    }
}

#[tokio::test]
async fn with_tokens_configured_only_a_token_opens_what_is_not_health() {
    let tokens = "[server.tokens]\nops = \"s3cret\"\nbot = \"other-one\"\n";
    let server = Server::with_config(&format!("{CONFIG}{tokens}")).await;
    let rows = [
        ("Bearer s3cret", true),
        ("bearer other-one", true),
        ("Bearer s3cre", false),
        ("Bearer s3crets", false),
        ("Bearer ops", false),
        ("Bearer ", false),
        ("s3cret", false),
        ("Basic s3cret", false),
    ];
    for (credentials, right) in rows {
        let headers = format!("Host: localhost\r\nAuthorization: {credentials}\r\n");
        for path in ["/v1/circuits", "/v1/letters", "/readyz", "/metrics"] {
            let reply = server.ask("GET", path, &headers).await;
            assert_eq!(reply.status, if right { 200 } else { 401 }, "{path} {credentials}");
        }
        let health = server.ask("GET", "/healthz", &headers).await;
        assert_eq!(health.status, 200, "{credentials}");
    }
    let reply = server.get("/nothing").await;
    let detail = reply.problem(401);
    assert_eq!(detail, "Authorization: expected `Bearer` and a token of [server.tokens]");
    assert!(reply.has("www-authenticate: bearer realm=\"fuseboard\""), "{}", reply.head);
}

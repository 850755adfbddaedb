//! The pages of kept payments: whoever was told 202 looks there, and so does the demo, at each of them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;

use super::client::Client;
use super::traffic::{Answer, Payment};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the pages said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pages {
    /// Pages that were looked at: one per 202.
    pub(crate) read: u64,
    /// Pages that did not say what they should, with what is wrong.
    pub(crate) wrong: Vec<String>,
}

/// The page of a letter, as far as it matters here.
#[derive(Deserialize)]
struct Page {
    status: String,
}

/// The payment service's own answer.
#[derive(Deserialize)]
struct Done {
    payment: String,
    amount: u64,
}

impl Pages {
    /// Looks at the page of every payment that was answered 202: it must be resolved, and its answer must be the
    /// service's own 201 for that very payment.
    pub(crate) async fn read(gateway: SocketAddr, payments: &[Payment]) -> Pages {
        let mut client = Client::new(gateway);
        let mut pages = Pages::default();
        for payment in payments {
            let Answer::Queued { page } = &payment.answer else { continue };
            pages.read += 1;
            if let Err(wrong) = check(&mut client, page, payment).await {
                pages.wrong.push(format!("{}: {wrong}", payment.key));
            }
        }
        pages
    }
}

async fn check(client: &mut Client, page: &str, payment: &Payment) -> Result<(), String> {
    let status = get(client, page).await?;
    let shown: Page = parse(&status)?;
    if shown.status != "resolved" {
        return Err(format!("its page says {}", shown.status));
    }
    let answer = get(client, &format!("{page}/answer")).await?;
    if answer.status() != StatusCode::CREATED {
        return Err(format!("its answer is {}", answer.status()));
    }
    let done: Done = parse(&answer)?;
    if (done.payment.as_str(), done.amount) != (payment.key.as_str(), payment.amount) {
        return Err(format!("its answer is that of {}, amount {}", done.payment, done.amount));
    }
    Ok(())
}

async fn get(client: &mut Client, path: &str) -> Result<Response<Bytes>, String> {
    let request = Request::get(path).body(Full::default()).map_err(|error| error.to_string())?;
    client.send(request, PATIENCE).await.map_err(|error| error.to_string())
}

fn parse<'a, T: Deserialize<'a>>(response: &'a Response<Bytes>) -> Result<T, String> {
    serde_json::from_slice(response.body())
        .map_err(|error| format!("{}: {error}", response.status()))
}

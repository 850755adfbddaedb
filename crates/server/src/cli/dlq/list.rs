//! Which letters are listed, page by page or all at once.

use clap::Args;
use fuseboard_core::letter::Status;
use fuseboard_store::Priority;
use serde_json::{Value, json};

use crate::cli::client::{Client, Undone};
use crate::cli::path::Path;
use crate::cli::table::entries;

/// As many letters as a page may have.
const PAGE: u16 = 500;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// Only letters that are past their SLA deadline and not done
    #[arg(long)]
    late: bool,
    /// At most this many, up to 500
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(PAGE)))]
    limit: u16,
    /// Only letters after this one
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
    /// All of them, however many there are
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    all: bool,
}

/// Which letters.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only letters of this circuit
    #[arg(long)]
    circuit: Option<String>,
    /// Only letters of this domain
    #[arg(long)]
    domain: Option<String>,
    /// Only letters in this status, such as requires_review
    #[arg(long)]
    status: Option<Status>,
    /// Only letters captured for this reason, such as timeout
    #[arg(long)]
    failure: Option<String>,
    /// Only letters of this priority: critical, normal or low
    #[arg(long)]
    priority: Option<Priority>,
    /// Only letters with this order key
    #[arg(long, value_name = "KEY")]
    order_key: Option<String>,
}

impl List {
    /// What the API answers; all pages as one.
    pub(super) fn ask(&self, client: &Client) -> Result<Value, Undone> {
        let path = self.filter.of("/v1/letters").with("late", self.late.then_some(true));
        if !self.all {
            return client
                .get(path.with("limit", Some(self.limit)).with("after", self.after).as_str());
        }
        let path = path.with("limit", Some(PAGE));
        let (mut letters, mut after) = (Vec::new(), None);
        loop {
            let page = client.get(path.clone().with("after", after).as_str())?;
            letters.extend_from_slice(entries(&page["letters"]));
            after = page["next"].as_i64();
            if after.is_none() {
                return Ok(json!({ "letters": letters, "next": null }));
            }
        }
    }
}

impl Filter {
    /// The path with what the filter says.
    pub(super) fn of(&self, path: &str) -> Path {
        Path::new(path)
            .with("circuit", self.circuit.as_ref())
            .with("domain", self.domain.as_ref())
            .with("status", self.status)
            .with("failure", self.failure.as_ref())
            .with("priority", self.priority)
            .with("order_key", self.order_key.as_ref())
    }
}

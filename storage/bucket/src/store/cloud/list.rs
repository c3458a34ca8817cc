//! Listings, page by page; each page is tried by itself.

use object_store::ListResult;
use object_store::list::PaginatedListOptions;

use super::{Cloud, Fault, Kind, Operation, classify};
use crate::objects::{Found, StoreError};
use crate::store::path;

impl Cloud {
    pub async fn list(&self, folder: &str) -> Result<Vec<Found>, StoreError> {
        const ACTION: &str = "listing";
        let below = self.below(ACTION, folder)?;
        let own = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let mut found = Vec::new();
        let result = self
            .pages(&below, None, |page| {
                found.extend(page.objects.into_iter().filter_map(|object| {
                    // Names that are none of ours are nobody's to read or delete.
                    let path = object.location.as_ref().get(own..)?;
                    path::check(path).ok()?;
                    let modified = object.last_modified.timestamp_nanos_opt().unwrap_or(0);
                    Some(Found {
                        path: path.to_owned(),
                        bytes: object.size,
                        modified: u64::try_from(modified).unwrap_or(0),
                    })
                }));
                found.len()
            })
            .await;
        self.finish(ACTION, folder, result)?;
        Ok(found)
    }

    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        const ACTION: &str = "listing";
        let below = self.below(ACTION, folder)?;
        let mut found = std::collections::BTreeSet::new();
        let result = self
            .pages(&below, Some("/"), |page| {
                let names = page.common_prefixes.iter().filter_map(|prefix| prefix.filename());
                found.extend(names.filter(|name| path::check(name).is_ok()).map(str::to_owned));
                found.len()
            })
            .await;
        self.finish(ACTION, folder, result)?;
        Ok(found.into_iter().collect())
    }

    /// What the names of everything below a folder begin with.
    fn below(&self, action: &'static str, folder: &str) -> Result<String, StoreError> {
        let joined =
            path::join(&self.prefix, folder, true).map_err(|reason| self.failed(action, folder, &reason))?;
        Ok(if joined.is_empty() { joined } else { joined + "/" })
    }

    /// All pages of a listing, until `take` says that it has too much.
    async fn pages(
        &self,
        below: &str,
        delimiter: Option<&'static str>,
        mut take: impl FnMut(ListResult) -> usize,
    ) -> Result<(), Fault> {
        let mut token: Option<String> = None;
        loop {
            let page = self
                .tries(Operation::List, 0, || async {
                    let options = PaginatedListOptions {
                        delimiter: delimiter.map(Into::into),
                        page_token: token.clone(),
                        ..PaginatedListOptions::default()
                    };
                    let prefix = (!below.is_empty()).then_some(below);
                    let page = self.remote.list_paginated(prefix, options).await;
                    page.map_err(|error| match classify(&error) {
                        // A listing of nothing is empty; so it is the bucket that is not there.
                        Fault::Absent => Fault::Failed(Kind::Rejected, error.to_string()),
                        fault => fault,
                    })
                })
                .await?;
            if take(page.result) > self.limits.longest_list {
                let text = format!("there are more than {} names", self.limits.longest_list);
                return Err(Fault::Failed(Kind::Rejected, text));
            }
            match page.page_token {
                Some(next) if Some(&next) == token.as_ref() => {
                    return Err(Fault::Failed(
                        Kind::Short,
                        "a page of the listing says that it is its own next".into(),
                    ));
                }
                Some(next) => token = Some(next),
                None => return Ok(()),
            }
        }
    }
}
